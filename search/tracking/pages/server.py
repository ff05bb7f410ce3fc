"""Where a browser finds sweeps and trials in MLflow, and the UI to look with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from search.config.places import local_path
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.summary import SweepSummary
from search.study.records import TrialRecord
from search.tracking.pages.links import (
    UI_PORT,
    base_url,
    compare_link,
    leaderboard_link,
    ui_arguments,
    view_link,
)
from search.tracking.pages.saved_views import view_key
from search.tracking.store import SweepPage, TrackingStore
from search.tracking.uri import absolute_uri


def sweep_page(summary: SweepSummary) -> SweepPage | None:
    """Where its store shows a sweep; None if it has no run there.

    Raises:
        TrackingDown: the store does not answer.
    """
    config = summary.config
    store = TrackingStore(config.tracking_uri, config.experiment, create=False)
    run = store.find_run(sweep__id=summary.sweep_id, sweep__kind=config.kind)
    return None if run is None else SweepPage(store.uri, store.experiment_id, str(run.info.run_id))


def links(page: SweepPage, config: SweepConfig, port: int = UI_PORT) -> list[tuple[str, str]]:
    """Names and addresses of a sweep's pages.

    The first two are saved views, whose format is MLflow's own affair; the last works with any version.
    """
    base, experiment, run = base_url(page.tracking_uri, port), page.experiment_id, page.sweep_run_id
    ascending = not config.goal.maximises
    return [
        ("leaderboard", view_link(base, experiment, view_key(run, charts=False), charts=False)),
        ("charts", view_link(base, experiment, view_key(run, charts=True), charts=True)),
        ("all trials", leaderboard_link(base, experiment, run, f"final_{config.metric}", ascending)),
    ]


def comparison_link(
    trials: Sequence[tuple[SweepSummary, TrialRecord]], port: int = UI_PORT
) -> tuple[str, int]:
    """The address of MLflow's comparison of these trials, and how many of them it leaves out.

    It is of one store, the first trial's, and of the runs that this has by now.

    Raises:
        TrackingDown: the store does not answer.
    """
    uri = trials[0][0].config.tracking_uri
    stores: dict[str, TrackingStore] = {}  # by experiment
    run_ids = []
    for summary, record in trials:
        config = summary.config
        if absolute_uri(config.tracking_uri) != absolute_uri(uri):
            continue
        if config.experiment not in stores:
            stores[config.experiment] = TrackingStore(uri, config.experiment, create=False)
        run_id = stores[config.experiment].find_trial(config, summary.sweep_id, record.number)
        run_ids += [] if run_id is None else [run_id]
    experiments = [store.experiment_id for store in stores.values()]
    return compare_link(base_url(uri, port), experiments, run_ids), len(trials) - len(run_ids)


def serve_ui(tracking_uri: str, port: int, announce: Callable[[str], None]) -> None:
    """Run the MLflow UI on a store until it ends, or this process is asked to.

    Raises:
        UserError: the store is a server, which has its own UI; or the port is taken.
    """
    started = ui_arguments(absolute_uri(tracking_uri), port=port)
    if started is None:
        raise UserError(
            f"no UI to start: {base_url(tracking_uri)} is a server with a UI of its own; open it in a browser"
        )
    place = local_path(tracking_uri)
    if place is not None and not place.exists():
        raise UserError(f"no UI to start: tracking store {place} is not there, and would be made empty")
    arguments, variables = started
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise UserError(f"`port={port}`: {cause}; choose another for the UI") from error
    announce(f"MLflow UI on {base_url(tracking_uri, port)}; Ctrl-C ends it")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    # MLflow's server has children, which outlive it unless the whole group is ended.
    group = subprocess.Popen(arguments, env={**os.environ, **variables}, start_new_session=True)
    try:
        group.wait()
    except KeyboardInterrupt:
        os.killpg(group.pid, signal.SIGTERM)
        group.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
