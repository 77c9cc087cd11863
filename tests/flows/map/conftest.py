"""The graph of the flows as they are."""

from datetime import date

import pytest

from churnlib.settings import list_games, load_settings
from flows.map.build import build_graph
from flows.map.graph import Graph


@pytest.fixture(scope="session")
def graph() -> Graph:
    """The graph of the flows of the first game."""
    return build_graph(load_settings(list_games()[0]), date(2025, 1, 1))
