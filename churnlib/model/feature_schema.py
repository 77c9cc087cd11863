"""The features that a model takes: columns, their kinds and categories."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from churnlib.errors import ModelError, closest
from churnlib.schemas.columns import KEYS, LABEL
from churnlib.settings import FeatureChoice

NEVER = frozenset({*KEYS, "churned_on", LABEL})
"""Columns that are never features: keys, and what is known only later."""

Kind = Literal["number", "flag", "category"]


@dataclass(frozen=True)
class Feature:
    """A column that the model takes.

    Attributes:
        name: The column.
        kind: `number`, `flag` (0 or 1), or `category`.
        categories: The values seen in training, sorted; empty for other kinds.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()


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
            The rows of `frame`; numbers and flags as Float64, categories as Enum in the model's
            own order. A category that training did not see becomes null.

        Raises:
            ModelError: A column is missing or of another kind.
        """
        for feature in self.features:
            if feature.name not in frame.columns:
                raise ModelError(
                    f"the model needs the feature '{feature.name}', which the table lacks. "
                    f"{closest(feature.name, frame.columns)}"
                )
            if (found := _kind(frame.schema[feature.name])) != feature.kind:
                raise ModelError(
                    f"the model needs the feature '{feature.name}' as a {feature.kind}, "
                    f"but the table has a {found or frame.schema[feature.name]}."
                )
        return frame.select(_cast(feature) for feature in self.features)

    def unknown_categories(self, frame: pl.DataFrame) -> dict[str, int]:
        """Counts the rows with a category that training did not see, by column."""
        counts = {
            f.name: int((~frame[f.name].drop_nulls().is_in(f.categories)).sum())
            for f in self.features
            if f.kind == "category"
        }
        return {name: count for name, count in counts.items() if count}

    def to_json(self) -> list[dict[str, Any]]:
        """The schema as plain data, for the manifest."""
        return [asdict(feature) for feature in self.features]

    @classmethod
    def from_json(cls, data: Iterable[dict[str, Any]]) -> "FeatureSchema":
        """The schema in a manifest."""
        return cls(
            tuple(Feature(f["name"], f["kind"], tuple(f["categories"])) for f in data),
        )


def learn_schema(parts: Iterable[pl.DataFrame], choice: FeatureChoice) -> FeatureSchema:
    """Decides which columns of a feature table a model takes.

    Args:
        parts: The training rows, in at least one frame; each is read once.
        choice: The columns to include and to exclude, from the settings.

    Returns:
        The chosen columns in the order of the table, or of the list to include; without keys,
        dates, what is known only after the day of prediction, and columns without any value.

    Raises:
        ModelError: See `choose`.
    """
    kinds: dict[str, Kind] = {}
    filled: set[str] = set()
    values: dict[str, set[str]] = {}
    for part in parts:
        if not kinds:
            kinds = {name: _known_kind(part.schema[name]) for name in choose(part.schema, choice)}
            values = {name: set() for name, kind in kinds.items() if kind == "category"}
        filled |= {name for name in kinds if part[name].null_count() < len(part)}
        for name, found in values.items():
            found.update(part[name].drop_nulls().unique())
    return FeatureSchema(
        tuple(
            Feature(name, kind, tuple(sorted(values.get(name, ()))))
            for name, kind in kinds.items()
            if name in filled
        ),
        left_out=tuple(name for name in kinds if name not in filled),
    )


def choose(columns: Mapping[str, pl.DataType], choice: FeatureChoice) -> list[str]:
    """Names the columns of a feature table that the settings choose.

    Args:
        columns: The types of the table's columns, by name.
        choice: The columns to include and to exclude, from the settings.

    Raises:
        ModelError: A listed column does not exist or cannot be a feature, or none is left.
    """
    possible = [n for n, t in columns.items() if n not in NEVER and _kind(t) is not None]
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


def _cast(feature: Feature) -> pl.Expr:
    column = pl.col(feature.name)
    if feature.kind != "category":
        return column.cast(pl.Float64)
    known = pl.when(column.is_in(feature.categories)).then(column)
    return known.cast(pl.Enum(feature.categories)).alias(feature.name)
