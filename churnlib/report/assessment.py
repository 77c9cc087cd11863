"""The assessment that a report begins with: how good the model is, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from churnlib.report.content import Plain, Report
from churnlib.report.formatting import (
    capital,
    count,
    gain_between,
    gain_or_loss,
    number,
    share,
    uncapital,
)
from churnlib.report.verdicts import (
    Verdict,
    against_baseline,
    against_champion,
    against_chance,
    calibration,
)

BASELINE_IS_BETTER = Verdict(
    "worse",
    "Find out why a logistic regression ranks better before you use this model.",
    "It was trained on the same rows. Change train.pipeline and train again, or make the logistic "
    "regression the model.",
)
"""The advice if a model ranks significantly worse than the baseline."""


@dataclass(frozen=True)
class Answer:
    """A question of readers, as a heading, and the answer."""

    key: Literal["chance", "baseline", "champion", "calibration"]
    question: str
    verdict: Verdict


@dataclass(frozen=True)
class Assessment:
    """The assessment of a model.

    Attributes:
        head: How good the model is, in a sentence.
        advice: What to do.
        answers: The verdicts behind it, the most important first.
    """

    head: str
    advice: Verdict
    answers: tuple[Answer, ...]


def assess(report: Report) -> Assessment:
    """Assesses a model on rows that it was not fitted on: in training, the validation months."""
    answers = tuple(_answers(report))
    is_better = answers[0].verdict.kind == "better"
    again = report.is_incomplete and not is_better
    advice = _predict_again(report) if again else _advice(report)
    return Assessment(_head(answers, report.judged["general"]["n"]), advice, answers)


def campaign_advice(campaign: Plain) -> Verdict:
    """The advice on whom to contact, with the expected gain.

    Args:
        campaign: See `churnlib.metrics.campaign.Campaign`.
    """
    if campaign["reason"]:
        reason = f"{capital(campaign['reason'])}."
        return Verdict("undefined", "No recommendation on whom to contact.", reason)
    chosen, threshold = campaign["at_threshold"], campaign["threshold"]
    everyone = gain_or_loss(campaign["everybody"]["expected_gain"], "gain", "lose")
    others = f"contacting everyone would {everyone}"
    if not chosen["contacted"]:
        nobody = f"No subscription reaches the threshold of {number(threshold or 0)}"
        if threshold is None:
            nobody = "At these costs the model's threshold is to contact nobody"
        return Verdict("unsure", "Contact nobody.", f"{nobody}; {others}.")
    gain, interval = chosen["expected_gain"], chosen["expected_gain_ci"]
    whom = f"the riskiest {share(chosen['share'])}"
    expected = gain_or_loss(gain, "Expected gain", "Expected loss")
    certainty = f" ({gain_between(interval)})" if interval else ""
    if campaign["best"]["threshold"] is None:
        others += "; on these subscriptions contacting nobody would have been best"
    reason = f"{expected}{certainty}, in the game's own money; {others}."
    if interval and interval[1] < 0:
        return Verdict("worse", f"Contacting {whom} does not pay off.", reason)
    if interval is None or interval[0] <= 0:
        return Verdict("unsure", f"Contacting {whom} may not pay off.", reason)
    return Verdict("better", f"Contact {whom}.", reason)


def _answers(report: Report) -> Iterator[Answer]:
    scores = report.judged["general"]
    yield Answer("chance", "Compared with chance", against_chance(scores))
    if verdict := against_baseline(scores):
        yield Answer("baseline", "Compared with a logistic regression", verdict)
    if report.comparison:
        earlier = report.comparison_is_earlier
        question = "When it became champion" if earlier else "Compared with the champion"
        verdict = against_champion(report.comparison, report.grain, earlier=earlier)
        yield Answer("champion", question, verdict)
    if verdict := calibration(scores):
        yield Answer("calibration", "Calibration", verdict)


def _head(answers: tuple[Answer, ...], scored: int) -> str:
    """The verdicts on the ranking in one sentence."""
    verdicts = {answer.key: answer.verdict for answer in answers}
    chance, baseline = verdicts["chance"], verdicts.get("baseline")
    if chance.kind == "undefined":
        return "The ranking cannot be judged." if scored else "Nothing can be judged yet."
    if chance.kind != "better" or baseline is None:
        return chance.head
    heads = {
        "better": "Better than chance and than a logistic regression.",
        "worse": "Better than chance, but worse than a logistic regression.",
    }
    inconclusive = "Better than chance; no significant difference from a logistic regression."
    return heads.get(baseline.kind, inconclusive)


def _advice(report: Report) -> Verdict:
    if report.is_batch:
        return _advice_after_batch(report)
    scores = report.judged["general"]
    ranking = against_chance(scores)
    if ranking.kind == "worse":
        reason = "It ranks worse than chance."
        return Verdict("worse", "Do not use this model for a campaign.", reason)
    if report.comparison and (advice := _not_in_use(report.comparison)):
        return advice
    if ranking.kind == "undefined":
        return Verdict("undefined", "No recommendation yet.", ranking.reason)
    if ranking.kind == "unsure":
        reason = "Its ranking may be chance: wait for more outcomes."
        return Verdict("unsure", "Do not use this model yet.", reason)
    baseline = against_baseline(scores)
    if baseline and baseline.kind == "worse":
        return BASELINE_IS_BETTER
    if report.no_contact:
        return Verdict("unsure", "Contact nobody yet.", f"{capital(report.no_contact)}.")
    return _whom_to_contact(report)


def _advice_after_batch(report: Report) -> Verdict:
    """The advice on a batch: a single month does not revoke what a back-test has shown."""
    if report.no_contact:
        return Verdict("unsure", "Nobody was contacted.", f"{capital(report.no_contact)}.")
    scores = report.judged["general"]
    ranking, baseline = against_chance(scores), against_baseline(scores)
    for verdict in (ranking, baseline):
        if verdict and verdict.kind == "worse":
            return Verdict(
                "worse", "Back-test this model before the next campaign.", verdict.reason
            )
    if ranking.kind == "undefined":
        return Verdict("undefined", "No recommendation yet.", ranking.reason)
    if ranking.kind == "unsure":
        reason = "Its ranking here may be chance; the back-test decides whether to use the model."
        return Verdict("unsure", "This batch alone shows too little.", reason)
    return _whom_to_contact(report)


def _whom_to_contact(report: Report) -> Verdict:
    if report.campaign is None:
        reason = "The report has no campaign."
        return Verdict("undefined", "No recommendation on whom to contact.", reason)
    advice = campaign_advice(report.campaign)
    if advice.kind == "undefined":
        return advice
    condition = None
    if report.validation:
        condition = "If a back-test confirms this"
    elif not (report.used_by_campaigns or report.comparison):
        condition = "If you use this model"
    if condition:
        advice = replace(advice, head=f"{condition}: {uncapital(advice.head)}")
    if not report.validation or report.campaign.get("rule") == "break_even":
        return advice
    optimistic = "The threshold was chosen on these same rows, so the gain is optimistic."
    return replace(advice, reason=f"{advice.reason} {optimistic}")


def _predict_again(report: Report) -> Verdict:
    """The advice if too few subscriptions of a batch were predicted to judge the model by it."""
    scores, rows = report.groups["general"], f"{report.words.row}s"
    predicted, missed = scores["n"] + scores["immature"], report.not_predicted or 0
    reason = (
        f"{count(predicted)} of the {count(predicted + missed)} {rows} of its window were "
        "predicted, which is too few to judge the model by. A backfill of batch-predict predicts "
        "all of them, with the same model; then score the batch again."
    )
    return Verdict("undefined", "Predict this batch again: it is incomplete.", reason)


def _not_in_use(comparison: Plain) -> Verdict | None:
    """The advice if the gate has not made the model champion; None if it has."""
    if comparison["decision"] == "refused":
        reason = "The gate has refused this model, so do not use it for a campaign."
        return Verdict("worse", "Keep the champion.", reason)
    if comparison["decision"] == "undecided":
        reason = "The gate has not decided on this model, so do not use it for a campaign yet."
        return Verdict("unsure", "Keep the champion for now.", reason)
    if not comparison["promote"]:
        reason = "It may become champion, but champion.promote is false, so it is not in use."
        return Verdict("unsure", "Promote it manually before you use it.", reason)
    return None
