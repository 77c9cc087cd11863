"""`python -m flows <command>`: the same as `churn <command>`."""

from flows.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
