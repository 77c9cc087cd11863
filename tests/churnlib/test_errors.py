"""The words that an error message ends with."""

import pytest

from churnlib.errors import ChurnlibError, DataError, ModelError, SettingsError, closest


@pytest.mark.parametrize("kind", [DataError, ModelError, SettingsError])
def test_every_fault_of_the_user_is_caught_as_one(kind: type[Exception]) -> None:
    with pytest.raises(ChurnlibError):
        raise kind("x")


def test_the_nearest_name_is_suggested() -> None:
    assert closest("hard_balanc", ["soft_balance", "hard_balance"]) == (
        "Did you mean 'hard_balance'?"
    )


def test_all_names_are_listed_where_none_is_near() -> None:
    assert closest("zzz", iter(["b", "a", "b"])) == "Known: a, b."
    assert closest("zzz", []) == "Known: none."
