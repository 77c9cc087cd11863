"""The price of a sub-flow and of a task: `python -m benchmarks.parts`; prints both as JSON.

Marginal, so without start and end of process and flow: a flow of many less a flow of few, by
their difference. A sub-flow holds one trivial task. Both stand as the flows of the project do: in
the session of a command line, with the project's decorator of tasks, of which each keeps a result.
"""

import json
import time
from collections.abc import Callable

FEW, MANY = 5, 45


def main() -> None:
    """Measures beside the server that is configured, or one of its own."""
    from flows.engine.server import local_server

    with local_server() as server:
        server.wait()
        print(json.dumps(measure()))


def measure() -> dict[str, float]:
    """The seconds of a sub-flow with a task, and of a task, by name."""
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

    of_parts(1, time.time())  # What is loaded or connected at the first time is no marginal cost.
    return {"sub-flow": marginal(of_parts), "task": marginal(of_tasks)}


def marginal(flow: Callable[[int, float], None]) -> float:
    """The seconds that one more costs; a new salt each time keeps the cache out."""
    seconds = {}
    for count in (FEW, MANY):
        started = time.perf_counter()
        flow(count, time.time())
        seconds[count] = time.perf_counter() - started
    return (seconds[MANY] - seconds[FEW]) / (MANY - FEW)


if __name__ == "__main__":
    main()
