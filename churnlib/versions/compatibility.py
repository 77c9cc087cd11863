"""Whether a model fits a run: trained on the same features and labels, without label leakage."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from churnlib.errors import ModelError
from churnlib.features.activity import own_functions_digest
from churnlib.settings import CohortSettings, Settings, value_text
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.outcome import OutcomeSettings
from churnlib.settings.tables import ONE_OF_EACH, meaning_of

DECISIVE = ("horizon_months", "outcome", "cohort", "standard", "tables", "features")
"""Settings that decide the meaning of features and labels, so must equal those of the training."""

FEATURE_TABLES = ("train_features", "in_use_features")
PYTHON = "features.python.use"
"""The setting of the functions of `games/features.py` that compute features."""
"""The feature tables that models are fitted on, as manifests name them."""
DEPTH = 4
"""The number of names in the path of a setting that a message names."""
CONFIGURATION_LENGTH = 16
"""Number of digits that identify a configuration."""


def decisive_settings(settings: Settings) -> dict[str, Any]:
    """The settings that features and labels depend on, as plain data."""
    return decisive(settings.model_dump(mode="json", include=set(DECISIVE)))


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The part of settings that features and labels depend on.

    Of a table it is what its columns mean, not where it is or how it is described; histories and
    events without features do not count, unless functions compute some, of whichever table.

    Args:
        settings: All settings as plain data, such as those in a manifest.
    """
    settings = upgraded(settings)
    decided: dict[str, Any] = {name: settings.get(name) for name in DECISIVE}
    cohort = CohortSettings.model_validate(settings["cohort"])
    decided["cohort"] = {"grain": cohort.grain, "reads_misses": cohort.has_payment_history}
    if decided["tables"] is not None:
        present = {n: table for n, table in decided["tables"].items() if not table.get("absent")}
        asked = dict(decided["features"] or {})
        any_table = bool((asked.get("python") or {}).get("use"))
        absent = decided["tables"].keys() - present.keys()
        decided["features"] = {name: each for name, each in asked.items() if name not in absent}
        decided["tables"] = {
            name: meaning_of(table)
            for name, table in present.items()
            if any_table or table["kind"] in ONE_OF_EACH or name in asked
        }
    return decided


def upgraded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in a manifest under the names that they have now.

    Args:
        settings: Settings as plain data; earlier versions had `currency` for the features of a
            history, `churn_after_months` for the outcome, one row per subscription, and no tables.
    """
    renamed = {name: value for name, value in settings.items() if name != "currency"}
    renamed.setdefault("cohort", CohortSettings().model_dump(mode="json"))
    if "churn_after_months" in settings:
        outcome = OutcomeSettings(missed_months=renamed.pop("churn_after_months"))
        renamed["outcome"] = outcome.model_dump(mode="json")
    if "currency" in settings:
        history = HistoryFeatures.model_validate(settings["currency"])
        features = FeatureSettings.model_validate({"character_currency": history})
        renamed["features"] = features.model_dump(mode="json")
    return renamed


def configuration_of(manifest: Mapping[str, Any]) -> str:
    """Identifies a model's settings of features, labels and training, but for its seed.

    Which model predicts batches makes no other model, so it does not count.
    """
    settings = manifest["settings"]
    apart = ("seed", "in_use")
    train = {name: v for name, v in (settings.get("train") or {}).items() if name not in apart}
    decided = {"train": train, **decisive(settings)}
    # Settings that earlier versions did not have do not change what was configured then.
    if train.get("contacted") == "keep":
        del train["contacted"]
    if decided["cohort"] == {"grain": "start", "reads_misses": False}:
        del decided["cohort"]
    text = json.dumps(decided, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:CONFIGURATION_LENGTH]


def is_same_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two versions are the same model: same features, settings, seed, code and libraries.

    A version that does not record all of these is no other's.
    """
    return None not in _identity(one) and _identity(one) == _identity(other)


def _identity(manifest: Mapping[str, Any]) -> list[Any]:
    inputs = manifest["inputs"]
    features = next((inputs[t].get("fingerprint") for t in FEATURE_TABLES if t in inputs), None)
    code = manifest.get("code", {})
    digest = code.get("digest")
    return [
        features,
        code.get("features", ""),
        None if digest == "unknown" else digest,
        configuration_of(manifest) if manifest["settings"].get("train") else None,
        *(manifest.get(name) for name in ("seed", "libraries", "python", "model_file")),
        manifest.get("trusted_packages", {}),
    ]


def changed_features(manifest: Mapping[str, Any], settings: Settings) -> str | None:
    """Names the settings of features and labels that differ from a model's; None if none does.

    The functions of `games/features.py` that compute features count among them.
    """
    trained = decisive(manifest["settings"])
    current = json.loads(json.dumps(decisive_settings(settings)))
    changed = [
        f"{path} was {value_text(_get(trained, path))} and is {value_text(_get(current, path))}"
        for path in _paths(trained, current)
        if _get(trained, path) != _get(current, path)
        and not (path.startswith("tables") and trained["tables"] is None)
    ]
    code = manifest.get("code", {}).get("features", "")
    is_same_list = _get(trained, PYTHON) == _get(current, PYTHON)
    if is_same_list and code != own_functions_digest(settings):
        changed.append(f"the code of {PYTHON} has changed")
    return "; ".join(changed) or None


