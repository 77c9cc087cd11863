"""Settings of the engine: how much of the data is worked on at a time, and where."""

from pydantic import Field

from churnlib.settings.parts import Section, Whole


class EngineSettings(Section):
    """How the work is done; no setting here changes a result by one bit."""

    memory_mib: Whole = Field(default=256, ge=1)
    """About how much memory the rows being worked on may take, in MiB; tables that need more are
    worked through in buckets of characters. The libraries themselves take some 150 MiB besides."""
    scratch_dir: str | None = None
    """Where rows are put aside while a large raw table is brought in order; it takes about as much
    room there as the table as Parquet. The system's folder for temporary files if null."""
