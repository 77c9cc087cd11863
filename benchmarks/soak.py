"""Simulates years of monthly runs on a real server and worker: `python -m benchmarks.soak`.

Two games grow month by month; the second predicts all its running subscriptions each month, the
first the new ones. Each month, what has arrived is predicted, and the batch of half a
year ago is scored; each quarter, a model is trained and back-tested. Some runs are killed, and some
months are delivered late. After each month, the results of tasks and the runs in the database are
made a month older, so that retention has to do in minutes what it does in years. Writes the sizes
and times of each month to `soak.json`, and their plot and a section of `RESULTS.md`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import polars as pl

from benchmarks.soak_report import write_report
from benchmarks.start_up import ROOT
from churnlib.io.catalog import Catalog, month_name
from churnlib.months import months_apart, shift_months
from churnlib.synthesis import PROCESSES, generate
from tests.flows.production.site import PATIENCE_SECONDS, Site, descendants, site

GAMES = ("game1", "game2")
MONTHLY = "game2"
"""The game that predicts all running subscriptions."""
MISSED = 3
"""The number of missed months in a row that are churn."""
CHARACTERS = 900
FIRST, COPIES, APART = date(2021, 1, 1), 7, 12
"""The data of a game: copies of four years of sample data, each a year after the one before."""
START = shift_months(FIRST, 36)
"""The first month of the simulation, in which a training window is full."""
KILLED, LATE = 0.1, 0.1
"""The shares of runs that are killed, and of months that are delivered late."""
END_STATES = {"Completed", "Failed", "Cancelled", "Crashed"}
RETENTION = {"CHURN_RETENTION__BATCH_FEATURES": "12", "CHURN_RETENTION__RESULTS_DAYS": "90"}
SERVER = {"PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "20"}
AGED = (("flow_run", "end_time"), ("events", "occurred"), ("event_resources", "occurred"))
"""The times in the database by which Prefect's server removes runs and events."""
COLUMNS = {
    "character_data": "creation_date",
    "character_currency": "date",
    "sub_data": "sub_start_date",
    "sub_miss": "start_date",
}
"""The date of each raw table by which its rows arrive."""


@dataclass(frozen=True)
class Month:
    """What a month took, and what there is after it.

    Attributes:
        month: The month.
        seconds: How long its runs took, of both games, by flow.
        killed: How many of them were killed.
        late: How many games were delivered late.
        data: The size of the data folder in bytes, without raw tables.
        predictions: That of the predictions and reports on batches alone.
        home: The size of Prefect's home, without the database.
        database: The size of the pages of the database that are in use.
        results: The size of the results of tasks.
    """

    month: str
    seconds: Mapping[str, float]
    killed: int
    late: int
    data: int
    predictions: int
    home: int
    database: int
    results: int


