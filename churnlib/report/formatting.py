"""How numbers and facts are written in reports."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from churnlib.schemas.columns import TENURE
from churnlib.settings.row_words import WORDS

Interval = Sequence[float]
Form = Callable[[float], str]
"""Formats a value."""

MINUS = "\N{MINUS SIGN}"


def number(value: float) -> str:
    """Writes a number of about 1, such as a ROC AUC.

    >>> number(0.76649)
    '0.766'
    """
    return minus(f"{value:.3f}")


def signed(value: float) -> str:
    """Writes a difference of such numbers, with its sign.

    >>> signed(0.0121), signed(0)
    ('+0.012', '0.000')
    """
    written = f"{value:+.3f}"
    return written[1:] if float(written) == 0 else minus(written)


def times(value: float) -> str:
    """Writes a ratio.

    >>> times(3.062)
    '3.1'
    """
    return f"{value:.1f}"


def share(value: float) -> str:
    """Writes a share in percent, with a decimal where that matters.

    >>> share(0.184), share(0.0721), share(0.00042), share(1), share(0)
    ('18%', '7.2%', '0.04%', '100%', '0%')
    """
    percent = 100 * value
    decimals = 0 if percent >= 9.95 or percent == 0 else 1 if percent >= 0.095 else 2
    return f"{percent:.{decimals}f}%"


def exact_share(value: float) -> str:
    """Writes a share in percent for a column of numbers.

    >>> exact_share(0.184)
    '18.4%'
    """
    return f"{value:.1%}"


def money(value: float) -> str:
    """Writes an amount of money.

    >>> money(12_345.6), money(8.5)
    ('12,346', '8.50')
    """
    return minus(f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}")


def ratio(value: float) -> str:
    """Writes a ratio for a column of numbers.

    >>> ratio(3.062)
    '3.06'
    """
    return f"{value:.2f}"


FORMATS: Mapping[str, Form] = {"percent": exact_share, "decimals": number, "ratio": ratio}
"""Formats of the values of a metric, by `churnlib.metrics.definitions.Metric.format`."""


def gain_or_loss(
    value: float, gain: str = "a gain of", loss: str = "a loss of", form: Form = money
) -> str:
    """Writes a profit in words instead of with a sign.

    >>> gain_or_loss(120.4), gain_or_loss(-11), gain_or_loss(0, "gains", "loses")
    ('a gain of 120', 'a loss of 11.00', 'gains nothing')
    """
    written = form(abs(value))
    if float(written.replace(",", "")) == 0:
        return "nothing" if gain == "a gain of" else f"{gain} nothing"
    return f"{loss if value < 0 else gain} {written}"


def gain_between(interval: Interval | None, form: Form = money) -> str:
    """Writes the interval of a gain, or of a loss if all of it is negative; empty without one.

    >>> gain_between((100, 300)), gain_between((-300, -100)), gain_between((-195, 615))
    ('100 to 300', '100 to 300', 'a loss of 195 to a gain of 615')
    """
    if interval is None:
        return ""
    low, high = interval
    if low >= 0 or high <= 0:
        return " to ".join(form(end) for end in sorted((abs(low), abs(high))))
    return f"{gain_or_loss(low, form=form)} to {gain_or_loss(high, form=form)}"


def points(value: float) -> str:
    """Writes a difference of shares in percentage points.

    >>> points(0.0604)
    '+6.0'
    """
    return minus(f"{100 * value:+.1f}")


def count(value: int) -> str:
    """Writes a count.

    >>> count(12_345)
    '12,345'
    """
    return f"{value:,}"


def counted(value: int, thing: str) -> str:
    """Writes a count with what it counts.

    >>> counted(1, "row"), counted(1_200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count(value)} {thing}{'' if value == 1 else 's'}"


def counted_rows(value: int, columns: Container[str]) -> str:
    """Writes a count of rows of a cohort, by its columns.

    >>> counted_rows(12, ["sub_id"]), counted_rows(12, ["sub_id", "tenure_months"])
    ('12 subscriptions', '12 subscription-months')
    """
    return counted(value, WORDS["monthly" if TENURE in columns else "start"].row)


def between(interval: Interval | None, form: Form = number) -> str:
    """Writes an interval; empty without one.

    >>> between((0.7031, 0.8199)), between(None)
    ('0.703 to 0.820', '')
    """
    return "" if interval is None else f"{form(interval[0])} to {form(interval[1])}"


def with_interval(value: float, interval: Interval | None, form: Form = number) -> str:
    """Writes a value with its interval.

    >>> with_interval(0.766, (0.7031, 0.8199))
    '0.766 (0.703 to 0.820)'
    """
    return form(value) + (f" ({between(interval, form)})" if interval else "")


def plain(value: Any) -> str:
    """Writes a fact without the syntax of a programming language.

    >>> plain({"race": 3, "class": [1, 2]})
    'race: 3, class: 1, 2'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value)


def capital(text: str) -> str:
    """Capitalises the first letter and leaves the others unchanged."""
    return text[:1].upper() + text[1:]


def uncapital(text: str) -> str:
    """Lowercases the first letter and leaves the others unchanged."""
    return text[:1].lower() + text[1:]


def minus(written: str) -> str:
    """Replaces hyphens by minus signs, which are as wide as plus signs."""
    return written.replace("-", MINUS)
