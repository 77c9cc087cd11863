"""Choosing columns of a Polars frame inside a pipeline."""

from typing import Literal

import polars as pl

Kind = Literal["number", "category"]


class OfKind:
    """Chooses the columns of one kind, where scikit-learn takes a callable.

    scikit-learn's own `make_column_selector` does not take Polars frames.

    Attributes:
        kind: `number` (flags included) or `category`.
    """

    def __init__(self, kind: Kind = "category") -> None:
        """Chooses the columns of `kind`."""
        if kind not in ("number", "category"):
            raise ValueError(f"kind must be 'number' or 'category', not {kind!r}")
        self.kind = kind

    def __call__(self, frame: pl.DataFrame) -> list[str]:
        """Names the columns of the kind, in the order of the frame."""
        categories = self.kind == "category"
        return [name for name, dtype in frame.schema.items() if (dtype == pl.Enum) == categories]
