"""What happens to runs other than being killed: full disks, no access, clocks, stores, servers."""

import errno
import random
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churnlib.io import storage
from tests.store_server import StoreServer
from tests.torture.cases import CASES, RAW, Case, command, prepare
from tests.torture.content import contents, unreadable
from tests.torture.kills import Expected, Tally, faults_of_next, undisturbed
from tests.torture.place import LONGEST_SECONDS, Lasting, Place, kill

TRAIN = next(case for case in CASES if case.name == "train")
PREDICT = Case("batch-predict", "done", command("batch-predict"))
OUTAGE_SECONDS = 20
LOCK_SECONDS = 4.0
"""After how long the lock of a dead run in an object store is free, here."""
MOST_LINES = 60
"""How many lines the log of a run may have in which the server was away."""


def disturb(folder: Path, draw: random.Random, tally: Tally, times: int) -> None:
    """Disturbs runs, each in a number of ways.

    Args:
        folder: An empty folder.
        draw: Draws when.
        tally: Counts them.
        times: How often each is repeated where it is drawn.
    """
    place = Place(folder / "disturbed")
    prepare(place, (TRAIN, PREDICT))
    for case in (TRAIN, PREDICT):
        expected = undisturbed(place, case)
        for number in (errno.ENOSPC, errno.EROFS):
            for where in ("data", "results", "tmp"):
                for at in draw.sample(range(expected.changes), times):
                    what = f"{case.name}, {errno.errorcode[number]} in {where} from change {at}"
                    tally.count(what, refused(place, case, expected, (where, number, at)))
        tally.count(f"{case.name}, clock set back by a day", set_back(place, case))
    expected = undisturbed(place, TRAIN)
    for share in [draw.uniform(0.3, 0.9) for _ in range(times)]:
        what = f"train, server away for {OUTAGE_SECONDS} s at {share:.3f} of the time"
        tally.count(what, without_server(place, expected, share))
    uploads(folder, draw, tally, times)


def refused(place: Place, case: Case, expected: Expected, what: tuple[str, int, int]) -> list[str]:
    """Lets changes in a folder fail; returns what was wrong."""
    where, number, at = what
    place.put_back(case.state)
    line = case.line(place)
    status = place.run(line, folders=[str(place.folder / where)], at=at // 4, error=number)
    faults = [f"after the fault: {fault}" for fault in unreadable(place)]
    if "Traceback" in place.log:
        faults.append(f"a traceback: {place.log[-1500:]}")
    if where == "results":
        warnings = place.log.count("results of tasks are not kept")
        if status != 0 or warnings > 1:
            faults.append(f"status {status}, {warnings} warnings: {place.log[-1500:]}")
    elif status not in (0, 2):
        faults.append(f"status {status}: {place.log[-1500:]}")
    return faults or faults_of_next(place, line, expected)


def set_back(place: Place, case: Case) -> list[str]:
    """Runs a command under a clock of yesterday; returns what was wrong.

    What it writes does not name its code, which may have changed, so it is not as undisturbed.
    """
    place.put_back(case.state)
    status = place.run(case.line(place), clock=-86400.0)
    told = place.log.count("the clock of this machine was set back")
    if status != 0 or told != 1 or "Traceback" in place.log:
        return [f"status {status}, told {told} times: {place.log[-1500:]}"]
    return unreadable(place)


def without_server(place: Place, expected: Expected, share: float) -> list[str]:
    """Ends the lasting server during a run and starts it again; returns what was wrong."""
    place.put_back(RAW)
    with Lasting(place.folder) as server:
        place.url = server.url
        try:
            process = place.start(TRAIN.line(place))
            time.sleep(share * expected.seconds)
            server.stop()
            time.sleep(OUTAGE_SECONDS)
            server.start()
            status = process.wait(LONGEST_SECONDS)
        finally:
            place.url = ""
    lines = len(re.findall(r"^\d\d:\d\d:\d\d\.", place.log, re.M))  # Not the report.
    if status != 0 or lines > MOST_LINES or "Traceback" in place.log:
        return [f"status {status}, {lines} lines: {place.log[-2500:]}"]
    found = contents(place)
    return [] if found in expected.contents else ["not as undisturbed"]


def uploads(folder: Path, draw: random.Random, tally: Tally, times: int) -> None:
    """Kills runs whose data are in an object store, at random moments."""
    with StoreServer(folder / "store.log") as server, environment_of(server):
        place = Place(folder / "uploading", fate={"lock_seconds": LOCK_SECONDS})
        prepare(place, (TRAIN,))
        bucket = server.make_bucket("torture")
        place.store = {**server.environment(), "CHURN_DATA_DIR": f"{bucket}/data"}
        fill(place, bucket)
        started = time.monotonic()
        assert place.run(TRAIN.line(place)) == 0, place.log
        seconds, expected = time.monotonic() - started, stored(place, bucket)
        for share in [draw.uniform(0.3, 1.0) for _ in range(times)]:
            fill(place, bucket)
            process = place.start(TRAIN.line(place))
            try:
                process.wait(share * seconds)
            except subprocess.TimeoutExpired:
                kill(process, [])
            tally.count(
                f"train into an object store, killed at {share:.3f} of the time",
                uploaded_again(place, bucket, expected),
            )


def uploaded_again(place: Place, bucket: str, expected: dict[str, str]) -> list[str]:
    """Runs again what was killed while it uploaded; returns what was wrong."""
    download(place, bucket)
    if faults := unreadable(place):
        return [f"after the kill: {fault}" for fault in faults]
    if (status := place.run(TRAIN.line(place))) != 0:
        return [f"the next run ended with {status}: {place.log[-1500:]}"]
    hidden = [e.name for e in storage.list_files(f"{bucket}/data") if "/." in e.name]
    faults = [f"left over: {name}" for name in hidden]
    if stored(place, bucket) != expected:
        faults.append("not as undisturbed")
    return faults


def fill(place: Place, bucket: str) -> None:
    """Empties the bucket, but for the raw tables, and forgets the results."""
    storage.remove_folder(f"{bucket}/data")
    place.put_back(RAW)
    for file in (place.data / "01_raw").rglob("*.csv"):
        target = f"{bucket}/data/{file.relative_to(place.data).as_posix()}"
        with storage.replacing(target) as path:
            path.write_bytes(file.read_bytes())


def stored(place: Place, bucket: str) -> dict[str, str]:
    """The contents of the bucket."""
    download(place, bucket)
    return contents(place)


def download(place: Place, bucket: str) -> None:
    """Copies the bucket into the data folder of the place."""
    place.put_back("empty")
    for entry in storage.list_files(f"{bucket}/data"):
        target = place.data / entry.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(storage.read_bytes(entry.uri))


@contextmanager
def environment_of(server: StoreServer) -> Iterator[None]:
    """Lets this process find the object store."""
    import os

    before = dict(os.environ)
    os.environ.update(server.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
