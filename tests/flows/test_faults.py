"""What a run says of the user's faults: once, in words; and that it leaves all as it was."""

import json
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from churnlib.io.table_writer import TableWriter
from tests.flows.studio import BATCH_DAY, LAST_DAY, Say, Studio, is_refusal, python
from tests.variants import slow_but

GAME = "game1"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gmae1"], "there is no game 'gmae1'"),
        ([GAME, "--set", "train.seeed=1"], "train.seeed (from --set): there is no such setting."),
        (
            [GAME, "--set", "HORIZON_MONTHS=1"],
            "HORIZON_MONTHS (from --set): there is no such setting. Did you mean "
            "'horizon_months'?",
        ),
        ([GAME, "--set", "horizon_months=0"], "horizon_months (from --set): "),
        ([GAME, "--set", "train.seed"], "'train.seed' is not PATH=VALUE, such as train.seed=7"),
        ([GAME, "--as-of", "2024-13-01"], "'2024-13-01' is not a date such as 2024-12-31"),
        (
            [GAME, "--set", "windows.train.start=1990-01-01", "--set", "windows.train.end=-14",
             "--as-of", "1991-01-01"],
            f"{GAME}: windows.train runs from 1990-01-01 to 1989-11-30",
        ),
        (
            [GAME, "--set", "windows.train.start=-700", "--set", "windows.train.end=-690"],
            f"{GAME}: windows.train selects no subscription: none starts from 1966-09-01 to "
            "1967-07-31; the data cover 2021-",
        ),
        (
            [GAME, "--set", "windows.train.end=-10"],
            "the training window ends at -10 and its labels are available 6 months later",
        ),
        ([GAME, "--set", "train.pipeline.model.type=os.system"], "os.system is not allowed"),
        (
            [GAME, "--set", "train.pipeline.model.params.max_itre=5"],
            "has no parameter 'max_itre' to set. Did you mean 'max_iter'?",
        ),
        (
            [GAME, "--set", "horizon_months=2"],
            "none of 437 subscriptions with a known label churned within horizon_months = 2. "
            "Of all 1,023 subscriptions, 157 had churned by 2025-01-01, 3 to ",
        ),
        ([GAME, "--set", "outcome.missed_months=2"], "were built with outcome = "),
        ([GAME, "--set", "standard.undated_totals=true"], "were built with standard = "),
    ],
)  # fmt: skip
def test_error_in_the_settings_of_a_training_is_reported_once(
    complete: Studio, say: Say, arguments: list[str], expected: str
) -> None:
    before = complete.outputs()
    output = say(complete, "train", *arguments)
    assert is_refusal(output, expected), output
    assert complete.outputs() == before


@pytest.mark.parametrize(
    ("flow", "settings", "expected"),
    [
        (
            "score",
            {"windows.train.start": -31, "windows.train.end": -27, "windows.score.start": -20},
            "labels available up to 2024-05-01, after windows.score opens on 2023-05-01",
        ),
        (
            "batch_predict",
            {"windows.batch_predict.start": -14, "windows.batch_predict.end": -14},
            "trained on rows up to 2023-11-30, after windows.batch_predict opens on 2023-11-01",
        ),
        ("score", {"features.character_currency.lookback_months": 3},
         'features.character_currency.lookback_months was "null" and is 3'),
        ("batch_predict", {"horizon_months": 5}, "horizon_months was 6 and is 5"),
        ("score", {"windows.score.start": -500, "windows.score.end": -490,
                   "windows.train.start": -600, "windows.train.end": -590,
                   "allow_label_overlap": "true"}, "windows.score selects no subscription"),
        ("batch_predict", {"windows.batch_predict.start": 1, "windows.batch_predict.end": 2},
         "windows.batch_predict selects no subscription: none starts from 2025-02-01"),
        ("batch_score", {"windows.batch_score.start": -8, "windows.batch_score.end": -8},
         f"Make it: churn batch-predict --game {GAME} --data-dir"),
    ],
)  # fmt: skip
def test_error_in_the_use_of_a_model_is_reported_once(
    complete: Studio, say: Say, flow: str, settings: dict[str, object], expected: str
) -> None:
    before = complete.outputs()
    output = say(complete, flow, GAME, *(f"--set={path}={v}" for path, v in settings.items()))
    assert is_refusal(output, expected), output
    assert complete.outputs() == before


