"""The words that an error message ends with."""

import pytest

from churnlib.errors import ChurnlibError, DataError, ModelError, SettingsError, closest, naming


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


def test_of_many_names_those_are_listed_that_are_least_far() -> None:
    names = [f"balance_{n}" for n in range(40)]
    assert closest("nope", [*names, "price"]) == (
        "Nearest of 41 known: price, balance_9, balance_8, balance_7, balance_6."
    )


def test_game_is_named_once() -> None:
    with pytest.raises(ModelError, match=r"^hawk: no such step$"), naming("hawk"), naming("hawk"):
        raise ModelError("no such step")


def test_faults_of_other_kinds_stay_as_they_are() -> None:
    with pytest.raises(DataError, match=r"^no such file$"), naming("hawk"):
        raise DataError("no such file")
