"""The windows of a proposal as settings, with what was tried, and in words."""

from collections.abc import Iterator, Sequence

from churnlib.months import last_day, shift_months
from churnlib.proposal.toml import Line, comments, section
from churnlib.proposal.windows import Fitting, Tried
from churnlib.settings import Settings


def horizon(fitting: Fitting, base: Settings) -> list[Line]:
    """The horizon, if it is not that of all games."""
    chosen = proposed(fitting)
    if chosen is None or chosen.horizon_months == base.horizon_months:
        return []
    return [Line("horizon_months", chosen.horizon_months, "see [windows]")]


def proposed(fitting: Fitting) -> Tried | None:
    """The windows to propose: even if nobody is known to have churned, those that have rows."""
    return fitting.chosen or next((t for t in fitting.tried if sum(t.stayed) > 0), None)


def windows(fitting: Fitting, base: Settings) -> list[str]:
    """The lines of the windows that are not those of all games, with what was tried."""
    chosen, enough = proposed(fitting), base.champion.min_outcomes
    lines = []
    if chosen is not None:
        for name, window in chosen.settings.items():
            usual = getattr(base.windows, name)
            if (usual.start, usual.end) != (window["start"], window["end"]):
                lines.append(Line(name, window))
    is_usual = not lines and chosen is not None and chosen.rarer >= enough
    if is_usual:
        return []
    return ["", *_tried(fitting, chosen, enough), *section("windows", lines, blank=False)]


def _tried(fitting: Fitting, chosen: Tried | None, enough: int) -> Iterator[str]:
    """Comments on what was tried."""
    if fitting.as_of is None:
        yield from comments(
            "The windows are those of base.toml: without subscriptions that have a start and a "
            "term, others cannot be chosen."
        )
        return
    if chosen is None:
        yield from comments(
            f"The windows are those of base.toml. {fitting.subscriptions:,} subscriptions until "
            f"{fitting.as_of} are too short a time for any horizon."
        )
        return
    if chosen.rarer < enough:
        yield from comments(
            f"A comparison of models needs {enough} subscriptions that churned, and as many that "
            "did not. No windows have as many; these have the most."
        )
    yield from comments(f"As of {fitting.as_of}, the day of a run that names none:")
    yield "# horizon  training window      churned of    scoring window       churned of"
    for tried in _shown(fitting, chosen):
        mark = "  <- these" if tried is chosen else ""
        train, score = (_span(fitting, each) for each in (tried.train, tried.score))
        counts = [f"{c:>7,} {c + s:>6,}" for c, s in zip(tried.churned, tried.stayed, strict=True)]
        yield f"# {tried.horizon_months:>7}  {train}  {counts[0]}  {score}  {counts[1]}{mark}"


def _shown(fitting: Fitting, chosen: Tried) -> Sequence[Tried]:
    """The chosen windows, and the best of the other horizons with scoring windows as long."""
    length = chosen.score[0] - chosen.score[1]
    best: dict[int, Tried] = {}
    for tried in fitting.tried:
        if tried.score[0] - tried.score[1] == length:
            best.setdefault(tried.horizon_months, tried)
    best[chosen.horizon_months] = chosen
    near = sorted(best, key=lambda h: abs(h - chosen.horizon_months))[:5]
    return [best[horizon] for horizon in sorted(near)]


def _span(fitting: Fitting, months: tuple[int, int]) -> str:
    assert fitting.as_of is not None
    first, last = (shift_months(fitting.as_of.replace(day=1), -each) for each in months)
    return f"{first:%Y-%m} to {last_day(last):%Y-%m}"


def in_words(fitting: Fitting) -> str:
    """The proposed windows, and how many subscriptions churned in them; empty without any."""
    if (chosen := proposed(fitting)) is None or fitting.as_of is None:
        return ""
    parts = [
        f"{c:,} of {c + s:,} churned in the {which} window, {_span(fitting, months)}"
        for which, months, c, s in zip(
            ("training", "scoring"),
            (chosen.train, chosen.score),
            chosen.churned,
            chosen.stayed,
            strict=True,
        )
    ]
    return f"as of {fitting.as_of}, within {chosen.horizon_months} months: {'; '.join(parts)}"
