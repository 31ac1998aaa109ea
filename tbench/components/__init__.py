"""What is compared, a folder for each: `registry` is how a component describes itself, `workload` its way to a worker."""
