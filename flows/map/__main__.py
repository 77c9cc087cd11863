"""`python -m flows.map`: the same as `churn map`."""

from flows import run_command

if __name__ == "__main__":
    run_command("map")
