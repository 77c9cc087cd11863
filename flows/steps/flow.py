"""Prefect flows made of functions that take a run; all have the same parameters."""

from collections.abc import Callable
from typing import Any

from prefect import Flow
from prefect.context import FlowRunContext
from prefect.tasks import Task
from pydantic_core import to_jsonable_python

from churnlib.settings import Settings
from flows import FLOWS
from flows.engine.artifacts import show_datasets
from flows.engine.created_once import flow_runs_created_once
from flows.engine.events import labelled_as_deployed
from flows.engine.ledger import ledger
from flows.engine.node import Kinds, Pipeline
from flows.engine.run_logger import told_once
from flows.engine.server_outage import wait_for_server
from flows.engine.tries import changes_of_try, labelled_as_try
from flows.steps.database_tables import read_once
from flows.steps.parameters import AsOf, Game, Overrides
from flows.steps.run import Run, open_run
from flows.steps.run_day import shared_day
from flows.task import refreshing

PARAMETERS = """
Args:
    game: The game, the name of its file under games/.
    as_of: The day of the run; nothing dated later is read. If empty, the first day of the latest
        month that has arrived in the histories.
    overrides: Settings by dotted path, such as {"train.seed": 7}.
    data_dir: The data folder, or the URI of one in an object store, such as s3://bucket/data; the
        one in the settings if empty. A run of a deployment may only name a folder inside that.
    refresh: Run every task again instead of using cached results.
"""
MODEL = """    model: The model version to use instead of the champion or a candidate.
"""
REPLACE = """    replace: Replace delivered predictions by another model, window or campaign.
"""


class ChurnFlow(Flow[..., Any]):
    """A flow whose parameters are plain values."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the flow once Prefect's server answers.

        Prefect tries again what a restart of the server interrupts, but not the first request of
        a client, and a sub-flow starts with a client of its own.
        """
        wait_for_server()
        with flow_runs_created_once():
            return super().__call__(*args, **kwargs)

    def with_options(self, *args: Any, **kwargs: Any) -> Flow[..., Any]:
        """Copies the flow with other options; unlike Prefect's copy, it is of the same class."""
        copy = super().with_options(*args, **kwargs)
        copy.__class__ = type(self)
        return copy

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Makes the parameters JSON, as Prefect does, but without importing FastAPI."""
        plain: dict[str, Any] = to_jsonable_python(parameters)
        return plain


def churn_flow(
    name: str,
    *,
    tasks: tuple[Task[..., Any], ...] = (),
    tables: Kinds | Callable[[Settings], Kinds] = (),
    parts: tuple[Flow[..., Any], ...] = (),
) -> Callable[[Callable[[Run], Any]], Flow[..., Any]]:
    """Makes a flow of a function that takes a run.

    It also takes a model version, and whether to replace what it delivered, if `flows.FLOWS` says
    so.

    Args:
        name: The name of the flow.
        tasks: The tasks that it calls, for the map; see `flows.engine.node.Pipeline`.
        tables: The kinds of the raw tables that it runs some of them for; see `Pipeline`.
        parts: The flows that it calls.
    """
    base = FLOWS.get(name.removesuffix("-from-raw").replace("-", "_"))
    takes_model = base is not None and base.model is not None
    pipeline = Pipeline(tasks, tables, parts)

    def make(body: Callable[[Run], Any]) -> Flow[..., Any]:
        def call(refresh: bool, game: str, *parameters: Any) -> Any:
            changed = any(value not in (None, False) for value in parameters)
            _, overrides, data_dir, *_ = parameters
            with (
                refreshing(refresh),
                labelled_as_deployed(changed=changed),
                labelled_as_try(changes_of_try(game, overrides, data_dir)),
                told_once(),
                read_once(),
                ledger() as calls,
            ):
                try:
                    with (
                        open_run(game, *parameters, kinds=pipeline.kinds) as run,
                        shared_day(run.derived),
                    ):
                        return body(run)
                finally:
                    show_datasets(game, calls)

        def entry(
            game: Game,
            as_of: AsOf = None,
            overrides: Overrides = None,
            data_dir: str | None = None,
            refresh: bool = False,
        ) -> Any:
            return call(refresh, game, as_of, overrides, data_dir)

        def entry_with_model(
            game: Game,
            as_of: AsOf = None,
            overrides: Overrides = None,
            data_dir: str | None = None,
            refresh: bool = False,
            model: str | None = None,
        ) -> Any:
            return call(refresh, game, as_of, overrides, data_dir, model)

        def entry_of_delivery(
            game: Game,
            as_of: AsOf = None,
            overrides: Overrides = None,
            data_dir: str | None = None,
            refresh: bool = False,
            model: str | None = None,
            replace: bool = False,
        ) -> Any:
            return call(refresh, game, as_of, overrides, data_dir, model, replace)

        function: Callable[..., Any] = entry_with_model if takes_model else entry
        if is_delivery := base is not None and base.is_delivery:
            function = entry_of_delivery
        function.__name__ = function.__qualname__ = body.__name__
        function.__module__ = body.__module__
        more = (MODEL if takes_model else "") + (REPLACE if is_delivery else "")
        function.__doc__ = f"{body.__doc__}\n{PARAMETERS}{more}"
        vars(function)["pipeline"] = pipeline
        return ChurnFlow(function, name=name, flow_run_name="{game}", persist_result=False)

    return make


def is_subflow() -> bool:
    """Returns whether another flow runs the current one."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.parent_task_run_id)