class Soak:
    """Two games on a site.

    Args:
        place: The site.
        folder: A folder with the data folder and the results.
        draw: Draws kills and late deliveries.
    """

    def __init__(self, place: Site, folder: Path, draw: random.Random) -> None:
        self.place, self.data, self.results = place, folder / "data", folder / "results"
        self._draw = draw
        self._tables = {game: tables_of(game, folder / "whole") for game in GAMES}
        self.months: list[Month] = []

    def month(self, day: date) -> None:
        """Runs a month of both games, at once."""
        fates = {game: random.Random(self._draw.random()) for game in GAMES}
        with ThreadPoolExecutor(len(GAMES)) as pool:
            done = list(pool.map(lambda game: self._run(game, day, fates[game]), GAMES))
        seconds: dict[str, float] = {}
        for times, _, _ in done:
            for flow, taken in times.items():
                seconds[flow] = round(seconds.get(flow, 0.0) + taken, 2)
        killed, late = sum(kills for _, kills, _ in done), sum(lates for *_, lates in done)
        self.months.append(self._measured(day, seconds, killed, late))
        self._age()

    def _run(self, game: str, day: date, draw: random.Random) -> tuple[dict[str, float], int, int]:
        """Runs a month of a game; returns seconds by flow, kills and late deliveries."""
        flows = ["batch-predict", "batch-score-from-raw"]
        if day.month in (1, 4, 7, 10):
            flows = ["train-from-raw", "score", *flows]
        late = draw.random() < LATE and day != START
        if late:  # The runs of the schedule come before the data.
            self._run_once("batch-predict", game)
        self._deliver(game, day)
        times, killed = {}, 0
        for flow in flows:
            if draw.random() < KILLED:
                killed += self._run_killed(flow, game, draw)
            started = time.monotonic()
            state = self._run_to_end(flow, game)
            times[flow] = time.monotonic() - started
            # No batch of half a year ago was predicted in the first months.
            if state != "Completed" and not (
                flow.startswith("batch-score") and len(self.months) < 7
            ):
                raise RuntimeError(f"{flow} of {game} in {day}: {state}")
        return times, killed, int(late)

    def _deliver(self, game: str, day: date) -> None:
        """Writes what is known on a day into the raw folder."""
        folder = self.data / "01_raw" / game
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self._tables[game].items():
            known = rows.filter(pl.col(COLUMNS[table]) <= day)
            if table == "sub_miss":
                known = rows.filter(pl.col("start_date") < day).with_columns(
                    pl.when(pl.col("end_date") < day).then("end_date")
                )
            known.write_csv(folder / f"{table}.csv.new")
            (folder / f"{table}.csv.new").replace(folder / f"{table}.csv")

    def _run_to_end(self, flow: str, game: str) -> str:
        """Runs a flow, and again if it crashed, as one that the machine is too busy for does."""
        for _ in range(3):
            if (state := self._run_once(flow, game)) != "Crashed":
                break
        return state

    def _run_once(self, flow: str, game: str) -> str:
        run = self._start(flow, game)
        return self._wait(run, END_STATES)

    def _wait(self, run: str, states: set[str]) -> str:
        while (state := self._ask("GET", f"/flow_runs/{run}")["state"]["name"]) not in states:
            time.sleep(0.5)
        return str(state)

    def _run_killed(self, flow: str, game: str, draw: random.Random) -> int:
        """Starts a run and kills its process; returns whether it was still running."""
        run, worker = self._start(flow, game), self.place.worker
        assert worker
        self._wait(run, {"Running", *END_STATES})
        time.sleep(draw.uniform(0.0, 8.0))
        killed = 0
        for pid in descendants(worker.pid):
            if run in environment_of(pid):
                os.kill(pid, signal.SIGKILL)
                killed = 1
        self._wait(run, END_STATES)
        return killed

    def _start(self, flow: str, game: str) -> str:
        deployment = self._ask("GET", f"/deployments/name/{flow}/{game}")["id"]
        once = {"idempotency_key": uuid4().hex}
        started = self._ask("POST", f"/deployments/{deployment}/create_flow_run", once)
        return str(started["id"])

    def _ask(self, method: str, path: str, content: Mapping[str, str] | None = None) -> Any:
        """Asks the server, again if it is too busy."""
        user, _, password = self.place.password.partition(":")
        url, deadline = f"{self.place.url}{path}", time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = httpx.request(method, url, auth=(user, password), json=content, timeout=30)
                return answer.raise_for_status().json()
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def _measured(self, day: date, seconds: dict[str, float], killed: int, late: int) -> Month:
        home, layers = self.place.folder / "home", [*self.data.glob("0[2-8]_*")]
        with closing(sqlite3.connect(home / "prefect.db")) as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return Month(
            month=month_name(day),
            seconds=seconds,
            killed=killed,
            late=late,
            data=sum(map(size_of, layers)),
            predictions=sum(size_of(f) for f in layers if f.name[:2] in ("07", "08")),
            home=size_of(home) - sum(f.stat().st_size for f in home.glob("prefect.db*")),
            database=(pages - free) * size,
            results=size_of(self.results),
        )

    def _age(self) -> None:
        """Makes results and runs a month older."""
        for file in self.results.iterdir():
            then = file.stat().st_mtime - 30 * 24 * 3600
            os.utime(file, (then, then))
        with closing(sqlite3.connect(self.place.folder / "home" / "prefect.db", 60)) as database:
            for table, column in AGED:
                earlier = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-30 days')"
                database.execute(f"UPDATE {table} SET {column} = {earlier}")
            database.commit()

    def check(self) -> list[str]:
        """Lists what is not right in the predictions and reports of all months."""
        faults = []
        for game in GAMES:
            catalog = Catalog(str(self.data), game)
            for done in self.months:
                day = date.fromisoformat(f"{done.month}-01")
                batch = day if game == MONTHLY else shift_months(day, -1)
                faults += self._faults_of(catalog, batch)
        return faults

    def _faults_of(self, catalog: Catalog, batch: date) -> list[str]:
        """What is wrong with a batch: its subscriptions, or the lack of a report on it."""
        game = catalog.game
        tables = self._tables[game]
        due = running_on(tables, batch) if game == MONTHLY else started_in(tables, batch)
        file, faults = Path(catalog.predictions(batch).uri), []
        found = pl.read_parquet(file)["sub_id"].to_list() if file.exists() else []
        if sorted(found) != sorted(due):
            faults.append(f"{game} {batch}: {len(found)} predictions of {len(due)} subscriptions")
        if not Path(catalog.batch_list(batch).uri).exists():
            faults.append(f"{game} {batch}: no list")
        last = date.fromisoformat(f"{self.months[-1].month}-01")
        is_due = shift_months(batch, 7) <= last
        if is_due and not Path(catalog.batch_report(batch).uri).exists():
            faults.append(f"{game} {batch}: no report")
        return faults


