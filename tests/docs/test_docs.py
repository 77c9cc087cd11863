import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.features.activity import add_activity_features
from churnlib.features.outcome import add_label
from churnlib.features.standard import standard_features
from churnlib.metrics.contact import compare_counts
from churnlib.model.fit import fit
from churnlib.model.predict import predict
from churnlib.raw.validate import check_table
from churnlib.settings import (
    RawSettings,
    Settings,
    TrainSettings,
    describe_settings,
    load_settings,
)
from docs.data_checks import all_checks
from docs.generate import FOLDER, pages
from flows.cli.app import app, commands
from tests.docs.readme import README, is_its_figure, library_example

ROOT = FOLDER.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ALGORITHMS = (FOLDER / "algorithms.md").read_text(encoding="utf-8")
CAMPAIGNS = (FOLDER / "campaigns.md").read_text(encoding="utf-8")
CHAMPION = (FOLDER / "champion.md").read_text(encoding="utf-8")
DEPLOYMENTS = (ROOT / "deployments" / "README.md").read_text(encoding="utf-8")
AS_OF = date(2025, 1, 1)


def churn_commands(text: str) -> Iterator[list[str]]:
    """The arguments of `churn` in a page's shell blocks, also where it runs in a container."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                if Path(word).name == "churn" and (
                    place == 0 or not words[place - 1].startswith("-")
                ):
                    yield words[place + 1 :]


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


@pytest.mark.parametrize(
    "words", list(churn_commands(README + CHAMPION + DEPLOYMENTS)), ids=shlex.join
)
def test_documented_command_is_understood(words: list[str]) -> None:
    if words[:1] == ["init-game"]:  # Of a folder, which exists.
        words[words.index("--from") + 1] = str(FOLDER)
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    if (run := bound.arguments.get("run")) is not None:
        load_settings(run.game, run.changes)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"\n## churn {command}\n" in (FOLDER / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_documented_make_targets_exist(text: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"`make ([a-z -]+)`", text) + re.findall(r"^make ([a-z-]+)", text, re.M)
    targets = {target for words in named for target in words.split()}
    assert {"run", "test"} & targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_data_checks_name_all_settings_of_raw_tables_and_none_that_does_not_exist() -> None:
    named = {name for check in all_checks() for name in check.settings}
    assert {f"raw.{name}" for name in RawSettings.model_fields} <= named
    documented = re.findall(r"^  ([\w.<>]+): ", describe_settings(), re.M)
    assert named <= {*documented}


def test_links_have_targets() -> None:
    for page in (*ROOT.glob("*.md"), ROOT / "deployments" / "README.md", *FOLDER.glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.slow
def test_readme_library_example_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(library_example(), "README.md", "exec"), {})
    assert is_its_figure(capsys.readouterr().out)
    assert (tmp_path / "back_test.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("held_out", "printed"),
    [
        ((0, 0), "one of the two groups has no subscription with a known outcome yet"),
        (
            (18, 60),
            "churned: 30.0% of the held out, 20.0% of the contacted\n"
            "reduction in percentage points: 10.0 (-0.8 to 22.9)",
        ),
    ],
)
def test_documented_uplift_study_runs(
    held_out: tuple[int, int],
    printed: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data" / "08_reporting" / "game1"
    folder.mkdir(parents=True)
    study = compare_counts(contacted=(100, 500), held_out=held_out)
    empty = compare_counts(contacted=(0, 0), held_out=(0, 0))
    for month, hold_out in enumerate((study, None, empty)):
        report = json.dumps({"campaign": {"hold_out": hold_out}})
        (folder / f"batch_score_report_2024-0{month + 1}.json").write_text(report, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", CAMPAIGNS, re.DOTALL)
    exec(compile(example, "campaigns.md", "exec"), {})
    assert capsys.readouterr().out.strip() == printed


@pytest.fixture(scope="module")
def features() -> pl.DataFrame:
    settings = load_settings("game1")
    tables = _tables(settings)
    subs = standard_features(tables["character_data"], tables["sub_data"], settings, as_of=AS_OF)
    churned = subs.with_columns(churned_on=pl.col("sub_start_date").dt.offset_by("3mo"))
    some = pl.when(pl.col("sub_id") % 3 == 0).then(pl.col("churned_on"))
    labelled = add_label(churned.with_columns(churned_on=some), as_of=AS_OF, horizon_months=6)
    return add_activity_features(labelled.head(600), tables, settings, as_of=AS_OF).collect()


def _tables(settings: Settings) -> dict[str, pl.LazyFrame]:
    folder = ROOT / "data" / "01_raw" / "game1"
    from churnlib.io.datasets import Dataset

    return {
        name: check_table(
            Dataset(name, "game1", str(folder / f"{name}.csv")), name, settings
        ).rows.lazy()
        for name in ("character_data", "sub_data", "character_currency")
    }


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", ALGORITHMS, re.DOTALL))
def test_documented_algorithm_fits(block: str, features: pl.DataFrame) -> None:
    train: dict[str, Any] = tomllib.loads(block)["train"]
    settings = TrainSettings.model_validate(train)
    model = fit(features, settings, seed=1)
    probabilities = predict(model, features)
    assert probabilities.is_between(0, 1).all()
    assert probabilities.n_unique() > 1


def test_changelog_names_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {version('churnlib')}" in changelog


def test_docs_do_not_name_the_home_of_the_writer() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *FOLDER.glob("*.md")):
        assert str(Path.home()) not in page.read_text(encoding="utf-8")
