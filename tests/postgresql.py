"""A PostgreSQL server for tests, which asks for a password."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.production.site import postgres, postgres_programs

CREDENTIALS = {"PGUSER": "prefect", "PGPASSWORD": "planted-database-password"}
"""The variables that give access to it."""


@contextmanager
def postgresql(log: Path) -> Iterator[str]:
    """Starts a server, and yields the URI of its database; skips where there is no PostgreSQL.

    Args:
        log: Where its words go.
    """
    if (programs := postgres_programs()) is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres(programs, log, CREDENTIALS["PGPASSWORD"]) as address:
        yield address.replace("postgresql+asyncpg://prefect@", "postgresql://")
