"""The survival section of a training report, in all formats."""

from dataclasses import replace

from churnlib.report.content import Report
from churnlib.report.gallery import pictures
from churnlib.report.html import to_html
from churnlib.report.markdown import to_markdown
from churnlib.report.sections import sections
from churnlib.report.survival import MIN_AT_RISK, churned_by, shown_months
from churnlib.report.text import to_text
from tests.churnlib.report.samples import in_training, make_report, make_scored, make_survival

SURVIVAL = make_survival()
REPORT = in_training(make_scored())
FINDING = "27% churn within 6 months, 40% within 12 months."


def test_section_states_churn_within_the_horizon_and_in_all() -> None:
    """168 of 694 do within 6 months; the estimate is higher, for some have not run as long."""
    months = shown_months(SURVIVAL)
    assert churned_by(months, 6) == FINDING
    assert churned_by(months[:6], 6) == "27% churn within 6 months."
    assert churned_by(months, 24) == "40% churn within 12 months."
    for written in (to_text(REPORT), to_html(REPORT, make_scored()), to_markdown(REPORT)):
        assert FINDING in " ".join(written.split())


def test_tables_hold_every_month_and_term() -> None:
    (section,) = (section for section in sections(REPORT) if section.key == "survival")
    by_term, by_tenure = section.tables
    assert [row[0].value for row in by_term.rows] == [6, 12]
    assert [row[0].value for row in by_tenure.rows] == [*range(1, 13)]
    third = SURVIVAL["months"][2]
    assert [cell.value for cell in by_tenure.rows[2]] == [
        third[name]
        for name in (
            "tenure_months", "at_risk", "churned", "ended",
            "churn_rate", "not_churned", "not_ended", "churned_so_far",
        )
    ]  # fmt: skip
    assert by_tenure.rows[2][4].interval == third["intervals"]["churn_rate"]


def test_months_with_few_subscriptions_are_left_out() -> None:
    few = {**SURVIVAL["months"][-1], "at_risk": MIN_AT_RISK - 1}
    assert len(shown_months({"months": [*SURVIVAL["months"], few]})) == 12
    empty = replace(REPORT, survival={"subscriptions": 3, "months": [few], "terms": []})
    assert "Not available, because no month has 20 subscriptions." in to_text(empty)
    assert pictures(empty, None)["survival"] == ()


def test_only_reports_with_survival_have_the_section() -> None:
    back_test = make_report(make_scored())
    assert "survival" not in {section.key for section in sections(back_test)}
    assert back_test.to_json()["survival"] is None
    assert Report.from_json(REPORT.to_json()).survival == SURVIVAL
    earlier = {name: value for name, value in REPORT.to_json().items() if name != "survival"}
    assert Report.from_json(earlier).survival is None


def test_pictures_name_the_worst_month_and_draw_the_horizon() -> None:
    curve, rate = pictures(REPORT, None)["survival"]
    assert curve.finding == FINDING
    worst = max(SURVIVAL["months"], key=lambda month: month["churn_rate"])
    assert f"Churn is highest in month {worst['tenure_months']}: " in rate.finding
    assert "not churned" in curve.svg
    assert "not ended" in curve.svg