NO_FEATURES = [
    ("include=['pirce']", "include: there is no column 'pirce'. Did you mean 'price'"),
    ("exclude=['nope']", "exclude: there is no column 'nope'. Nearest of "),
    ("exclude=['char_id']", "exclude: the column 'char_id' cannot be a feature."),
    ("include=['hard_balance_sum']", "include: there is no column 'hard_balance_sum'"),
]


@pytest.mark.parametrize(("setting", "expected"), slow_but(NO_FEATURES[0], of=NO_FEATURES))
def test_error_in_the_choice_of_features_is_reported_before_any_is_built(
    empty_studio: Studio, say: Say, setting: str, expected: str
) -> None:
    output = say(empty_studio, "train", GAME, "--from-raw", f"--set=train.features.{setting}")
    assert is_refusal(output, f"train.features.{expected}"), output
    assert {file.split("/")[0] for file in empty_studio.outputs()} <= {"02_intermediate"}


@pytest.mark.slow
def test_error_of_a_day_after_the_standard_features_is_reported_once(
    empty_studio: Studio, say: Say
) -> None:
    empty_studio.run("standard_features", GAME, as_of="2024-06-01")
    output = say(empty_studio, "train", GAME)
    assert is_refusal(output, "Build them again: churn standard-features"), output
    assert "2024-06-01" in output
    assert "2025-01-01" in output


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("train", "standard_features is missing"),
        ("score", "there is no model yet"),
        ("batch_predict", "there is no model yet"),
        ("batch_score", "standard_features is missing"),
    ],
)
def test_flow_without_its_inputs_names_the_flow_that_writes_them(
    empty_studio: Studio, say: Say, flow: str, expected: str
) -> None:
    output = say(empty_studio, flow, GAME)
    assert is_refusal(output, expected), output
    assert "churn " in output
    assert {file.split("/")[0] for file in empty_studio.outputs()} <= {"02_intermediate"}


@pytest.fixture
def spoil(complete: Studio) -> Callable[[str, str | None], None]:
    """Appends a line to a raw table, or removes the table."""

    def change(table: str, line: str | None) -> None:
        file = complete.file(f"01_raw/{GAME}/{table}.csv")
        if line is None:
            file.unlink()
        else:
            file.write_text(file.read_text() + line + "\n")

    return change


@pytest.fixture(autouse=True)
def _mend(complete: Studio) -> Iterator[None]:
    """Restores the raw tables after each test."""
    yield
    complete.restore()


UNREADABLE = "cannot be read as Parquet"


@pytest.mark.parametrize(
    ("flow", "file", "at", "message"),
    [
        ("train", f"03_primary/{GAME}/standard_features.parquet", -40, UNREADABLE),
        ("train", f"03_primary/{GAME}/standard_features.parquet", 4, "is not the file that"),
        ("batch_score", f"07_model_output/{GAME}/predictions_2024-06.parquet", -40, UNREADABLE),
        ("batch_score", f"07_model_output/{GAME}/predictions_2024-06.parquet", 4, UNREADABLE),
    ],
)
def test_error_in_a_file_that_a_flow_wrote_is_reported_once(
    complete: Studio, say: Say, flow: str, file: str, at: int, message: str
) -> None:
    path = complete.file(file)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[at : at + 40 if at > 0 else None] = b"\xff" * 40
    path.write_bytes(damaged)
    try:
        output = say(complete, flow, GAME)
    finally:
        path.write_bytes(whole)
    assert is_refusal(output, f"{path} {message}"), output


BAD = [
    ("character_data", "9,male,elf,mage,west,2022-02-30,,1,1", "creation_date must be a date"),
    ("character_currency", "999999,2022-01-05,1,1,1,1", "date must be the first day of a month"),
    ("sub_data", "9999,999999,2023-01-01,basic,6,small,9.99,1,1", "char_id must be in"),
    ("sub_miss", "999999,2023-01-01,2023-02-01", "sub_id must be in sub_data"),
    ("sub_data", None, "the raw table sub_data is missing"),
]


@pytest.mark.parametrize(("table", "line", "expected"), slow_but(BAD[2], BAD[4], of=BAD))
def test_error_in_a_raw_table_is_reported_once_and_all_outputs_stay(
    complete: Studio,
    say: Say,
    spoil: Callable[[str, str | None], None],
    table: str,
    line: str | None,
    expected: str,
) -> None:
    spoil(table, line)
    before = complete.outputs()
    output = say(complete, "train", GAME, "--from-raw")
    assert is_refusal(output, expected), output
    assert f"{GAME}: " in output
    assert complete.outputs() == before


