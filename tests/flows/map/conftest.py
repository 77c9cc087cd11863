"""The graph of the flows as they are."""

from datetime import date
from importlib import import_module

import pytest

from churnlib.settings import list_games
from flows import FLOWS
from flows.map.graph import Graph
from flows.map.trace import trace


@pytest.fixture(scope="session")
def graph() -> Graph:
    """The graph of the flows of the first game."""
    for flow in FLOWS:
        import_module(f"flows.{flow}")
    return trace(list_games()[0], date(2025, 1, 1))
