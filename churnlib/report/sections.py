"""The sections of a report, which text, page and Markdown render alike."""

from collections.abc import Iterator
from dataclasses import dataclass

from churnlib.metrics.definitions import METRICS
from churnlib.report import campaign, survival, tables
from churnlib.report.content import Plain, Report
from churnlib.report.formatting import plain, signed, with_interval
from churnlib.report.tables import Cell, Table
from churnlib.report.verdicts import against_chance, cohort_of
from churnlib.settings import Grain, RowWords

IN_SAMPLE = "In sample: on the rows that the model was trained on, so these metrics are optimistic"


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        key: Its name, for links and for finding its pictures.
        title: Its heading.
        lead: What it shows in a sentence or two, or why it is empty.
        tables: Its tables.
    """

    key: str
    title: str
    lead: str
    tables: tuple[Table, ...] = ()


def sections(report: Report) -> tuple[Section, ...]:
    """Lists the sections of a report."""
    return tuple(_sections(report))


def _sections(report: Report) -> Iterator[Section]:
    general = report.judged["general"]
    yield _metrics(report)
    ranking = "Churners found by going down the list from the riskiest subscription."
    if general["roc_auc"] is None:
        yield Section("ranking", "Ranking quality", f"Not available, because {general['reason']}.")
    else:
        yield Section("ranking", "Ranking quality", ranking, (tables.deciles(general),))
    if general["risk_groups"]:
        lead = f"Of {report.words.row}s predicted to churn at 30%, three in ten should churn."
        yield Section("calibration", "Calibration", lead, (tables.risk_groups(general),))
    if report.campaign:
        yield _campaign(report.campaign, report.words)
    yield _importance(report)
    chance = "A calibration error whose interval includes 0 may be due to chance."
    if report.segments:
        about = "New and returning characters, the columns in evaluation.segments, and the term."
        if report.grain == "monthly":
            about = (
                "New and returning characters, months since the start, months left, missed months, "
                "the columns in evaluation.segments, and the term."
            )
        shown = tuple(tables.parts(name, segments) for name, segments in report.segments.items())
        yield Section("segments", "Performance by segment", f"{about} {chance}", shown)
    if report.cohorts:
        shown = (tables.parts(report.words.month, report.cohorts),)
        lead = f"{report.words.by_month} {chance}"
        yield Section("months", "Performance over time", lead, shown)
    if report.survival:
        yield _survival(report.survival, report.horizon_months)
    new = against_chance(report.judged["new_characters"])
    yield Section("new", "New characters", f"First subscriptions only. {new.head} {new.reason}")
    yield Section("data", "Data", "", (tables.counts(report), tables.data_warnings(report)))
    yield _run(report)


def _metrics(report: Report) -> Section:
    lead, names = "With 95% confidence intervals.", report.group_names
    shown = [tables.metrics(report.judged, names), tables.baselines(report.judged["general"])]
    if report.validation:
        lead = (
            "On the validation months, by a model that was not fitted on them. With 95% confidence "
            "intervals."
        )
        shown.append(tables.metrics(report.groups, names, IN_SAMPLE, is_detail=True))
    meaning = report.words.meaning.format(horizon=report.horizon_months)
    return Section("metrics", "Metrics", f"{lead} {meaning}".rstrip(), tuple(filter(None, shown)))


def _campaign(content: Plain, words: RowWords) -> Section:
    if content["reason"]:
        return Section("campaign", "Campaign", f"Not available, because {content['reason']}.")
    lead = f"{campaign.terms(content)} {campaign.RISK_IS_NOT_PERSUADABILITY}"
    if words.meaning:
        lead += " Each month is a campaign of its own: a subscription in several counts in each."
    shown = (
        campaign.expected_gain(content, words.row),
        campaign.campaign_facts(content, words.row),
    )
    return Section("campaign", "Campaign", lead, shown)


def _importance(report: Report) -> Section:
    if report.why_no_importance:
        lead = f"Not measured, because {report.why_no_importance}."
        return Section("features", "Feature importance", lead)
    rows = f"{report.words.row}s"
    lead = (
        f"The loss in ROC AUC when the values of a feature are shuffled among the {rows}. "
        "Its interval allows for other characters and other shuffles."
    )
    table = tables.importance(report.importance)
    return Section("features", "Feature importance", lead, (table,))


def _survival(content: Plain, horizon_months: int) -> Section:
    shown = (survival.by_term(content), survival.by_tenure(content))
    return Section("survival", "Survival by tenure", survival.lead(content, horizon_months), shown)


def _run(report: Report) -> Section:
    shown = [Table("About the run", (), tuple(_facts(report)))]
    if report.changes is not None:
        shown.append(tables.changes(report.changes))
    if report.inputs:
        shown.append(tables.inputs(report.inputs))
    return Section("run", "Model and run", "", tuple(shown))


def _facts(report: Report) -> Iterator[tuple[Cell, Cell]]:
    facts = {"game": report.game, "model": report.model_version, "as of": report.as_of}
    for name, value in (facts | dict(report.facts)).items():
        yield Cell(name), Cell(plain(value))
    if report.comparison and report.comparison["difference"] is not None:
        yield Cell("gate"), Cell(_gate(report.comparison, report.grain))
        if report.comparison.get("anchor_difference") is not None:
            yield Cell("best champion of the last 12 months"), Cell(_anchor(report.comparison))
    if report.libraries:
        libraries = {name: report.libraries[name] for name in sorted(report.libraries)}
        yield Cell("trained with"), Cell(plain(libraries))


def _anchor(comparison: Plain) -> str:
    """The difference to the best champion of the last 12 months."""
    name, interval = METRICS[comparison["metric"]].name, comparison["anchor_interval"]
    difference = with_interval(comparison["anchor_difference"], interval, signed)
    return f"{comparison['anchor']}; difference in {name} {difference}"


def _gate(comparison: Plain, grain: Grain) -> str:
    """The values that the gate compared."""
    name = METRICS[comparison["metric"]].name
    four = "{:.4f}".format
    difference = with_interval(comparison["difference"], comparison["interval"], signed)
    subs = cohort_of(comparison, grain)
    if grain == "monthly":
        subs = f"subscriptions ({subs})"
    return (
        f"{name} of {comparison['n']:,} {subs}, "
        f"{comparison['positives']:,} churned: candidate {comparison['candidate']} "
        f"{four(comparison['candidate_value'])}, champion {comparison['champion']} "
        f"{four(comparison['champion_value'])}; difference {difference}; a loss of "
        f"{four(comparison['max_loss'])} is allowed (champion.max_loss)"
    )
