"""`python -m autoscaler` is the console script."""

from autoscaler.cli import main

if __name__ == "__main__":
    main()
