"""Whether a model that was made again is the one that was made then, and what has changed since."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from pydantic import ValidationError

from churnlib.errors import ModelError
from churnlib.schemas.columns import PROBABILITY
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import EngineSettings, Settings

SHOWN = 12
"""How much of a fingerprint tells one content from another."""
FEATURES = "train_features"


@dataclass(frozen=True)
class Change:
    """Something that is not as it was when a version was made.

    Attributes:
        what: A raw table, the features, a library, or another part of what the model was made by.
        then: What it was; null where the manifest does not tell.
        now: What it is; null where it is not there any more.
    """

    what: str
    then: str | None
    now: str | None


@dataclass(frozen=True)
class Replay:
    """What came of making a version again.

    Attributes:
        version: The version.
        as_of: The day by which everything was known.
        rows: How many golden rows both models predicted.
        unequal: How many of the predictions differ, be it by a bit.
        largest: The largest difference; null where none differs.
        inputs: The raw tables that are others than then. Later rows alone make a table another.
        features: Whether the features that the model was fitted on are the same, to the bit.
        feature_rows: How many rows of them there were, and are.
        others: What else has changed: libraries, Python, the machine, the code.
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

    @property
    def is_equal(self) -> bool:
        """Whether all predictions are the same to the bit."""
        return self.unequal == 0

    def to_json(self) -> dict[str, Any]:
        """The replay as plain data."""
        return {"equal": self.is_equal, **asdict(self)}


def settings_of(manifest: Mapping[str, Any], data_dir: str, engine: EngineSettings) -> Settings:
    """The settings that a version was made by, on another data folder.

    Args:
        manifest: The version's.
        data_dir: The data folder.
        engine: How the work is done now, which changes no result.

    Raises:
        ModelError: The manifest does not hold them whole, or they cannot be any more.
    """
    stated = dict(manifest["settings"])
    stated["train"] = {**stated.get("train", {}), "seed": manifest["seed"]}
    stated |= {"as_of": manifest["as_of"], "data_dir": data_dir, "engine": engine}
    try:
        return Settings(**stated)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise ModelError(
            f"{manifest['game']}: model {manifest['version']} cannot be made again, because the "
            f"settings in its manifest cannot be any more: {faults}. Install the version of this "
            "library that made it."
        ) from None


def compare(
    then: Mapping[str, Any], now: Mapping[str, Any], golden: pl.DataFrame, said: pl.Series
) -> Replay:
    """Holds a version that was made again against what it was.

    Args:
        then: The manifest of the version.
        now: That of the model made again.
        golden: The golden rows of the version, with the probabilities that it gave them.
        said: The probabilities that the model made again gives them.
    """
    apart = (golden[PROBABILITY] - said).abs()
    unequal = int((golden[PROBABILITY] != said).sum())
    features = [manifest["inputs"].get(FEATURES, {}) for manifest in (then, now)]
    return Replay(
        version=then["version"],
        as_of=then["as_of"],
        rows=len(golden),
        unequal=unequal,
        largest=float(apart.max()) if unequal else None,  # type: ignore[arg-type]
        inputs=tuple(_inputs(then["inputs"], now["inputs"])),
        features=features[0].get("fingerprint") == features[1].get("fingerprint"),
        feature_rows=(features[0].get("rows", 0), features[1].get("rows", 0)),
        others=tuple(_others(then, now)),
    )


def tell(replay: Replay) -> Iterator[str]:
    """Words a replay, line by line."""
    rows = f"{replay.rows} golden rows"
    if replay.is_equal:
        yield f"equal: model {replay.version}, made again, says the same of its {rows} to the bit"
    else:
        yield (
            f"not equal: model {replay.version}, made again, says something else of "
            f"{replay.unequal} of its {rows}, by up to {replay.largest:.3g}"
        )
    yield from map(_line, replay.inputs)
    then, now = replay.feature_rows
    if not replay.features:
        yield f"  the features are others than then: {then:,} rows then, {now:,} now"
    elif replay.inputs:
        yield (
            f"  the features are the same: nothing has changed that counts by {replay.as_of} "
            "for what the model learnt from"
        )
    else:
        yield f"  raw tables and features are the same, {now:,} rows"
    yield from map(_line, replay.others)
    if not (replay.is_equal or replay.inputs or replay.others or not replay.features):
        yield "  nothing that is known of has changed; look for what the manifest does not tell"


def _line(change: Change) -> str:
    return f"  {change.what}: {change.then or 'not known'} then, {change.now or 'none'} now"


def _inputs(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for table in raw_tables():
        was, is_now = then.get(table), now.get(table)
        if (was or {}).get("source") != (is_now or {}).get("source"):
            yield Change(f"raw table {table}", _table(was), _table(is_now))


def _table(facts: Mapping[str, Any] | None) -> str | None:
    if facts is None:
        return None
    return f"{facts['source'][:SHOWN]} with {facts['rows']:,} rows known by the day"


def _others(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    was, is_now = _flat(then), _flat(now)
    for what in dict.fromkeys((*was, *is_now)):
        if was.get(what) != is_now.get(what):
            yield Change(what, was.get(what), is_now.get(what))


def _flat(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a model was made by, by name."""
    code = manifest.get("code", {})
    flat = {"Python": manifest.get("python"), "machine": manifest.get("machine")}
    flat |= {"churnlib": code.get("version"), "code": code.get("digest", "")[:SHOWN]}
    flat |= manifest.get("libraries", {})
    return {name: value for name, value in flat.items() if value}