@pytest.mark.slow
def test_invalid_rows_of_a_raw_table_may_be_quarantined(
    complete: Studio, spoil: Callable[[str, str | None], None]
) -> None:
    spoil("sub_miss", "999999,2023-01-01,2023-02-01")
    assert complete.command("train", GAME, "--from-raw", "--set=raw.on_bad_rows=quarantine") == 0
    assert len(complete.table(f"02_intermediate/{GAME}/sub_miss_rejected.parquet")) == 1
    report = complete.json(f"08_reporting/{GAME}/in_sample_report.json")
    assert report["data"]["quarantined"]["sub_miss"] == 1


def test_empty_currency_table_requires_a_day(complete: Studio, say: Say) -> None:
    complete.write_raw(GAME, "character_currency", complete.raw(GAME, "character_currency").head(0))
    output = say(complete, "train", GAME)
    assert is_refusal(output, "or name the day with --as-of."), output


@pytest.mark.slow
def test_score_of_subscriptions_without_labels_says_why_metrics_are_null(complete: Studio) -> None:
    young = ("--set=windows.score.start=-2", "--set=windows.score.end=-1")
    assert complete.command("score", GAME, *young) == 0
    for scores in (complete.json(f"08_reporting/{GAME}/score_report.json")[g] for g in
                   ("general", "new_characters")):  # fmt: skip
        assert scores["n"] == 0
        assert scores["immature"] > 0
        assert scores["roc_auc"] is scores["roc_auc_ci"] is scores["log_loss"] is None
        assert scores["reason"].startswith("the label is not yet available for ")


@pytest.mark.slow
def test_score_of_a_training_window_warns_if_allowed(complete: Studio) -> None:
    seen = ("--set=windows.score.start=-20", "--set=allow_label_overlap=true")
    assert complete.command("score", GAME, *seen) == 0
    warnings = complete.json(f"08_reporting/{GAME}/score_report.json")["warnings"]
    (warning,) = (w for w in warnings if "was trained on labels available up to 2024-05-01" in w)
    assert warning in complete.file(f"08_reporting/{GAME}/score_report.txt").read_text()


@pytest.mark.slow
def test_every_report_warns_of_an_allowed_label_overlap(complete: Studio) -> None:
    settings = ("--set=windows.score.start=-9", "--set=allow_label_overlap=true")
    for flow in ("train", "score", "batch_score"):
        assert complete.command(flow, GAME, *settings) == 0
    expected = (
        "training labels become available only by 2024-05-01, after windows.score opens on "
        "2024-04-01"
    )
    for name in ("in_sample_report", "score_report", "batch_score_report_2024-06"):
        warnings = complete.json(f"08_reporting/{GAME}/{name}.json")["warnings"]
        assert len([warning for warning in warnings if warning.startswith(expected)]) == 1, name


@pytest.mark.slow
def test_error_in_a_process_of_its_own_is_one_message(
    complete: Studio, spoil: Callable[[str, str | None], None]
) -> None:
    spoil("sub_miss", "999999,2023-01-01,2023-02-01")
    run = python("-m", "flows.train", *complete.arguments(GAME, "--from-raw"))
    assert is_refusal(f"exit {run.returncode}\n{run.stderr}", "sub_id must be in sub_data")
    assert run.stderr.count("ERROR") == 1
    assert "error: " not in run.stderr


@pytest.mark.parametrize("place", ["/no/such/folder", __file__])
def test_unusable_scratch_folder_is_one_sentence(complete: Studio, say: Say, place: str) -> None:
    scratch = f"--set=engine.scratch_dir={place}"
    output = say(complete, "standard_features", GAME, "--refresh", scratch)
    assert is_refusal(output, f"engine.scratch_dir = '{place}'"), output
    assert "Traceback" not in output


def test_standard_features_of_another_order_name_the_command(complete: Studio, say: Say) -> None:
    file = complete.file(f"03_primary/{GAME}/standard_features.parquet")
    pl.read_parquet(file).write_parquet(file)  # Without the footer of this version.
    output = say(complete, "train", GAME)
    assert is_refusal(output, "an earlier version wrote"), output
    assert "standard-features --game" in output


