import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Does a new feature help?")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Does a new feature help?

    From the raw tables of a game to an answer with a confidence interval, without a flow: the same
    functions as in production, a feature of our own, and a comparison on the same subscriptions.
    """)


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import churnlib

    return churnlib, mo, pl


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Data and features

    Every row of the raw tables is checked against the rules of its table. A row of features is one
    subscription on the day of its start. `as_of` is the day of the whole run: nothing dated after
    it is read, and labels that are not available by then are null.
    """)


@app.cell
def _(churnlib):
    settings = churnlib.load_settings("game1")
    tables = churnlib.read_tables(settings)
    as_of = churnlib.latest_day(tables, settings)
    features = churnlib.feature_table(tables, settings, as_of=as_of)
    return as_of, features, settings, tables


@app.cell
def _(features):
    features.head(5).collect()


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## A feature of our own

    Does hoarding predict churn? `hard_balance_to_mean` is the newest balance divided by the mean of
    all until then. The function gets the rows of the currency that were known on the day of each
    subscription, and nothing else, so it cannot look into the future.
    """)


@app.cell
def _(as_of, churnlib, pl, settings, tables):
    @churnlib.feature(table="character_currency")
    def hard_balance_to_mean(rows: pl.LazyFrame) -> pl.LazyFrame:
        """The newest balance by the mean of all; null without one, or if the mean is 0."""
        newest, mean = pl.col("hard_balance").last(), pl.col("hard_balance").mean()
        ratio = pl.when(mean != 0).then(newest / mean)
        return rows.group_by("row_id").agg(ratio.alias("ratio"))

    extended = churnlib.feature_table(
        tables, settings, as_of=as_of, functions=[hard_balance_to_mean]
    )
    return (extended,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Fit on the training window, test on later months

    The windows are those of the settings. All labels of the first are available before the second
    opens, so there is no label leakage.
    """)


@app.cell
def _(as_of, churnlib, extended, features, settings):
    def fitted_and_tested(table, name):
        train, test = (
            churnlib.in_window(table, *window.span(as_of)).collect()
            for window in (settings.windows.train, settings.windows.score)
        )
        model = churnlib.fit(train, settings.train, seed=7)
        return churnlib.back_test(model, test, settings, as_of=as_of, name=name)

    before = fitted_and_tested(features, "as configured")
    after = fitted_and_tested(extended, "with hard_balance_to_mean")
    return after, before


@app.cell
def _(after, before, pl):
    pl.DataFrame(
        {"model": found.report.model_version, "rows": scores.n}
        | {"roc_auc": scores.roc_auc, "low": scores.roc_auc_ci[0], "high": scores.roc_auc_ci[1]}
        | {"log_loss": scores.log_loss, "calibration_error": scores.expected_calibration_error}
        for found in (before, after)
        for scores in (found.scores["general"],)
    ).with_columns(pl.selectors.float().round(4))


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Is it better?

    Both models predict the same subscriptions, so what counts is the confidence interval of the
    *difference*, which is much narrower than those of the two models. If it contains 0, there is no
    significant difference.
    """)


@app.cell
def _(after, before, churnlib):
    both = before.rows.join(
        after.rows.select("sub_id", with_feature="churn_probability"), on="sub_id"
    )
    difference = churnlib.paired_difference(both, "with_feature", "churn_probability", "roc_auc")
    return (difference,)


@app.cell
def _(difference, mo):
    low, high = difference.interval()
    answer = "better" if low > 0 else "worse" if high < 0 else "not significantly different"
    mo.md(
        f"With the feature the model is **{answer}**: ROC AUC {difference.difference:+.4f}, "
        f"95 % confidence interval {low:+.4f} to {high:+.4f}."
    )


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Into production

    Move the function to [`games/features.py`](../games/features.py), where this one is, and name
    it in the game's file: `[features.python]`, `use = ["hard_balance_to_mean"]`. All flows then
    compute it, and a model that was trained with it is refused once its code has changed. First,
    `churn train --game game1 --from-raw --set 'features.python.use=["hard_balance_to_mean"]'`
    shows the report.

    ## The whole report

    The same page as `churn score` writes; `after.save("report.html")` keeps it.
    """)


@app.cell
def _(after):
    after


if __name__ == "__main__":
    app.run()
