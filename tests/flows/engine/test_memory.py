"""Undocumented variables that limit memory: set before libraries are imported, and in effect."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from flows.engine.memory import CSV_CHUNK_SIZE

START = """
import json, os, sys
import flows
assert not {"polars", "numpy"} & {*sys.modules}
"""
LARGEST_BATCH = """
import polars as pl
frame = pl.scan_csv(sys.argv[1], schema={"text": pl.String})
print(json.dumps(max(len(rows) for rows in frame.collect_batches(lazy=True))))
"""
ARENAS = """
import ctypes, threading, numpy as np
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
wait = threading.Barrier(4)

def allocate():
    wait.wait()
    arrays = [np.ones(500) for _ in range(100)]
    wait.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(json.dumps(open(sys.argv[1]).read().count("<heap nr=")))
"""


def result_of(code: str, file: Path, **variables: str) -> Any:
    """What a new process prints as JSON, and its standard error."""
    env = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    env.pop("POLARS_CSV_CHUNK_SIZE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        env={**env, **variables, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout), done.stderr


def test_csv_files_are_parsed_in_chunks_of_the_size_that_is_set(tmp_path: Path) -> None:
    path, line = tmp_path / "rows.csv", "123456789\n"
    path.write_text("text\n" + line * 800_000)
    largest = {
        size: result_of(START + LARGEST_BATCH, path, **variables)[0] * len(line)
        for size, variables in (
            (CSV_CHUNK_SIZE, {}),
            (100_000, {"POLARS_CSV_CHUNK_SIZE": "100000"}),
            (5_000_000, {"POLARS_CSV_CHUNK_SIZE": "5000000"}),
        )
    }
    assert all(found <= 1.1 * size for size, found in largest.items())
    assert largest[100_000] < largest[CSV_CHUNK_SIZE] < 1.1 * CSV_CHUNK_SIZE < largest[5_000_000]


def test_numpy_allocates_from_one_arena(tmp_path: Path) -> None:
    usual, _ = result_of("import json, sys" + ARENAS, tmp_path / "usual.xml")
    limited, _ = result_of(START + ARENAS, tmp_path / "limited.xml")
    assert limited == 1 < usual


def test_polars_allocates_from_one_arena_per_processor(tmp_path: Path) -> None:
    option = "_RJEM_MALLOC_CONF"
    value, _ = result_of(START + f'print(json.dumps(os.environ["{option}"]))', tmp_path)
    variables = {option: f"{value},stats_print:true"}
    _, statistics = result_of(START + "import polars; print(1)", tmp_path, **variables)
    assert value == f"narenas:{os.cpu_count()}"
    assert f"opt.narenas: {os.cpu_count()}" in statistics