def test_unexpected_error_shows_its_traceback(
    complete: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(TableWriter, "add", fail)
    before = complete.outputs()
    output = say(complete, "standard_features", GAME, "--refresh")
    assert output.startswith("exit 1\n")
    assert "Traceback" in output
    assert "RuntimeError: out of luck" in output
    assert complete.outputs() == before


@pytest.mark.slow
def test_train_on_features_of_other_raw_data_warns_in_the_report(
    complete: Studio, spoil: Callable[[str, str | None], None]
) -> None:
    complete.run("train_from_raw", GAME)
    sub_id = complete.raw(GAME, "sub_data")["sub_id"][0]
    spoil("sub_miss", f"{sub_id},2024-12-01,2024-12-01")
    complete.run("train", GAME)
    (warning,) = complete.json(f"08_reporting/{GAME}/in_sample_report.json")["warnings"]
    assert warning.startswith("sub_miss: changed since the standard features were built")
    complete.run("train_from_raw", GAME)
    assert complete.json(f"08_reporting/{GAME}/in_sample_report.json")["warnings"] == []


@pytest.mark.slow
def test_every_report_warns_of_features_that_leak(empty_studio: Studio) -> None:
    leaky = {"standard.undated_totals": True}
    for flow, day in (
        ("train_from_raw", None), ("score", None), ("batch_predict", BATCH_DAY),
        ("batch_score", None),
    ):  # fmt: skip
        empty_studio.run(flow, GAME, leaky, as_of=day)
    reports = sorted(empty_studio.data.glob(f"08_reporting/{GAME}/*.json"))
    assert len(reports) == 4
    for report in reports:
        (warning,) = json.loads(report.read_text())["warnings"]
        assert "standard.undated_totals" in warning


@pytest.mark.slow
def test_standard_features_before_any_subscription_are_refused(complete: Studio, say: Say) -> None:
    complete.run("standard_features", GAME)
    before = complete.outputs()
    output = say(complete, "standard_features", GAME, "--as-of=1999-01-01")
    assert is_refusal(output, "no subscription had started by 1999-01-01"), output
    assert complete.outputs() == before


@pytest.mark.slow
def test_composite_reads_only_the_raw_tables_that_its_parts_read(
    complete: Studio, say: Say, spoil: Callable[[str, str | None], None]
) -> None:
    spoil("character_currency", None)
    day = f"--as-of={LAST_DAY}"
    assert complete.command("batch_score", GAME, "--from-raw", day) == 0
    for flow in ("train", "score"):
        output = say(complete, flow, GAME, "--from-raw", day)
        assert is_refusal(output, "the raw table character_currency is missing"), output


@pytest.mark.parametrize(
    ("flow", "day", "overlap", "refused"),
    [
        ("train", "2021-03-01", "false", "windows.train selects no subscription"),
        ("score", "2021-03-01", "true", "windows.score selects no subscription"),
        ("score", "2021-03-01", "false", "label leakage"),
        ("batch_score", "2021-03-01", "false", "windows.batch_score selects no subscription"),
        ("batch_score", "2024-03-01", "false", "predictions is missing"),
    ],
)
def test_refused_composite_keeps_the_standard_features(
    complete: Studio, say: Say, flow: str, day: str, overlap: str, refused: str
) -> None:
    before = complete.outputs()
    more = (f"--as-of={day}", f"--set=allow_label_overlap={overlap}")
    output = say(complete, flow, GAME, "--from-raw", *more)
    assert is_refusal(output, refused), output
    after = complete.outputs()
    for path in before:
        assert path.startswith("02_") or after[path] == before[path]


@pytest.mark.slow
def test_columns_that_no_table_declares_are_a_data_warning(empty_studio: Studio, say: Say) -> None:
    rows = empty_studio.raw(GAME, "character_data")
    empty_studio.write_raw(GAME, "character_data", rows.with_columns(platform=pl.lit("pc")))
    output = say(empty_studio, "standard-features", GAME)
    assert output.startswith("exit 0\n")
    warning = "not used, because no table declares the column platform"
    assert output.count(f"{GAME}: character_data: {warning}: {len(rows)} rows") == 1
    sources = empty_studio.json(f"03_primary/{GAME}/standard_features_sources.json")
    assert sources["character_data"]["odd"] == {warning: len(rows)}
