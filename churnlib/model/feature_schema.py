"""The features that a model takes: columns, their kinds and categories."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import polars as pl

from churnlib.errors import ModelError, closest
from churnlib.model.pooling import Pooled, pool
from churnlib.raw.number_texts import advice
from churnlib.raw.spellings import reads_as
from churnlib.schemas.columns import NEVER_FEATURES
from churnlib.settings import FeatureChoice

Kind = Literal["number", "flag", "category"]
LARGEST = 1e38
"""Greater numbers, and infinity, are taken as this one: algorithms that compute in single precision
refuse greater ones, and others overflow."""
SEARCHED = 1_000
"""Number of unknown categories of a column that are compared with the known ones."""
SHOWN_FAULTS = 3
"""Number of invalid values that a message names."""


@dataclass(frozen=True)
class Feature:
    """A column that the model takes.

    Attributes:
        name: The column.
        kind: `number`, `flag` (0 or 1), or `category`.
        categories: The values that training kept, sorted; empty for other kinds.
        pooled: What all other values are pooled to; None if training kept all that it saw.
        from_text: Whether it is a number that the table holds as text.
        bounds: The least and the greatest number in training; None for other kinds, and in models
            that did not record them.
        known: The share of the training rows with a value; None in models that did not record it.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    pooled: Pooled | None = None
    from_text: bool = False
    bounds: tuple[float, float] | None = field(default=None, compare=False)
    known: float | None = field(default=None, compare=False)

    @property
    def column_kind(self) -> Kind:
        """The kind of the table's column."""
        return "category" if self.from_text else self.kind

    def cast(self, column: pl.Series) -> pl.Series:
        """Converts the column of a table to the type that the model takes.

        Raises:
            ModelError: A number is held as text, and a value is none.
        """
        if self.kind != "category":
            numbers = as_numbers(column) if self.from_text else column.cast(pl.Float64)
            return numbers.clip(-LARGEST, LARGEST)
        known = column.is_in(self.categories)
        if self.pooled is None:
            return column.set(~known, None).cast(pl.Enum(self.categories))
        values = pl.Enum([*self.categories, self.pooled.name])
        return column.set(~known, self.pooled.name).cast(values)


