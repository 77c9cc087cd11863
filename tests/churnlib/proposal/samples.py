"""Folders of files as a telecom, a music shop and a game studio might export them."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from churnlib.months import shift_months

FIRST, LAST = date(2022, 1, 1), date(2024, 12, 1)
"""The first and the last month of the data."""
MONTHS = 36

Row = Sequence[object]


def german(value: object) -> str:
    """A cell with a decimal comma, or a day such as 31.12.2024."""
    if isinstance(value, datetime):
        return value.strftime("%d.%m.%Y %H:%M")
    if isinstance(value, date):
        return value.strftime("%d.%m.%Y")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".replace(".", ",")
    return "" if value is None else str(value)


def plain(value: object) -> str:
    """A cell with a decimal point, or a day such as 2024-12-31."""
    return "" if value is None else str(value)


def write(
    path: Path,
    names: str,
    rows: Sequence[Row],
    cell: Callable[[object], str] = plain,
    separator: str = ",",
    encoding: str = "utf-8",
) -> None:
    """Writes a CSV file."""
    lines = [separator.join(names.split("|")), *(separator.join(map(cell, row)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding=encoding)


def day(random: Random, first: date = FIRST, days: int = 1000) -> date:
    """A random day."""
    return first + timedelta(random.randrange(days))


def contracts(
    random: Random, number: int
) -> tuple[list[tuple[int, int, date, int]], list[list[object]]]:
    """Contracts of some customers with their start and months, and the missed months of some."""
    made: list[tuple[int, int, date, int]] = []
    missed: list[list[object]] = []
    for place in range(number):
        months = random.randrange(MONTHS - 1)
        start = shift_months(FIRST, months) + timedelta(random.randrange(28))
        term = random.choice((6, 12, 24))
        made.append((50_001 + place, place % (number * 2 // 3), start, term))
        begin = random.randrange(1, 6)
        if random.random() < 0.35 and months + begin < MONTHS - 1:
            first = months + begin
            last = min(first + random.choice((0, 2, 3)), MONTHS - 2)  # Until the day of the run.
            missed.append(
                [50_001 + place, *(shift_months(FIRST, month) for month in (first, last))]
            )
    return made, missed


def telecom(folder: Path, customers: int = 900) -> None:
    """Writes twenty columns in four files: semicolons, decimal commas, ISO and German days."""
    random = Random(1)
    made, missed = contracts(random, customers * 3 // 2)
    names = [f"C-{random.randrange(10**6):06}-{place}" for place in range(customers)]
    write(
        folder / "customers.csv",
        "Customer No|Gender|Region|Birth Date|Customer Since|Newsletter|Household Size|"
        "Total Spent|Loyalty Since|Street|Churn Reason",
        [
            [
                name,
                random.choice("fm"),
                random.choice(("north", "south", "west")),
                day(random, date(1950, 1, 1), 18_000),
                day(random, date(2019, 1, 1), 1_000),
                random.random() < 0.4,
                random.randrange(1, 6),
                random.random() * 1_000,
                day(random) if random.random() < 0.5 else None,
                f"Hauptstraße {place}",
                random.choice(("price", None)),
            ]
            for place, name in enumerate(names)
        ],
        german,
        ";",
        "cp1252",
    )
    write(
        folder / "contracts.csv",
        "Contract|Customer No|Begin|Term (Months)|Tariff|Monthly Fee",
        [
            [key, names[owner], start, term, random.choice("SML"), random.random() * 50 + 5]
            for key, owner, start, term in made
        ],
        german,
        ";",
    )
    write(
        folder / "usage.csv",
        "Customer No|Month|Minutes|Gigabytes|Roaming",
        [
            [name, shift_months(FIRST, m), random.randrange(900), random.random() * 9, m % 7 == 0]
            for name in names
            for m in range(MONTHS)
        ],
        german,
        ";",
    )
    write(folder / "failed_payments.csv", "Contract|First Month|Last Month", missed)


def music_shop(folder: Path, members: int = 800) -> None:
    """Writes members, their plans, purchases with times, and skipped months; no history."""
    random = Random(2)
    made, missed = contracts(random, members * 3 // 2)
    write(
        folder / "members.csv",
        "id|country|signup_date|favourite_genre",
        [
            [
                m,
                random.choice(("DE", "FR")),
                day(random, date(2020, 1, 1), 700),
                random.choice("abc"),
            ]
            for m in range(members)
        ],
    )
    write(
        folder / "plans.csv",
        "plan_id|member_id|start_date|months|price",
        [[*each, random.choice((4.99, 9.99))] for each in made],
    )
    write(
        folder / "purchases.csv",
        "invoice|member_id|bought_at|amount|format|title",
        [
            [
                f"I{number:07}",
                random.randrange(members),
                datetime(2022, 1, 1) + timedelta(minutes=random.randrange(1_500_000)),
                round(random.random() * 20, 2),
                random.choice(("vinyl", "cd", "mp3")),
                f"song {random.randrange(400)}",
            ]
            for number in range(members * 20)
        ],
    )
    write(folder / "skipped_months.csv", "plan_id|first_month|last_month", missed)
