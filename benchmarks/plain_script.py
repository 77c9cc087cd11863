"""What a user would write instead: `python -m benchmarks.plain_script FOLDER`.

Reads the CSV files of a game, computes the features and labels of the training months, fits the
same model on all but the last three months and prints its ROC AUC on these. It checks nothing,
stores nothing, and neither calibrates, compares nor reports.
"""

import sys
from pathlib import Path

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

BALANCES = ("hard_balance", "soft_balance")
FACTS = ("gender", "race", "class", "territory", "sub_type", "sub_size")


def month(column: str) -> pl.Expr:
    """The number of a date's month."""
    date = pl.col(column).dt
    return 12 * date.year() + date.month().cast(pl.Int32)


def features(folder: Path) -> pl.DataFrame:
    """One row per subscription: its features, month `start` and label."""
    read = {
        name: pl.read_csv(folder / f"{name}.csv", try_parse_dates=True)
        for name in ("character_data", "character_currency", "sub_data", "sub_miss")
    }
    currency = read["character_currency"].sort("char_id", "date")
    as_of = currency.select(month("date").max()).item()
    missed = (
        read["sub_miss"]
        .with_columns(first=month("start_date"), last=month("end_date").fill_null(as_of - 1))
        .filter(pl.col("last") - pl.col("first") >= 2)
        .group_by("sub_id")
        .agg(churned=pl.col("first").min() + 3)
    )
    subs = (
        read["sub_data"]
        .join(read["character_data"], on="char_id")
        .join(missed, on="sub_id", how="left")
        .with_columns(
            start=month("sub_start_date"),
            age=month("sub_start_date") - month("creation_date"),
            mastery=month("class_mastery_date") - month("creation_date"),
            is_mastered=pl.col("class_mastery_date") <= pl.col("sub_start_date"),
            revenue=pl.col("sub_months") * pl.col("price"),
            number=pl.col("sub_start_date").rank("min").over("char_id"),
        )
        .filter(pl.col("start").is_between(as_of - 31, as_of - 14))
        .with_columns(
            pl.when("is_mastered").then("mastery").alias("mastery"),
            label=(pl.col("churned") - pl.col("start")).is_between(1, 6).fill_null(False),
        )
    )
    visible = subs.select("sub_id", "char_id", "sub_start_date").join(currency, on="char_id")
    history = (
        visible.filter(pl.col("date") <= pl.col("sub_start_date"))
        .sort("sub_id", "date")
        .group_by("sub_id", maintain_order=True)
        .agg(
            pl.col(*BALANCES, "sub_hard", "sub_soft").last(),
            *(
                getattr(pl.col(*BALANCES), name)().name.suffix(f"_{name}")
                for name in ("mean", "max", "min", "std")
            ),
            *(
                (pl.col(name).last() - pl.col(name).get(-1 - back, null_on_oob=True)).alias(
                    f"{name}_diff_{back}"
                )
                for name in BALANCES
                for back in (1, 3, 6)
            ),
        )
    )
    dropped = ("char_id", "churned", "total_kills", "total_deaths", "sub_id")
    table = subs.join(history, on="sub_id", how="left").drop(*dropped)
    dates = [name for name, kind in table.schema.items() if kind == pl.Date]
    return table.drop(dates).with_columns(pl.col(*FACTS).cast(pl.String).cast(pl.Categorical))


def main(folder: str) -> None:
    """Fits the model and prints its ROC AUC."""
    rows = features(Path(folder))
    is_late = pl.col("start") > rows["start"].max() - 3  # type: ignore[operator]
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype",
        learning_rate=0.05,
        max_iter=1000,
        max_leaf_nodes=15,
        max_features=0.3,
        min_samples_leaf=100,
        l2_regularization=1.0,
        early_stopping=True,
        random_state=1,
    )
    early, late = rows.filter(~is_late), rows.filter(is_late)
    model.fit(early.drop("label", "start"), early["label"])
    probabilities = model.predict_proba(late.drop("label", "start"))[:, 1]
    auc = roc_auc_score(late["label"], probabilities)
    print(f"{len(rows):,} rows, ROC AUC {auc:.3f} on {len(late):,}")


if __name__ == "__main__":
    main(sys.argv[1])
