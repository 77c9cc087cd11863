"""Kills at every change of files and at random moments, and what must hold after each."""

import random
import signal
import subprocess
import time
from dataclasses import dataclass, field

from tests.flows.production.site import descendants
from tests.torture.cases import Case, prepare
from tests.torture.content import contents, difference, left_over, unreadable
from tests.torture.place import LONGEST_SECONDS, Place, kill


@dataclass
class Tally:
    """What was survived.

    Attributes:
        runs: How many runs were killed or disturbed.
        failures: Those after which something did not hold.
    """

    runs: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, what: str, faults: list[str]) -> None:
        """Counts and prints one.

        Args:
            what: What was done to which run.
            faults: What did not hold afterwards.
        """
        self.runs += 1
        print(f"{'FAILED' if faults else 'survived'}: {what}", flush=True)
        for fault in faults:
            print(f"    {fault}", flush=True)
        if faults:
            self.failures.append(what)

    def __str__(self) -> str:
        return f"{self.runs - len(self.failures)} of {self.runs}"


@dataclass(frozen=True)
class Expected:
    """What a command does where nobody disturbs it.

    Attributes:
        contents: The contents afterwards; after a second run, too.
        changes: The number of its changes of files.
        seconds: How long it takes.
    """

    contents: tuple[dict[str, str], ...]
    changes: int
    seconds: float


@dataclass(frozen=True)
class Kill:
    """A way to kill a run.

    Attributes:
        at: The change of files before which it kills itself; None for a moment.
        share: The moment, as a share of the time that the run takes.
        whole: Whether the server that it started dies at once, too.
    """

    at: int | None
    share: float
    whole: bool

    def __str__(self) -> str:
        when = f"at {self.share:.3f} of the time" if self.at is None else f"at change {self.at}"
        return when + (", with its server" if self.whole else "")


def survive(
    place: Place, cases: tuple[Case, ...], kills: int, draw: random.Random, tally: Tally
) -> None:
    """Kills runs in a place, the same number of each case.

    Args:
        place: The place.
        cases: What is killed.
        kills: How often.
        draw: Draws the kills.
        tally: Counts them.
    """
    own = "" if place.url else " with a server of its own"
    cases = cases if not place.url else tuple(case for case in cases if case.state != "empty")
    prepare(place, cases)
    for number, case in enumerate(cases):
        share = len(range(number, kills, len(cases)))
        if not share:
            continue
        expected = undisturbed(place, case)
        for one in drawn(expected.changes, share, draw):
            tally.count(f"{case.name}{own}, killed {one}", faults_after(place, case, expected, one))


def undisturbed(place: Place, case: Case) -> Expected:
    """Runs a command twice, and notes what it does."""
    place.put_back(case.state)
    line = case.line(place)
    started = time.monotonic()
    status = place.run(line)
    seconds = time.monotonic() - started
    assert status == 0, place.log
    changes, once = place.changes, contents(place)
    assert not left_over(place), left_over(place)
    assert place.run(line) == 0, place.log
    return Expected((once, contents(place)), changes, seconds)


def drawn(changes: int, kills: int, draw: random.Random) -> list[Kill]:
    """Draws kills: every change once if that is few enough, and as many moments as changes."""
    at_changes = draw.sample(range(changes), min(changes, (kills + 1) // 2))
    kinds = [Kill(at, 0.0, whole=False) for at in sorted(at_changes)]
    moments = kills - len(kinds)
    return kinds + [Kill(None, draw.random(), draw.random() < 0.5) for _ in range(moments)]


def faults_after(place: Place, case: Case, expected: Expected, one: Kill) -> list[str]:
    """Kills a run, runs it again, and returns what was wrong."""
    place.put_back(case.state)
    line = case.line(place)
    carry_out(place, line, expected, one)
    if faults := unreadable(place):
        return [f"after the kill: {fault}" for fault in faults]
    return faults_of_next(place, line, expected)


def faults_of_next(place: Place, line: tuple[str, ...], expected: Expected) -> list[str]:
    """Runs a command that was disturbed before, and returns what is wrong afterwards."""
    place.let_a_day_pass()
    try:
        status = place.run(line)
    except subprocess.TimeoutExpired:
        return [f"the next run did not end: {place.log[-800:]}"]
    if status != 0:
        return [f"the next run ended with {status}: {place.log[-1500:]}"]
    faults = [f"after the next run: {fault}" for fault in unreadable(place)]
    faults += [f"left over: {path}" for path in left_over(place)]
    found = contents(place)
    if found not in expected.contents:
        faults += [f"not as undisturbed: {difference(found, expected.contents[0])}"]
    if "Traceback" in place.log:
        faults.append(f"a traceback in the next run: {place.log[-1500:]}")
    return faults


def carry_out(place: Place, line: tuple[str, ...], expected: Expected, one: Kill) -> None:
    """Starts a run and kills it."""
    if one.at is not None:
        status = place.run(line, at=one.at)
        assert status in (0, -signal.SIGKILL), place.log
        return
    process = place.start(line)
    try:
        process.wait(one.share * expected.seconds)
    except subprocess.TimeoutExpired:
        kill(process, descendants(process.pid) if one.whole else [])
    assert process.wait(LONGEST_SECONDS) in (0, -signal.SIGKILL), place.log
