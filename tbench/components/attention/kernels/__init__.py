"""The arithmetic. Each module takes a `Problem` and returns the callable that is timed, `attend(q, k, v)`."""
