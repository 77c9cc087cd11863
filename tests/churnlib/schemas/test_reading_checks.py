"""Whether a table can be read as its settings say is known before any file is opened."""

from dataclasses import fields
from typing import Any

import pytest

from churnlib.errors import SettingsError
from churnlib.schemas.reading import Reading
from churnlib.schemas.reading_checks import check_reading
from churnlib.settings.tables import TableSettings
from tests.churnlib.raw.declared import reading


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"rename": {"player": "char_id", "day": "minutes", "minutes": "day"}},
        {"fill": {"at": "2020-01-01T12:00", "day": "2020-01-01", "minutes": 0.0, "paid": False}},
        {"fill": {"platform": "unknown"}},
        {"separator": "\t", "decimal": ",", "encoding": "utf-16"},
        {"separator": ";", "encoding": "cp1252", "time_zone": "America/St_Johns"},
        *({"date_format": each} for each in ("%d.%m.%Y", "%Y%m%d", "%d %b %y", "%Y-%jT%H%M")),
        {"date_format": "%m/%d/%Y %I:%M:%S %p"},
        {"date_format": "%d.%m.%Y %T.%f %z"},
    ],
    ids=str,
)
def test_settings_that_can_be_read_are_accepted(how: dict[str, Any]) -> None:
    check_reading(reading(**how))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"rename": {"p": "chr_id"}}, "rename gives 'p' the name 'chr_id', which is no column"),
        ({"rename": {"p": "day", "q": "day"}}, "rename gives two columns the name 'day'."),
        ({"fill": {"dya": "2020-01-01"}}, "fill has 'dya', which is no column of the table. Did"),
        ({"fill": {"char_id": 1.0}}, "fill has 'char_id', which is an id"),
        ({"fill": {"minutes": "0"}}, "fill has minutes = '0', which must be a number."),
        ({"fill": {"minutes": True}}, "fill has minutes = True, which must be a number."),
        ({"fill": {"minutes": float("inf")}}, "fill has minutes = inf, which must be a number."),
        ({"fill": {"paid": 1.0}}, "fill has paid = 1.0, which must be true or false."),
        ({"fill": {"platform": 0.0}}, "fill has platform = 0.0, which must be text."),
        ({"fill": {"day": "01.01.2020"}}, "fill has day = '01.01.2020', which must be a date"),
        ({"fill": {"day": "1850-01-01"}}, "fill has day = '1850-01-01', which must be a date"),
        ({"fill": {"at": "2020-01-01T00:00Z"}}, "which must be a time such as"),
        ({"separator": "é"}, "separator is 'é', and must be a mark"),
        ({"separator": '"'}, "separator is '\"', and must be a mark"),
        ({"separator": "0"}, "separator is '0', and must be a mark"),
        ({"encoding": "utf-17"}, "encoding is 'utf-17', which is not known."),
        ({"encoding": "base64"}, "encoding is 'base64', which is not known."),
        ({"date_format": "%d.%m."}, "date_format is '%d.%m.', which does not give a day"),
        ({"date_format": "%d.%m.%Y %Z"}, "date_format is '%d.%m.%Y %Z', which has %Z. Known: %Y"),
        ({"date_format": "%z %d.%m.%Y"}, "which has %z before its end."),
        ({"date_format": "%d.%m.%Y %f"}, "which has %f without a point before it."),
        ({"time_zone": "Mars/Olympus"}, "time_zone is 'Mars/Olympus', which is not known."),
    ],
    ids=str,
)
def test_settings_that_cannot_be_read_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_reading(reading(**how))
    assert str(caught.value).startswith("tables.logins.")
    assert message in str(caught.value)


def test_a_reading_has_all_settings_of_its_table() -> None:
    assert Reading.of(TableSettings(kind="misses")) == Reading()
    given = {"separator": ";", "decimal": ",", "date_format": "%d.%m.%Y", "time_zone": "UTC"}
    found = Reading.of(TableSettings.model_validate({"kind": "misses", **given}))
    assert {name: getattr(found, name) for name in given} == given
    assert {each.name for each in fields(Reading)} <= {*TableSettings.model_fields}