def check_same_features(manifest: Mapping[str, Any], settings: Settings, retrain: str) -> None:
    """Refuses a model whose features or labels were built with other settings.

    Raises:
        ModelError: Settings differ; names them.
    """
    if changed := changed_features(manifest, settings):
        raise ModelError(
            f"{settings.game}: model {manifest['version']} was trained on other features or "
            f"labels: {changed}. Set these back, or train again: {retrain}"
        )


def outcome_of(settings: Mapping[str, Any]) -> OutcomeSettings:
    """What counted as churn by the settings in a manifest."""
    return OutcomeSettings.model_validate(upgraded(settings)["outcome"])


def has_label_leakage(manifest: Mapping[str, Any], opens: date) -> bool:
    """Whether a model was trained on labels not yet available when a window opens."""
    return date.fromisoformat(manifest["labels_known_by"]) > opens


def check_label_leakage(
    manifest: Mapping[str, Any], window: tuple[date, date], setting: str, allowed: bool
) -> str | None:
    """Refuses a model that was trained on labels not yet available when a window opens.

    Args:
        manifest: The model's.
        window: First and last start of the subscriptions to predict.
        setting: The window's name in the settings.
        allowed: Whether the settings allow label leakage.

    Returns:
        The warning for reports if there is label leakage and it is allowed; None without leakage.

    Raises:
        ModelError: There is label leakage, and it is not allowed.
    """
    after = f"{setting} opens on {window[0]}"
    return _leakage(manifest, window[0], after, f"a later {setting}.start", allowed)


def check_known_by(manifest: Mapping[str, Any], as_of: date, allowed: bool) -> str | None:
    """Refuses a model that was trained on labels not yet available on the day of a prediction.

    Args:
        manifest: The model's.
        as_of: The day.
        allowed: Whether the settings allow label leakage.

    Returns:
        See `check_label_leakage`.

    Raises:
        ModelError: There is label leakage, and it is not allowed.
    """
    return _leakage(manifest, as_of, f"{as_of}, the day of the run", "a later --as-of", allowed)


def has_learnt_of(manifest: Mapping[str, Any], opens: date) -> bool:
    """Whether a model was trained on rows of a window that opens on a day, or of later ones."""
    return date.fromisoformat(manifest["window"][1]) >= opens


def check_not_learnt(
    manifest: Mapping[str, Any], opens: date, setting: str, allowed: bool
) -> str | None:
    """Refuses a model that was trained on rows that it is to predict.

    Args:
        manifest: The model's.
        opens: The first day of the window to predict.
        setting: The window's name in the settings.
        allowed: Whether the settings allow label leakage.

    Returns:
        See `check_label_leakage`.

    Raises:
        ModelError: It was, and this is not allowed.
    """
    if not has_learnt_of(manifest, opens):
        return None
    what = (
        f"model {manifest['version']} was trained on rows up to {manifest['window'][1]}, after "
        f"{setting} opens on {opens}"
    )
    if allowed:
        return f"{what}: predictions are too good to be true (allow_label_overlap is set)"
    raise ModelError(
        f"{manifest['game']}: {what}: label leakage. Use a model trained as of an earlier day, a "
        f"later {setting}.start, or set allow_label_overlap = true."
    )


def _leakage(
    manifest: Mapping[str, Any], day: date, after: str, remedy: str, allowed: bool
) -> str | None:
    if not has_label_leakage(manifest, day):
        return None
    what = (
        f"model {manifest['version']} was trained on labels available up to "
        f"{manifest['labels_known_by']}, after {after}"
    )
    if allowed:
        return f"{what}: metrics are optimistic (allow_label_overlap is set)"
    raise ModelError(
        f"{manifest['game']}: {what}: label leakage. Use a model trained as of an earlier day, "
        f"{remedy}, or set allow_label_overlap = true."
    )


def _paths(*trees: Mapping[str, Any]) -> list[str]:
    """Paths of up to `DEPTH` levels, which name the setting to look at."""
    paths: dict[str, None] = {}
    for tree in trees:
        for name in DECISIVE:
            paths |= dict.fromkeys(_below(tree.get(name), name, DEPTH - 1))
    return list(paths)


def _below(value: Any, path: str, depth: int) -> Iterator[str]:
    if not depth or not isinstance(value, Mapping):
        yield path
        return
    for key, inner in value.items():
        yield from _below(inner, f"{path}.{key}", depth - 1)


def _get(tree: Mapping[str, Any], path: str) -> Any:
    value: Any = tree
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
