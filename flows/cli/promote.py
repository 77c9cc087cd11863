"""`churn promote`: makes a model version the champion."""

import sys
from datetime import UTC, date, datetime

from churnlib.io.catalog import Catalog, month_name
from churnlib.io.commands import command_line
from churnlib.io.footer import optional_fact
from churnlib.io.temporary import remove_abandoned
from churnlib.raw.past_batches import predicted_months
from churnlib.settings import Settings
from churnlib.shown import lines
from churnlib.versions.compatibility import changed_features
from churnlib.versions.in_use import AS_TESTED, describe_in_use, flow_that_fits
from churnlib.versions.manifest import read_manifest
from churnlib.versions.promotion import promote_manually, roll_back
from churnlib.versions.registry import Promotion
from flows.cli.parameters import RunOptions
from flows.cli.session import checked_settings


def promote(run: RunOptions, version: str | None, *, force: bool) -> None:
    """Makes a version the champion, and prints what was done.

    Args:
        run: The game and its data folder.
        version: The version; None for the one that was the champion before.
        force: Promote it even if no back-test has accepted it.

    Raises:
        ChurnlibError: The settings are invalid, or the version is refused.
    """
    settings = checked_settings(run)
    remove_abandoned()  # What a promotion that was killed has left.
    catalog = Catalog(settings.data_dir, run.game)
    now, allow_joblib = datetime.now(UTC), settings.train.model_format == "joblib"
    promotion: Promotion | None
    if version is None:
        promotion = roll_back(catalog, when=now, allow_joblib=allow_joblib)
    else:
        promotion = promote_manually(
            catalog, version, when=now, force=force, allow_joblib=allow_joblib
        )
    champion = promotion.version if promotion else version
    assert champion is not None  # A roll-back returns a promotion, or raises.
    warning = _feature_warning(catalog, champion, settings)
    if warning:
        print(lines(f"warning: {run.game}: {warning}"), file=sys.stderr)
    if promotion is None:
        done = f"model {champion} is the champion already; nothing was changed"
    else:
        done = f"model {champion} is the champion now; before: {promotion.previous or 'none'}"
    print(f"{run.game}: {done}")
    print(f"{run.game}: {_predictor(catalog, champion, settings, may_fit=not warning)}")
    if not warning and (delivered := _delivered(catalog, champion)):
        print(f"{run.game}: {delivered}")


def _predictor(catalog: Catalog, version: str, settings: Settings, *, may_fit: bool) -> str:
    """Says which model of the champion predicts the next batches, and how to fit it again."""
    model = catalog.model(version)
    if settings.train.in_use == AS_TESTED:
        return "batches are predicted by the model as tested (train.in_use)"
    fit = command_line(flow_that_fits(catalog), model, "--from-raw")
    if learnt := describe_in_use(model, date.max):
        fitted = f"its model in use was fitted on {learnt}"
        return f"{fitted}. To fit it on what is known by now: {fit}" if may_fit else fitted
    predictor = "batches are predicted by the model as tested"
    until = f", until its model in use is fitted on all known labels: {fit}"
    return predictor + until if may_fit else predictor


def _delivered(catalog: Catalog, version: str) -> str | None:
    """Says how to replace the last batch, if another version has predicted it."""
    months = predicted_months(catalog)
    if not months or optional_fact(catalog.predictions(months[-1]), "model_version") == version:
        return None
    again = command_line("batch_predict", catalog.model(version), "--replace")
    return (
        f"the batch of {month_name(months[-1])} has been delivered, predicted by another version, "
        f"and is kept. To replace the last batch: {again}"
    )


def _feature_warning(catalog: Catalog, version: str, settings: Settings) -> str | None:
    """Warns if the new champion was trained on features other than the game's."""
    model = catalog.model(version)
    changed = changed_features(read_manifest(model), settings)
    if changed is None:
        return None
    back = command_line("promote", model, "--back")
    train = command_line("train", model, "--from-raw")
    return (
        f"model {version} was trained on other features than the game's settings require: "
        f"{changed}. score and batch-predict will refuse it, with exit status 2, until these "
        f"settings are as they were. Set them back; or roll back: {back}; or train another: "
        f"{train}"
    )
