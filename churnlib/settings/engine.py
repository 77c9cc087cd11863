"""Settings of the engine: how much of the data is worked on at a time, and where."""

from typing import Annotated, Literal

from pydantic import Field

from churnlib.settings.parts import Section, Whole

Scheduler = Annotated[str, Field(pattern=r"^(tcp|tls|ws|wss)://[^\s/]+:\d+/?$")]


class EngineSettings(Section):
    """How the work is done; no setting here changes a result by one bit."""

    memory_mib: Whole = Field(default=256, ge=1)
    """About how much memory the rows being worked on may take, in MiB; tables that need more are
    worked through in buckets of characters. The libraries themselves take some 150 MiB besides."""
    runner: Literal["local", "dask"] = "local"
    """Who works through the buckets: this process, one after another, or the workers of a Dask
    cluster, each bucket a task of Prefect's; that needs the extra `dask`."""
    scheduler: Scheduler | None = None
    """The address of a Dask cluster's scheduler, as in `tcp://scheduler:8786`. If null, a cluster
    on this machine is started where there is more than one bucket, and ended after the work."""
    workers: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    """How many processes a cluster on this machine has; they share its cores. One for each core if
    null. Each works on rows of `memory_mib`."""
    scratch_dir: str | None = None
    """Where rows are put aside while a large raw table is brought in order; it takes about as much
    room there as the table as Parquet. The system's folder for temporary files if null."""
