import re
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.csv_delivery import deliver_csv, holds_csv
from tests.churnlib.io.databases.deliveries import JULY, JUNE, V1, V2, batch


def test_batch_is_a_file_of_its_own_as_text_of_full_precision(tmp_path: Path) -> None:
    one = batch("hawk", JUNE, 3)
    assert not holds_csv(one, str(tmp_path))
    file = deliver_csv(one, str(tmp_path))
    assert file == str(tmp_path / "hawk" / "predictions_2024-06.csv")
    assert Path(file).read_text().splitlines() == [
        "game,batch_month,as_of,delivery_id,char_id,sub_id,sub_start_date,churn_probability,"
        "risk_rank,model_version,contact",
        f"hawk,2024-06-01,2024-08-01,{one.delivery},it's 0,0,2024-06-01,0.0,1,{V1},true",
        f"hawk,2024-06-01,2024-08-01,{one.delivery},it's 1,1,2024-06-02,{1 / 7},2,{V1},false",
        f"hawk,2024-06-01,2024-08-01,{one.delivery},it's 2,2,2024-06-03,,,{V1},",
    ]
    before = Path(file).read_bytes()
    deliver_csv(batch("hawk", JULY, 2), str(tmp_path))
    deliver_csv(one, str(tmp_path))
    assert Path(file).read_bytes() == before
    assert holds_csv(one, str(tmp_path))
    assert not holds_csv(batch("hawk", JUNE, 2), str(tmp_path))


def test_file_of_another_model_is_replaced_only_if_asked(tmp_path: Path) -> None:
    file = Path(deliver_csv(batch("hawk", JUNE, 3), str(tmp_path)))
    before, second = file.read_bytes(), batch("hawk", JUNE, 3, V2)
    message = f"{file} holds the batch 2024-06 of hawk as predicted by model {V1}, .* --replace"
    with pytest.raises(DataError, match=message):
        deliver_csv(second, str(tmp_path))
    assert file.read_bytes() == before
    deliver_csv(second, str(tmp_path), replaces=True)
    assert pl.read_csv(file)["model_version"].unique().to_list() == [V2]


def test_file_that_is_no_delivery_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "hawk" / "predictions_2024-06.csv"
    file.parent.mkdir()
    file.write_text("notes\nmine\n")
    with pytest.raises(DataError, match=re.escape(f"{file} is not a delivered batch")):
        deliver_csv(batch("hawk", JUNE, 3), str(tmp_path))
    assert file.read_text() == "notes\nmine\n"


def test_batch_is_delivered_to_an_object_store(bucket: str) -> None:
    one = batch("hawk", JUNE, 3)
    file = deliver_csv(one, f"{bucket}/exports")
    assert file == f"{bucket}/exports/hawk/predictions_2024-06.csv"
    assert holds_csv(one, f"{bucket}/exports")
