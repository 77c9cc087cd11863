"""Settings of how long runs keep what later runs can do without."""

from typing import Annotated

from pydantic import Field

from churnlib.settings.fields import Section, Whole


class RetentionSettings(Section):
    """What is kept how long; each run removes the rest when it starts.

    Nothing else is removed, apart from old models (`champion.keep_versions`): predictions, reports
    on batches, the champion and the registry are kept for good.
    """

    results_days: Annotated[Whole, Field(ge=1)] | None = 90
    """The number of days after which the result of a task that no run has used is removed from the
    cache; the task then runs again. All games of a machine share the cache, so that the smallest of
    their values counts. If null, results are kept for good."""
    batch_features: Annotated[Whole, Field(ge=1)] | None = 36
    """The number of newest months whose features of the predicted batch are kept. The report on an
    older batch has no feature importance. All if null."""
    snapshots: Annotated[Whole, Field(ge=1)] | None = 12
    """The number of newest snapshots of each raw table in a database that are kept, besides those
    that the kept models were made of. All if null."""
