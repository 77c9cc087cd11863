"""The parameters of runs are recorded as Prefect would record them."""

from datetime import date
from typing import Any

import pytest
from prefect import Flow

from flows.score import score

PARAMETERS: dict[str, Any] = {
    "game": "game1",
    "as_of": date(2024, 7, 1),
    "overrides": {"train.seed": 7, "windows.train.end": None, "raw.null_values": ["", "NULL"]},
    "data_dir": "s3://bucket/data",
    "refresh": True,
    "model": None,
}


@pytest.mark.parametrize("parameters", [PARAMETERS, {**PARAMETERS, "as_of": None}])
def test_parameters_are_serialized_as_by_prefect(parameters: dict[str, Any]) -> None:
    assert score.serialize_parameters(parameters) == Flow.serialize_parameters(score, parameters)
