"""Replays: whether a version trained again predicts the same, and if not, what has changed."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from pydantic import ValidationError

from churnlib.errors import ModelError
from churnlib.schemas.columns import PROBABILITY
from churnlib.settings import EngineSettings, Settings
from churnlib.versions.compatibility import FEATURE_TABLES, upgraded

SHOWN = 12
"""Characters of a fingerprint to show."""
EARLIER: Mapping[str, Any] = {"max_categories": None}
"""The values of training settings that a manifest from before they existed lacks: what was done
then."""


@dataclass(frozen=True)
class Change:
    """A change since a version was trained.

    Attributes:
        what: What the model depends on, such as a raw table or a library.
        then: The value then; None if the manifest does not record it.
        now: The value now; None if it no longer exists.
    """

    what: str
    then: str | None
    now: str | None


@dataclass(frozen=True)
class Replay:
    """The result of training a version again.

    Attributes:
        version: The version.
        as_of: The day of its training.
        rows: Number of golden rows that both models predicted.
        unequal: Number of predictions that differ, even in the last bit.
        largest: The largest difference; None if none differs.
        inputs: The raw tables that have changed, even if only by later rows.
        features: Whether the features that the model was fitted on are the same, to the bit.
        feature_rows: Number of rows of these features, then and now.
        others: What else has changed: libraries, Python, the machine, the code.
        is_reordered: Whether tables had another order then, so that their bytes differ.
        in_use: The same of the version's newest model in use; None if it has none.
    """

    version: str
    as_of: str
    rows: int
    unequal: int
    largest: float | None
    inputs: tuple[Change, ...]
    features: bool
    feature_rows: tuple[int, int]
    others: tuple[Change, ...]
    is_reordered: bool = False
    in_use: "Replay | None" = None

    @property
    def is_equal(self) -> bool:
        """Whether all predictions are the same to the bit, also those of the model in use."""
        return self.unequal == 0 and (self.in_use is None or self.in_use.is_equal)

    def to_json(self) -> dict[str, Any]:
        """The replay as plain data."""
        return {"equal": self.is_equal, **asdict(self)}


def settings_from(manifest: Mapping[str, Any], data_dir: str, engine: EngineSettings) -> Settings:
    """The settings of a version's training, for another data folder.

    Raises:
        ModelError: The manifest lacks some of them, or they are not valid any more.
    """
    trained = upgraded(manifest["settings"])
    trained["train"] = {**EARLIER, **trained.get("train", {}), "seed": manifest["seed"]}
    trained |= {"as_of": manifest["as_of"], "data_dir": data_dir, "engine": engine}
    try:
        return Settings(**trained)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise ModelError(
            f"{manifest['game']}: model {manifest['version']} cannot be trained again, because the "
            f"settings in its manifest are not valid any more: {faults}. Install the release of "
            "churnlib that it was trained with."
        ) from None


def compare_replay(
    then: Mapping[str, Any], now: Mapping[str, Any], golden: pl.DataFrame, predicted: pl.Series
) -> Replay:
    """Compares a version with the model that was trained again from its manifest.

    Args:
        then: The manifest of the version.
        now: The manifest of the new model.
        golden: The golden rows of the version, with the probabilities that it gave them.
        predicted: The probabilities that the new model gives them.
    """
    largest = (golden[PROBABILITY] - predicted).abs().max()
    unequal = int((golden[PROBABILITY] != predicted).sum())
    features = [_feature_table(manifest["inputs"]) for manifest in (then, now)]
    return Replay(
        version=then["version"],
        as_of=then["as_of"],
        rows=len(golden),
        unequal=unequal,
        largest=largest if unequal and isinstance(largest, float) else None,
        inputs=tuple(_inputs(then["inputs"], now["inputs"])),
        features=features[0].get("fingerprint") == features[1].get("fingerprint"),
        feature_rows=(features[0].get("rows", 0), features[1].get("rows", 0)),
        others=tuple(_others(then, now)),
        is_reordered=then.get("table_order") != now.get("table_order"),
    )


def _feature_table(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((inputs[name] for name in FEATURE_TABLES if name in inputs), {})


def describe_replay(replay: Replay) -> Iterator[str]:
    """Describes a replay in words, line by line."""
    yield from _describe(replay, f"model {replay.version}, trained again,")
    if replay.in_use:
        what = f"its model in use of {replay.in_use.as_of}, fitted again,"
        yield from _describe(replay.in_use, what)


def _describe(replay: Replay, model: str) -> Iterator[str]:
    rows = f"{replay.rows} golden rows"
    if replay.unequal == 0:
        yield f"equal: {model} predicts its {rows} the same to the bit"
    else:
        yield (
            f"not equal: {model} predicts {replay.unequal} of its {rows} differently, by up to "
            f"{replay.largest:.3g}"
        )
    yield from map(_line, replay.inputs)
    then, now = replay.feature_rows
    if replay.is_reordered:
        yield (
            "  the bytes of the features differ in any case: tables were in the order of a hash of "
            f"char_id then, and are sorted by char_id now ({then:,} rows then, {now:,} now)"
        )
    elif not replay.features:
        yield f"  the features have changed: {then:,} rows then, {now:,} now"
    elif replay.inputs:
        yield (
            f"  the features are the same: nothing dated by {replay.as_of} has changed that the "
            "model was trained on"
        )
    else:
        yield f"  raw tables and features are the same, {now:,} rows"
    yield from map(_line, replay.others)
    if not (replay.unequal == 0 or replay.inputs or replay.others or not replay.features):
        yield "  no known cause has changed; look for one that the manifest does not record"


def _line(change: Change) -> str:
    return f"  {change.what}: {change.then or 'not known'} then, {change.now or 'none'} now"


def _inputs(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for table in dict.fromkeys((*then, *now)):
        before, after = then.get(table), now.get(table)
        if (before or {}).get("source") != (after or {}).get("source"):
            yield Change(f"raw table {table}", _table(before), _table(after))


def _table(facts: Mapping[str, Any] | None) -> str | None:
    if facts is None:
        return None
    return f"{facts['source'][:SHOWN]} with {facts['rows']:,} rows by that day"


def _others(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _environment(then), _environment(now)
    for what in dict.fromkeys((*before, *after)):
        if before.get(what) != after.get(what):
            yield Change(what, before.get(what), after.get(what))


def _environment(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Code, libraries and machine that a model was trained with, by name."""
    code = manifest.get("code", {})
    facts = {"Python": manifest.get("python"), "machine": manifest.get("machine")}
    facts |= {"churnlib": code.get("version"), "code": code.get("digest", "")[:SHOWN]}
    facts |= {"features.py": code.get("features", "")[:SHOWN]}
    facts |= manifest.get("libraries", {})
    packages = manifest.get("trusted_packages", {})
    facts |= {f"package {name}": digest[:SHOWN] for name, digest in packages.items()}
    return {name: value for name, value in facts.items() if value}
