"""A game taken through all flows, as its months would bring them."""

import argparse
import os
from collections.abc import Iterator
from datetime import date
from typing import Any

from flows.cli.arguments import run_parameters
from flows.cli.session import in_session, load_checked


def run_all(args: argparse.Namespace) -> int:
    """Trains from raw, back-tests, predicts an earlier batch and scores it, predicts the latest.

    Args:
        args: As `flows.cli.arguments.add_run_arguments` reads them.

    Returns:
        The exit status, as `flows.cli.session.main`.
    """
    parameters = run_parameters(args)
    print(f"{args.game}: train, back-test, predict a batch, score it, predict the next", flush=True)
    told: list[str] = []
    status = in_session(parameters, lambda: told.extend(_take_through(parameters)))
    print(*told, sep="\n", end="\n" if told else "")
    return status


def _take_through(parameters: dict[str, Any]) -> Iterator[str]:
    """Runs the flows; tells then what came of each."""
    from churnlib.io.catalog import Catalog
    from churnlib.versions.manifest import read_manifest
    from flows.batch_predict import batch_predict
    from flows.batch_score import batch_score
    from flows.score import score
    from flows.steps.past_predictions import day_to_predict
    from flows.train import train_from_raw

    model = train_from_raw(**parameters)
    settings = load_checked(parameters)
    training = Catalog(settings.data_dir, settings.game).report("in_sample_report")
    made = {"model": model.uri, "training report": training.uri.replace(".json", ".html")}
    made["back-test"] = score(**parameters)[-1].uri
    day = date.fromisoformat(read_manifest(model)["as_of"])
    if (then := day_to_predict(settings, day)) is not None:
        made["earlier predictions"] = batch_predict(**{**parameters, "as_of": then}).uri
        made["their score"] = batch_score(**parameters)[-1].uri
    made["predictions"] = batch_predict(**parameters).uri
    yield f"\n{parameters['game']}, as of {day}:"
    for what, place in made.items():
        yield f"  {what:<20} {os.path.relpath(place)}"
    if then is None:
        scored, predicted = settings.windows.batch_score, settings.windows.batch_predict
        yield (
            "  skipped: an earlier batch and its score, because windows.batch_predict "
            f"({predicted.start} to {predicted.end}) covers windows.batch_score ({scored.start} "
            f"to {scored.end}) as of no day up to {day}. State both in months relative to as_of."
        )
