"""Undocumented variables that limit memory: set before libraries are imported, and in effect."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("size", [None, 100_000, 3_000_000])
def test_csv_files_are_parsed_in_chunks_of_the_size_that_is_set(
    size: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "123456789\n" * 800_000)
    variables = {} if size is None else {"POLARS_CSV_CHUNK_SIZE": str(size)}
    largest, _ = result_of(START + LARGEST_BATCH, path, **variables)
    chunk = (size or CSV_CHUNK_SIZE) / len("123456789\n")
    assert 0.8 * chunk < largest < 1.2 * chunk


@pytest.mark.skipif("not sys.platform.startswith('linux')", reason="an option of glibc")
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
