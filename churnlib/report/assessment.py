"""What a whole report comes to: how good the model is against what, and what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from churnlib.report.content import Report
from churnlib.report.formatting import (
    between,
    capital,
    count,
    gain_between,
    gain_or_loss,
    number,
    share,
    signed,
    uncapital,
    with_interval,
)
from churnlib.report.names import FIGURES
from churnlib.report.verdict import Verdict, cohort_of, verdict

Figures = Mapping[str, Any]

LOGISTIC_REGRESSION = "logistic_regression"
SMALL_ERROR, SMALL_PART = 0.05, 0.25
"""Probabilities whose expected calibration error is surely smaller can be taken at their word: than
the first, and than this part of the rarer outcome's rate."""
FEWEST = 30
"""Where fewer churned, or fewer stayed, most groups by risk have none, and draws do not tell what
that may be: the interval of their error would be too narrow to call probabilities off by it."""
OPEN, OFF = "Open whether probabilities hold.", "Probabilities are off."
PLAIN_IS_BETTER = Verdict(
    "worse",
    "Find out why a logistic regression ranks better before you act on it.",
    "The plain model learnt from the same rows. Change train.pipeline and train again, or make the "
    "logistic regression the model.",
)
"""What to do by a model that a plain one beats beyond doubt."""


@dataclass(frozen=True)
class Answer:
    """A question that readers have, and the answer.

    Attributes:
        key: Against `chance`, the `plain` model, the `champion`, or as `probabilities`.
        question: The question.
        verdict: The answer.
    """

    key: Literal["chance", "plain", "champion", "probabilities"]
    question: str
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """What a report comes to.

    Attributes:
        head: How good the model is, in a sentence.
        advice: What to do.
        answers: What that rests on, the most important first.
    """

    head: str
    advice: Verdict
    answers: tuple[Answer, ...]


def judge(report: Report) -> Judgement:
    """Judges a model by the rows that it was not fitted on: of a training the validation slice."""
    answers = tuple(_answers(report))
    return Judgement(_head(answers, report.judged["general"]["n"]), _advice(report), answers)


def against_baseline(scores: Figures) -> Verdict | None:
    """Judges a model against a logistic regression, by the ROC AUC on the same rows.

    Args:
        scores: The figures of a group, as `churnlib.metrics.evaluate.Scores` gives them.

    Returns:
        Null where there is no such baseline, or nothing can be ranked.
    """
    baseline = scores["baselines"].get(LOGISTIC_REGRESSION)
    apart = baseline and baseline["differences"].get("roc_auc")
    if not apart or apart["interval"] is None:
        return None
    low, high = apart["interval"]
    told = f"ROC AUC differs by {with_interval(apart['difference'], (low, high), signed)}"
    if low > 0:
        return Verdict("better", "Better than a logistic regression.", f"{told}.")
    if high < 0:
        reason = f"{told}: the plain model would serve better."
        return Verdict("worse", "Worse than a logistic regression.", reason)
    return Verdict("unsure", "Not told apart from a logistic regression.", f"{told}.")


def against_champion(comparison: Figures, *, earlier: bool = False) -> Verdict:
    """Says what the gate has decided of a candidate, in brief.

    Args:
        comparison: A `churnlib.versions.gate.Comparison` as plain data.
        earlier: Whether it was of other subscriptions than the reader has before him.
    """
    decision, champion = comparison["decision"], comparison["champion"]
    reason = f"{capital(comparison['reason'])}."
    if comparison["difference"] is not None:
        apart = with_interval(comparison["difference"], comparison["interval"], signed)
        name = capital(FIGURES[comparison["metric"]])
        differs = "differed" if earlier else "differs"
        reason = f"{name} {differs} by {apart} from that of {champion}. {reason}"
    if earlier:
        reason = f"Judged on {cohort_of(comparison)}, not on these. {reason}"
    if decision == "refused":
        return Verdict("worse", "Refused: the champion stays.", reason)
    if decision == "undecided":
        return Verdict("unsure", "Not decided: the champion stays.", reason)
    head = "Champion now." if comparison["promote"] else "May be champion."
    return Verdict("better", head, reason)


def as_probabilities(scores: Figures) -> Verdict | None:
    """Judges whether probabilities can be taken at their word, each and on the whole.

    They hold where the expected calibration error is surely small (`small_error`). It is at least
    the distance of the mean prediction from the churn rate, so that is small then, too. Else they
    are off where the error is surely more than chance makes of calibrated probabilities, or where
    the mean prediction lies outside the interval of the churn rate.

    Where all churned, or none, draws of the characters tell nothing of the error, and where fewer
    than `FEWEST` did, too little to call them off: then the mean prediction alone does.

    Args:
        scores: See `against_baseline`.
    """
    error, interval = (
        scores["expected_calibration_error"],
        scores["intervals"].get("expected_calibration_error"),
    )
    around = scores["intervals"].get("base_rate")
    if error is None or interval is None or around is None:
        return None
    said, came = scores["mean_predicted"], scores["base_rate"]
    is_off_on_the_whole = not around[0] <= said <= around[1]
    told = f"{capital(share(said))} were predicted to churn"
    if came in (0, 1):
        reason = f"{told}, {'all' if came else 'none'} of {count(scores['n'])} did."
        if is_off_on_the_whole:
            return Verdict("worse", OFF, reason)
        return Verdict("unsure", OPEN, f"{reason} That may be chance.")
    small = small_error(came)
    reason = (
        f"{told}, {share(came)} ({between(around, share)}) did. "
        f"Calibration error {number(error)} ({between(interval)}); below {number(small)} is small."
    )
    if interval[1] < small:
        return Verdict("better", "Probabilities hold.", reason)
    rarer = min(scores["positives"], scores["n"] - scores["positives"])
    if is_off_on_the_whole or (interval[0] > 0 and rarer >= FEWEST):
        return Verdict("worse", OFF, reason)
    return Verdict("unsure", OPEN, reason)