@dataclass(frozen=True)
class FeatureSchema:
    """The columns that a model was fitted on; saved with it, and checked when it predicts.

    Attributes:
        features: The columns, in the model's order.
        left_out: Chosen columns that were null in all training rows.
    """

    features: tuple[Feature, ...]
    left_out: tuple[str, ...] = ()

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Selects and casts the features of a table.

        Args:
            frame: A feature table; other columns are ignored.

        Returns:
            The rows of `frame`; numbers and flags as Float64 from -1e38 to 1e38, categories as Enum
            in the model's own order. A category that training did not see becomes null, or where
            training pooled rare ones, one of these.

        Raises:
            ModelError: A column is missing or of another kind, or a text is no number.
        """
        for feature in self.features:
            if feature.name not in frame.columns:
                raise ModelError(
                    f"the model needs the feature '{feature.name}', which the table lacks. "
                    f"{closest(feature.name, frame.columns)}"
                )
            if (found := _kind(frame.schema[feature.name])) != feature.column_kind:
                raise ModelError(
                    f"the model needs the feature '{feature.name}' as a {feature.column_kind}, "
                    f"but the table has a {found or frame.schema[feature.name]}."
                )
        return frame.select(feature.cast(frame[feature.name]) for feature in self.features)

    def unknown_categories(self, frame: pl.DataFrame) -> dict[str, int]:
        """Counts the rows with a category that training did not keep, by column."""
        counts = {
            f.name: int((~frame[f.name].drop_nulls().is_in(f.categories)).sum())
            for f in self.features
            if f.kind == "category"
        }
        return {name: count for name, count in counts.items() if count}

    def respelled_categories(self, frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
        """Finds a category that training kept in another spelling, and that one, by column."""
        found = {}
        for feature in self.features:
            if feature.kind != "category":
                continue
            kept = {reads_as(value): value for value in feature.categories}
            values = frame[feature.name].drop_nulls().unique()
            for value in values.filter(~values.is_in(feature.categories)).sort().head(SEARCHED):
                if reads_as(value) in kept:
                    found[feature.name] = value, kept[reads_as(value)]
                    break
        return found

    def beyond_training(self, frame: pl.DataFrame) -> dict[str, int]:
        """Counts the rows with a number below or above all of training, by column."""
        counts = {
            f.name: int((~f.cast(frame[f.name]).is_between(*f.bounds)).sum())
            for f in self.features
            if f.bounds
        }
        return {name: count for name, count in counts.items() if count}

    def known_values(self, frame: pl.DataFrame) -> dict[str, int]:
        """Counts the rows with a value, by column."""
        return {f.name: len(frame) - frame[f.name].null_count() for f in self.features}

    def to_json(self) -> list[dict[str, Any]]:
        """The schema as plain data, for the manifest."""
        return [asdict(feature) for feature in self.features]

    @classmethod
    def from_json(cls, data: Iterable[dict[str, Any]]) -> "FeatureSchema":
        """The schema in a manifest."""
        return cls(
            tuple(
                Feature(
                    name=f["name"],
                    kind=f["kind"],
                    categories=tuple(f["categories"]),
                    pooled=Pooled(**f["pooled"]) if f.get("pooled") else None,
                    from_text=f.get("from_text", False),
                    bounds=tuple(f["bounds"]) if f.get("bounds") else None,
                    known=f.get("known"),
                )
                for f in data
            ),
        )


def learn_schema(
    parts: Iterable[pl.DataFrame], choice: FeatureChoice, most_categories: int | None = None
) -> FeatureSchema:
    """Decides which columns of a feature table a model takes.

    Args:
        parts: The training rows, in at least one frame; each is read once.
        choice: The columns to include and to exclude, from the settings.
        most_categories: The most values of a category; rarer ones are pooled. No limit if None.

    Returns:
        The chosen columns in the order of the table, or of the list to include; without keys,
        dates, what is known only after the day of prediction, and columns without any value.

    Raises:
        ModelError: See `choose`; or a text that the settings call a number is none.
    """
    kinds: dict[str, Kind] = {}
    known = Counter[str]()
    counts: dict[str, Counter[str]] = {}
    bounds: dict[str, tuple[float, float]] = {}
    rows = 0
    for part in parts:
        if not kinds:
            kinds = {name: _known_kind(part.schema[name]) for name in choose(part.schema, choice)}
            kinds |= dict.fromkeys(choice.numbers, "number")
            counts = {name: Counter() for name, kind in kinds.items() if kind == "category"}
        rows += len(part)
        known.update({name: len(part) - part[name].null_count() for name in kinds})
        for name, found in counts.items():
            found.update(dict(part[name].drop_nulls().value_counts().iter_rows()))
        for name in (name for name, kind in kinds.items() if kind == "number"):
            column = Feature(name, "number", from_text=name in choice.numbers).cast(part[name])
            _widen(bounds, column)
    return FeatureSchema(
        tuple(
            Feature(
                name,
                kind,
                *pool(counts.get(name, {}), rows, most_categories),
                from_text=name in choice.numbers,
                bounds=bounds.get(name),
                known=known[name] / rows,
            )
            for name, kind in kinds.items()
            if known[name]
        ),
        left_out=tuple(name for name in kinds if not known[name]),
    )


def _widen(bounds: dict[str, tuple[float, float]], column: pl.Series) -> None:
    """Widens the bounds of a column to those of more of its numbers."""
    numbers = pl.Series(
        [*bounds.get(column.name, ()), column.min(), column.max()], dtype=pl.Float64
    )
    least, greatest = numbers.min(), numbers.max()
    if isinstance(least, float) and isinstance(greatest, float):
        bounds[column.name] = (least, greatest)


def as_numbers(column: pl.Series) -> pl.Series:
    """Converts texts to numbers; null stays null.

    Raises:
        ModelError: A text is not a finite number.
    """
    numbers = column.cast(pl.Float64, strict=False)
    is_fault = column.is_not_null() & ~numbers.is_finite().fill_null(False)
    if is_fault.any():
        faults = column.filter(is_fault).unique().sort().head(SHOWN_FAULTS)
        raise ModelError(
            f"train.features.numbers: {int(is_fault.sum()):,} values of '{column.name}' are not "
            f"numbers, such as {', '.join(map(repr, faults))}. Correct them, or remove the column "
            f"from the setting and train again. {advice(faults[0], column.name)}".rstrip()
        )
    return numbers


def choose(columns: Mapping[str, pl.DataType], choice: FeatureChoice) -> list[str]:
    """Names the columns of a feature table that the settings choose.

    Args:
        columns: The types of the table's columns, by name.
        choice: The columns to include and to exclude, from the settings.

    Raises:
        ModelError: A listed column does not exist or cannot be a feature, or none is left.
    """
    possible = [n for n, t in columns.items() if n not in NEVER_FEATURES and _kind(t) is not None]
    for setting, names in (("include", choice.include or ()), ("exclude", choice.exclude)):
        for name in names:
            if name not in possible:
                why = f"there is no column '{name}'"
                if name in columns:
                    why = f"the column '{name}' cannot be a feature"
                raise ModelError(f"train.features.{setting}: {why}. {closest(name, possible)}")
    wanted = possible if choice.include is None else dict.fromkeys(choice.include)
    chosen = [name for name in wanted if name not in choice.exclude]
    if not chosen:
        raise ModelError("train.features leaves no feature. Include more, or exclude less.")
    texts = [name for name in chosen if _kind(columns[name]) == "category"]
    for name in choice.numbers:
        if name not in texts:
            why = "is not a text" if name in chosen else "is not a feature"
            raise ModelError(f"train.features.numbers: '{name}' {why}. {closest(name, texts)}")
    return chosen


def _known_kind(dtype: pl.DataType) -> Kind:
    kind = _kind(dtype)
    assert kind is not None
    return kind


def _kind(dtype: pl.DataType) -> Kind | None:
    if dtype == pl.Boolean:
        return "flag"
    if dtype == pl.String:
        return "category"
    return "number" if dtype.is_numeric() else None
