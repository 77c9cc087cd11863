"""The names of runs that are tries."""

import pytest

from flows.engine.tries import LONGEST_NAME, name_of_try
from tests.hostile import NAMES, RAW


@pytest.mark.parametrize("value", NAMES.values(), ids=NAMES)
def test_name_of_a_try_has_no_control_characters(value: str) -> None:
    name = name_of_try("game1", (f"train.seed={value}",))
    assert not RAW.search(name)
    assert "\n" not in name


def test_name_of_a_try_has_no_password_even_if_it_is_cut() -> None:
    filler = "x" * (LONGEST_NAME - 30)
    name = name_of_try("game1", (filler, "s3://key:planted-secret@bucket/data"))
    assert len(name) == LONGEST_NAME
    assert "planted" not in name
