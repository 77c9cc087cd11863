"""Settings of the engine: how much data is processed at a time, and where."""

from typing import Annotated, Literal

from pydantic import Field

from churnlib.settings.fields import OperatorOnly, Section, Whole

Scheduler = Annotated[str, Field(pattern=r"^(tcp|tls|ws|wss)://[^\s/@]+:\d+/?$")]


class EngineSettings(Section):
    """How data are processed; these settings have no effect on results."""

    memory_mib: Whole = Field(default=256, ge=1)
    """The memory for the rows that are processed at a time, in MiB, approximately; larger tables
    are processed in buckets of characters. Python and its libraries need about 250 MiB more."""
    runner: Literal["local", "dask"] = "local"
    """What processes the buckets: this process, two at a time, or the workers of a Dask cluster,
    where each bucket is a Prefect task; requires the extra `dask`."""
    scheduler: Annotated[
        Scheduler | None, OperatorOnly("the scheduler is sent code, and its answers are trusted")
    ] = None
    """The address of a Dask cluster's scheduler, such as `tcp://scheduler:8786`. If null, a cluster
    on this machine is started where there is more than one bucket, and stopped afterwards."""
    workers: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    """The number of processes of a cluster on this machine; one for each core if null. Each
    processes rows of `memory_mib`."""
    scratch_dir: Annotated[
        str | None, OperatorOnly("raw data would be written wherever the worker may")
    ] = None
    """The folder for temporary files while a large raw table is sorted, which take about as much
    space as the table as Parquet. The system's temporary folder if null."""
