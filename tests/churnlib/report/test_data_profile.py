"""The profile of raw data as text and as a page: the same content."""

import re
from dataclasses import replace
from datetime import date

import pytest

from churnlib.profile import GameProfile
from churnlib.profile.churn import ChurnProfile, Outcomes, Survival, WindowFit
from churnlib.profile.columns import ColumnProfile
from churnlib.profile.game import TableProfile
from churnlib.report.data_profile import profile_html, profile_text
from churnlib.report.text import WIDTH
from churnlib.settings.outcome import OutcomeSettings

JUNE = date(2024, 6, 1)
PROFILE = GameProfile(
    game="hawk",
    day=date(2025, 1, 1),
    is_stated=False,
    horizon_months=6,
    outcome=OutcomeSettings(),
    tables=(
        TableProfile(
            "players",
            "entity",
            "A row per character.",
            file="players.csv",
            rows=4000,
            bad_rows=7,
            columns=(
                ColumnProfile("country", "category", 0.25, 3, True, most=(("DE <b>", 0.5),)),
                ColumnProfile("level", "number", 0.0, 60, False, 1.0, 1234567.0, 3.25),
            ),
            months={date(2024, 5, 1): 1500, JUNE: 2500},
            odd={"level below 0": 12},
        ),
        TableProfile("wallet", "history", "A row per character and month."),
    ),
    churn=ChurnProfile(
        total=Outcomes(1000, 900, 800, 200),
        by_month={JUNE: Outcomes(1000, 900, 800, 200)},
        by_age=(Survival(5, 810, 150),),
        windows=(
            WindowFit("train", JUNE, JUNE, Outcomes(10, 10, 10, 0), "no model can be fitted"),
        ),
    ),
    refusals=("hawk: players.csv: 7 rows break a rule:\n  level must be a number",),
    warnings=("hawk: wallet may have a gap",),
)


def words(html: str) -> str:
    """The text of a page, without its tags."""
    body = html.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_text_and_page_tell_what_was_found() -> None:
    text, page = profile_text(PROFILE), words(profile_html(PROFILE))
    for told in (
        "Raw data of hawk",
        "A run would be refused for 1 reason.",
        "hawk: wallet may have a gap",
        "level below 0",
        "1,234,567",
        "about 60",
        "25%",
        "2024-05 to 2024-06",
        "no model can be fitted",
        "not read",
        "18.5%",
    ):
        assert told in text, told
        assert told in page, told
    assert "REFUSED: hawk: players.csv: 7 rows break a rule:\n  level must be a number" in text
    assert "7 rows break a rule: level must be a number" in page
    lead = " ".join(text.split())
    assert "900 subscriptions can churn" in lead
    assert "100 others cannot churn" in lead


def test_text_fits_a_terminal_but_for_its_faults() -> None:
    told = ("REFUSED", "WARNING")
    lines = [line for line in profile_text(PROFILE).splitlines() if not line.startswith(told)]
    assert max(map(len, lines)) <= WIDTH


def test_page_escapes_values_and_refers_to_no_other_file() -> None:
    html = profile_html(PROFILE)
    assert "DE &lt;b&gt;" in html
    assert "src=" not in html
    assert 'href="#players"' in html


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"refusals": ()}, "No run would be refused because of these data."),
        ({"day": None, "churn": None}, "The day of a run is not known."),
        ({"is_stated": True}, "A run would be as of 2025-01-01, as the settings state."),
    ],
)
def test_verdict_and_day_are_told(changes: dict[str, object], told: str) -> None:
    profile = replace(PROFILE, **changes)  # type: ignore[arg-type]
    assert told in profile_text(profile)
    assert told in words(profile_html(profile))
