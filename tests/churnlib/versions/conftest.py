from pathlib import Path

import pytest

from churnlib.io.catalog import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(str(tmp_path), "hawk")
