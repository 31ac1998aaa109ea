"""Which variants are known to run, where, and by whose word: `tbench prove` and the files it writes."""