def small_error(churn_rate: float) -> float:
    """The expected calibration error that does no harm where so many churn.

    >>> small_error(0.4), small_error(0.02), small_error(0.98)
    (0.05, 0.005, 0.005)
    """
    return round(min(SMALL_ERROR, SMALL_PART * min(churn_rate, 1 - churn_rate)), 6)


def campaign_advice(campaign: Figures) -> Verdict:
    """Says whom to contact, and what that brings.

    Args:
        campaign: See `churnlib.metrics.campaign.Campaign`.
    """
    if campaign["reason"]:
        return Verdict("undefined", "Whom to contact is open.", f"{capital(campaign['reason'])}.")
    at, threshold = campaign["at_threshold"], campaign["threshold"]
    everybody = gain_or_loss(campaign["everybody"]["expected_gain"], "gain", "lose")
    others = f"contacting everybody would {everybody}"
    if not at["contacted"]:
        nobody = f"Nobody reaches the threshold of {number(threshold or 0)}"
        if threshold is None:
            nobody = "By the model's threshold no contact pays at these costs"
        return Verdict("unsure", "Contact nobody.", f"{nobody}; {others}.")
    gain, interval = at["expected_gain"], at["expected_gain_ci"]
    whom = f"the riskiest {share(at['share'])}"
    expected = gain_or_loss(gain, "Expected gain", "Expected loss")
    sure = f" ({gain_between(interval)})" if interval else ""
    if campaign["best"]["threshold"] is None:
        others += "; best on these rows is to contact nobody"
    reason = f"{expected}{sure}, in the game's own money; {others}."
    if interval and interval[1] < 0:
        return Verdict("worse", f"Contacting {whom} does not pay.", reason)
    if interval is None or interval[0] <= 0:
        return Verdict("unsure", f"Contacting {whom} may not pay.", reason)
    return Verdict("better", f"Contact {whom}.", reason)


def _answers(report: Report) -> Iterator[Answer]:
    scores = report.judged["general"]
    yield Answer("chance", "Against chance", verdict(scores))
    if found := against_baseline(scores):
        yield Answer("plain", "Against a plain model", found)
    if report.comparison:
        earlier = report.comparison_is_earlier
        question = "When it became champion" if earlier else "Against the champion"
        yield Answer("champion", question, against_champion(report.comparison, earlier=earlier))
    if found := as_probabilities(scores):
        yield Answer("probabilities", "As probabilities", found)


def _head(answers: tuple[Answer, ...], scored: int) -> str:
    """Puts the answers on how well the model ranks so many into one sentence."""
    found = {answer.key: answer.verdict for answer in answers}
    chance, plain = found["chance"], found.get("plain")
    if chance.kind == "undefined":
        return "Whether it ranks well cannot be judged." if scored else "Nothing can be judged yet."
    if chance.kind != "better":
        return capital(chance.head.rstrip(".:")) + "."
    if plain is None:
        return "Better than chance."
    joined = {
        "better": "Better than chance, and than a logistic regression.",
        "worse": "Better than chance, but worse than a logistic regression.",
    }
    unsure = "Better than chance, but not told apart from a logistic regression."
    return joined.get(plain.kind, unsure)


def _advice(report: Report) -> Verdict:
    scores = report.judged["general"]
    ranking = verdict(scores)
    if ranking.kind == "worse":
        return Verdict("worse", "Contact nobody by this model.", "It ranks worse than chance.")
    if report.comparison and (found := _not_in_use(report.comparison)):
        return found
    if ranking.kind == "undefined":
        return Verdict("undefined", "What to do is open.", capital(ranking.reason))
    if ranking.kind == "unsure":
        reason = "What it ranks cannot be told from chance: wait for more outcomes."
        return Verdict("unsure", "Do not act on this model yet.", reason)
    plain = against_baseline(scores)
    if plain and plain.kind == "worse":
        return PLAIN_IS_BETTER
    if report.campaign is None:
        return Verdict("undefined", "Whom to contact is open.", "There is no campaign.")
    advice = campaign_advice(report.campaign)
    if advice.kind == "undefined":
        return advice
    if not (report.in_use or report.comparison):
        advice = replace(advice, head=f"If it is used: {uncapital(advice.head)}")
    if not report.validation:
        return advice
    flatters = "The threshold was chosen on these very rows, which flatters a little."
    return replace(advice, reason=f"{advice.reason} {flatters}")


def _not_in_use(comparison: Figures) -> Verdict | None:
    """What to do where the gate has not made the model champion; null where it has."""
    if comparison["decision"] == "refused":
        reason = "The gate has refused this one, so no campaign is to go by it."
        return Verdict("worse", "Keep the champion.", reason)
    if comparison["decision"] == "undecided":
        reason = "The gate has not decided on this one, so no campaign is to go by it yet."
        return Verdict("unsure", "Keep the champion for now.", reason)
    if not comparison["promote"]:
        reason = "It may be champion, but champion.promote is false, so it is not in use."
        return Verdict("unsure", "Promote it by hand before you act on it.", reason)
    return None
