"""A program in place of Prefect's engine that only sleeps."""

import time

if __name__ == "__main__":
    print("sleeping", flush=True)
    time.sleep(60)
