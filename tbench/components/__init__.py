"""What is compared, a folder each: `registry` is how a component describes itself, `workload` its way to a worker."""
