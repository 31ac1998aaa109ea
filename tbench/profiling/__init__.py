"""Where the time and the memory of one case go: `tbench profile`. No figure of it ever enters a run."""
