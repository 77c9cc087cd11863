import pytest

from churnlib.settings.databases import DATABASES, check_database, is_database, shown_database


@pytest.mark.parametrize("uri", DATABASES.values())
def test_examples_are_databases_without_credentials(uri: str) -> None:
    assert is_database(uri)
    assert check_database(uri) == shown_database(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:secret@host/game",
        "postgresql://me@host/game",
        "postgresql://:secret@host/game",
        "postgresql://host/game?password=secret",
        "postgresql://host/game?sslmode=require&PASSWORD=secret",
        "postgresql:///game?user=secret",
        "postgresql://me:s/ecret@host/game",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(
        ValueError, match=r"must not contain a user or password.*PGPASSWORD"
    ) as info:
        check_database(uri)
    assert "secret" not in str(info.value)
    assert "ecret" not in str(info.value)


@pytest.mark.parametrize(
    "uri", ["postgresql://", "postgresql://host:5432/", "sqlite://", "sqlite:///", "duckdb://x.db"]
)
def test_uri_without_a_database_is_refused_with_an_example(uri: str) -> None:
    with pytest.raises(ValueError, match=r"names no database\. An example: "):
        check_database(uri)


def test_service_needs_no_name_of_a_database() -> None:
    assert check_database("postgresql:///?service=game") == "postgresql:///?service=game"


@pytest.mark.parametrize("place", ["s3://bucket/data", "data/raw.db", "mysql://host/x"])
def test_other_places_are_no_databases(place: str) -> None:
    assert not is_database(place)
    with pytest.raises(ValueError, match="is no database"):
        check_database(place)
