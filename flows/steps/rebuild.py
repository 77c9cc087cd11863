"""Rebuilds a model version, and its model in use, from their manifests and the raw tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import EngineSettings
from churnlib.versions.replay import settings_from
from flows.steps.in_use import KnownTables, make_in_use
from flows.steps.past_contacts import past_contacts
from flows.steps.raw_tables import cohort_kinds
from flows.steps.run import Run
from flows.steps.sources import read_sources
from flows.steps.standard_features import build_features
from flows.steps.training import fit_version
from flows.steps.window_features import window_cohort


@dataclass(frozen=True, slots=True)
class RebuildCatalog(Catalog):
    """A catalog whose raw tables are in another data folder.

    Attributes:
        raw_dir: That folder.
        digests: The fingerprints of the raw tables that the version was made of.
    """

    raw_dir: str
    digests: Mapping[str, str | None]

    def raw(self, table: str, path: str | None = None, digest: str | None = None) -> Dataset:
        """Finds a raw table as it was then, if that is kept, or as it is; see `Catalog.raw`."""
        then = digest or self.digests.get(table)
        return Catalog(self.raw_dir, self.game).raw(table, path, then)

    def predictions(self, window_start: date) -> Dataset:
        """The predictions of a batch, which tell whom it contacted."""
        return Catalog(self.raw_dir, self.game).predictions(window_start)


def rebuild_version(
    manifest: Mapping[str, Any], raw_dir: str, folder: str, engine: EngineSettings
) -> DatasetRef:
    """Trains a version again, with the same tasks.

    Args:
        manifest: The manifest of the version.
        raw_dir: The data folder with the raw tables.
        folder: The data folder to write to.
        engine: The settings of the engine, which do not affect the result.
    """
    run = _run_of(manifest, raw_dir, folder, engine)
    known = _build_known(run)
    return fit_version(
        run, window_cohort(run, "train", known.standard, known.sources, known.tables)
    )


def rebuild_in_use(
    manifest: Mapping[str, Any],
    version: DatasetRef,
    raw_dir: str,
    folder: str,
    engine: EngineSettings,
) -> DatasetRef:
    """Fits a model in use again, with the same tasks; see `rebuild_version`.

    Args:
        manifest: The manifest of the model in use.
        version: Its version, trained again.
        raw_dir: See `rebuild_version`.
        folder: See there.
        engine: See there.

    Raises:
        ModelError: It cannot be fitted again.
    """
    run = _run_of(manifest, raw_dir, folder, engine)
    made = make_in_use(run, version, _build_known(run))
    if isinstance(made, DatasetRef):
        return made
    why = made or "its version has learnt all labels that are known on that day"
    raise ModelError(
        f"{manifest['game']}: the model in use {manifest['in_use']} of model "
        f"{manifest['version']} cannot be fitted again: {why}"
    )


def _build_known(run: Run) -> KnownTables:
    standard = build_features(run)
    tables = run.tables(*cohort_kinds(run.settings))
    return KnownTables(standard, read_sources(run), tables, past_contacts(run, standard))


def _run_of(manifest: Mapping[str, Any], raw_dir: str, folder: str, engine: EngineSettings) -> Run:
    game = manifest["game"]
    digests = {table: facts.get("source") for table, facts in manifest["inputs"].items()}
    return Run(
        settings=settings_from(manifest, folder, engine),
        catalog=RebuildCatalog(folder, game, raw_dir, digests),
        as_of=date.fromisoformat(manifest["as_of"]),
        parameters={"game": game, "as_of": None, "overrides": None, "data_dir": raw_dir},
    )
