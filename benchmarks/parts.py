"""Measures the cost of a sub-flow and of a task: `python -m benchmarks.parts`; prints JSON.

The costs are marginal, without the start and end of process and flow: the times of a flow with many
parts and one with few are subtracted, and divided by the difference in parts. A sub-flow has one
trivial task. As in the project's flows, tasks have the project's decorator, and store their
results.
"""

import json
import time
from collections.abc import Callable

FEW, MANY = 5, 45


def main() -> None:
    """Measures with the configured server, or a temporary one."""
    from flows.engine.server import local_server

    with local_server() as server:
        server.wait()
        print(json.dumps(measure()))


def measure() -> dict[str, float]:
    """Returns the seconds of a sub-flow with a task, and of a task, by name."""
    from prefect import flow

    from flows.task import task

    @task
    def work(number: int, salt: float) -> float:
        return number + salt

    @flow
    def part(number: int, salt: float) -> float:
        return work(number, salt)

    @flow
    def of_parts(count: int, salt: float) -> None:
        for number in range(count):
            part(number, salt)

    @flow
    def of_tasks(count: int, salt: float) -> None:
        for number in range(count):
            work(number, salt)

    of_parts(1, time.time())  # Excludes the cost of the first call, such as imports.
    return {"sub-flow": marginal(of_parts), "task": marginal(of_tasks)}


def marginal(flow: Callable[[int, float], None]) -> float:
    """The seconds of one more part; a new salt each time avoids cached results."""
    seconds = {}
    for count in (FEW, MANY):
        started = time.perf_counter()
        flow(count, time.time())
        seconds[count] = time.perf_counter() - started
    return (seconds[MANY] - seconds[FEW]) / (MANY - FEW)


if __name__ == "__main__":
    main()
