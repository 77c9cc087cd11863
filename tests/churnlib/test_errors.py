"""The errors that users see."""

import pytest

from churnlib.errors import ChurnlibError, DataError, ModelError, closest, error_prefix


def test_closest_suggests_a_similar_name() -> None:
    assert closest("hard_balanc", ["soft_balance", "hard_balance"]) == (
        "Did you mean 'hard_balance'?"
    )


@pytest.mark.parametrize(
    ("name", "similar"), [("SEED", "seed"), ("Max_Rows", "max_rows"), ("c", "c"), ("C", "C")]
)
def test_closest_suggests_the_right_case(name: str, similar: str) -> None:
    assert closest(name, ["seed", "max_rows", "C", "c"]) == f"Did you mean '{similar}'?"


def test_closest_lists_all_names_where_none_is_similar() -> None:
    assert closest("zzz", iter(["b", "a", "b"])) == "Known: a, b."
    assert closest("zzz", []) == "Known: none."


def test_closest_lists_the_nearest_of_many_names() -> None:
    names = [f"balance_{n}" for n in range(40)]
    assert closest("nope", [*names, "price"]) == (
        "Nearest of 41 known: price, balance_9, balance_8, balance_7, balance_6."
    )


def test_error_prefix_names_the_game_once() -> None:
    message = r"^hawk: no such step$"
    with pytest.raises(ModelError, match=message), error_prefix("hawk"), error_prefix("hawk"):
        raise ModelError("no such step")


def test_error_prefix_leaves_errors_that_name_the_game_themselves() -> None:
    with pytest.raises(DataError, match=r"^no such file$"), error_prefix("hawk"):
        raise DataError("no such file")


def test_churnlib_error_is_the_base_of_all_errors() -> None:
    from churnlib import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert DataError in kinds
    assert all(
        issubclass(kind, ChurnlibError) for kind in kinds if kind.__module__ == errors.__name__
    )
