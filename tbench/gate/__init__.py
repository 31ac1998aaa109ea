"""The gate: whether a change made something slower, bigger or wrong, at a known rate of false alarms."""