def started_in(tables: Mapping[str, pl.DataFrame], month: date) -> set[int]:
    """The subscriptions that started in a month."""
    starts = pl.col("sub_start_date")
    is_in = (starts >= month) & (starts < shift_months(month, 1))
    return {*tables["sub_data"].filter(is_in)["sub_id"]}


def running_on(tables: Mapping[str, pl.DataFrame], day: date) -> set[int]:
    """The subscriptions that run on the first day of a month and have not churned by then."""
    starts = pl.col("sub_start_date")
    ends = starts.dt.offset_by(pl.format("{}mo", "sub_months"))
    running = {*tables["sub_data"].filter(starts <= day, ends > day)["sub_id"]}
    missed: dict[int, set[int]] = {}
    for sub, first, last in tables["sub_miss"].select("sub_id", "start_date", "end_date").rows():
        until = min(day, shift_months(last, 1)) if last else day
        months = months_apart(date(2000, 1, 1), first), months_apart(date(2000, 1, 1), until)
        missed.setdefault(sub, set()).update(range(*months))
    return {sub for sub in running if not has_run(missed.get(sub, set()))}


def has_run(months: set[int]) -> bool:
    """Whether so many of some months are in a row that they are churn."""
    return any({month + n for n in range(MISSED)} <= months for month in months)


def games_folder(folder: Path) -> Path:
    """Copies the games' files; one of them gets the monthly grain."""
    games = folder / "games"
    shutil.copytree(ROOT / "games", games)
    with (games / f"{MONTHLY}.toml").open("a", encoding="utf-8") as file:
        file.write('\n[cohort]\ngrain = "monthly"\n')
    return games


def tables_of(game: str, folder: Path) -> dict[str, pl.DataFrame]:
    """The raw tables of a game over ten years, with their dates as dates."""
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in COLUMNS}
    for copy in range(COPIES):
        out = folder / game / str(copy)
        generate(PROCESSES[game], CHARACTERS // 3, copy + 1, out)
        for name, parts in tables.items():
            rows = pl.read_csv(out / f"{name}.csv", try_parse_dates=True)
            parts.append(shifted(rows, copy))
    return {name: pl.concat(parts) for name, parts in tables.items()}


def shifted(rows: pl.DataFrame, copy: int) -> pl.DataFrame:
    """Moves the dates of a copy by its years, and gives it ids of its own."""
    dates = [name for name, dtype in rows.schema.items() if dtype == pl.Date]
    ids = [name for name in ("char_id", "sub_id") if name in rows.columns]
    return rows.with_columns(
        *(pl.col(name).dt.offset_by(f"{copy * APART}mo") for name in dates),
        *(pl.col(name) + copy * 10**6 for name in ids),
    )


def environment_of(pid: int) -> str:
    """The environment of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


def size_of(folder: Path) -> int:
    """The size of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Simulates months until all are done, or the time is over."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--months", type=int, default=60, help="how many months (60)")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--seed", type=int, default=1, help="draws kills and late deliveries")
    given = parser.parse_args()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="churn-soak-"))
    (folder / "results").mkdir()
    results = {"PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "results")}
    games = {"CHURN_GAMES_DIR": str(games_folder(folder))}
    (folder / "site").mkdir()
    try:
        with site(folder / "site", None, **SERVER, **results, **games) as place:
            soak = Soak(place, folder, random.Random(given.seed))
            place.start_worker(soak.data, **RETENTION, CHURN_RAW__ON_LATE="warn")
            for number in range(given.months):
                soak.month(shift_months(START, number))
                faults = soak.check()
                print(json.dumps(asdict(soak.months[-1])), *faults, sep="\n", flush=True)
                minutes = round((time.monotonic() - started) / 60, 1)
                facts: dict[str, Any] = {
                    "asked": given.months,
                    "seed": given.seed,
                    "minutes": minutes,
                    "faults": faults,
                    "months": [asdict(month) for month in soak.months],
                }
                write_report(facts)
                if given.minutes and minutes > given.minutes:
                    break
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
