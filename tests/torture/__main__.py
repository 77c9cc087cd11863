"""Kill tests: `python -m tests.torture --kills 200 --seed 1`; prints what survived."""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.torture.cases import CASES
from tests.torture.kills import Tally, survive
from tests.torture.place import Place, lasting_server


def main() -> int:
    """Kills runs; returns 1 if one did not survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many kills (200)")
    parser.add_argument("--seed", type=int, help="what to draw; names the kills of a failure")
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--keep", type=Path, help="the folder to work in, which is kept")
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    cases = tuple(case for case in CASES if case.name in (arguments.only or [case.name]))
    started, tally = time.monotonic(), Tally()
    with ExitStack() as stack:
        folder = arguments.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="churn-torture-"))
        )
        for server in ("own", "lasting"):
            place = Place(folder / server)
            if server == "lasting":
                place.url = stack.enter_context(lasting_server(place.folder))
            kills = arguments.kills // 2 + (arguments.kills % 2 if server == "own" else 0)
            survive(place, cases, kills, random.Random(f"{seed} {server}"), tally)
    print(f"\nkills survived: {tally.survived} of {tally.kills}, seed {seed}", end=", ")
    print(f"{time.monotonic() - started:.0f} s")
    for line in tally.failures:
        print(f"  {line}")
    return 0 if not tally.failures else 1


if __name__ == "__main__":
    sys.exit(main())
