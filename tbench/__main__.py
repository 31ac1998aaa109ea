"""`python -m tbench` is the same as `tbench`."""

from tbench.cli import main

if __name__ == "__main__":
    main()
