"""Kill tests: `python -m tests.torture --kills 200 --seed 1`; prints what survived."""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.torture.cases import CASES
from tests.torture.disturbances import disturb
from tests.torture.kills import Tally, survive
from tests.torture.place import Lasting, Place


def main() -> int:
    """Kills and disturbs runs; returns 1 if one did not survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many kills (200)")
    parser.add_argument("--seed", type=int, help="draws the kills; the same seed, the same kills")
    names = [case.name for case in CASES]
    parser.add_argument("--only", action="append", choices=names, help="kill only this command")
    parser.add_argument("--disturb", type=int, default=2, help="how often each fault is drawn (2)")
    parser.add_argument("--keep", type=Path, help="the folder to work in, which is kept")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    cases = tuple(case for case in CASES if case.name in (given.only or names))
    started, killed, disturbed = time.monotonic(), Tally(), Tally()
    print(f"seed {seed}", flush=True)
    with ExitStack() as stack:
        new = tempfile.TemporaryDirectory(prefix="churn-torture-", ignore_cleanup_errors=True)
        folder = given.keep or Path(stack.enter_context(new))
        if given.kills:
            own = Place(folder / "own")
            survive(own, cases, (given.kills + 1) // 2, random.Random(f"{seed} own"), killed)
            place = Place(folder / "lasting")
            with Lasting(place.folder) as server:
                place.url = server.url
                survive(place, cases, given.kills // 2, random.Random(f"{seed} lasting"), killed)
        if given.disturb:
            disturb(folder, random.Random(f"{seed} disturb"), disturbed, given.disturb)
    print(f"\nseed {seed}, {time.monotonic() - started:.0f} s")
    print(f"kills survived: {killed}")
    print(f"other disturbances survived: {disturbed}")
    for what in (*killed.failures, *disturbed.failures):
        print(f"  failed: {what}")
    return 1 if killed.failures or disturbed.failures else 0


if __name__ == "__main__":
    sys.exit(main())
