"""YAML as people mean it: plain data, a place (line and column) for everything, and no traps. Used for every file."""
