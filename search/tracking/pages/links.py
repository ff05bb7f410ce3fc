"""Links into the MLflow UI that land on the right page, and the command that opens the UI on a store.

The addresses are those of MLflow 3.17's single-page UI: everything after `#` is routed in the browser.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from search.config.credentials import without_userinfo

UI_PORT = 5000
# Without it a browser that has never seen the experiment opens the page for GenAI work.
_MACHINE_LEARNING = {"workflowType": "machine_learning"}

# The job runner alone is eight of the ten processes that the server starts by default.
_SERVER_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def base_url(tracking_uri: str, port: int = UI_PORT) -> str:
    """The address of the UI: the server's own, or the one that the printed command starts."""
    return without_userinfo(tracking_uri) if is_server(tracking_uri) else f"http://127.0.0.1:{port}"


def is_server(tracking_uri: str) -> bool:
    """Whether the store is a server, which has a UI of its own."""
    return tracking_uri.lower().startswith(("http://", "https://"))


def run_link(base_url: str, run_id: str, experiment_id: str | None = None) -> str:
    """The page of a run; where its experiment is not known the UI shows it among its pages for GenAI work."""
    within = "runs" if experiment_id is None else _runs_page(experiment_id)
    return _page(base_url, f"{within}/{quote(run_id, safe='')}", _MACHINE_LEARNING)


def artifact_page(experiment_id: str, run_id: str, file: str) -> str:
    """The page that shows a file of a run, as a link within the UI."""
    return f"#/{_runs_page(experiment_id)}/{quote(run_id, safe='')}/artifacts/{quote(file)}"


def compare_link(base_url: str, experiment_ids: Sequence[str], run_ids: Sequence[str]) -> str:
    """The page that puts these runs side by side: parameters, metrics and what differs."""
    query = {"runs": _compact_json(run_ids), "experiments": _compact_json(experiment_ids)}
    return _page(base_url, "compare-runs", query | _MACHINE_LEARNING)


def leaderboard_link(
    base_url: str, experiment_id: str, parent_run_id: str, order_by_metric: str, ascending: bool
) -> str:
    """The trials of one sweep as a table, best first: an address that needs no saved view."""
    query = {
        "searchFilter": children_filter(parent_run_id),
        "orderByKey": metric_column(order_by_metric),
        "orderByAsc": json.dumps(ascending),
        "startTime": "ALL",
    }
    return _page(base_url, _runs_page(experiment_id), query | _MACHINE_LEARNING)


def view_link(base_url: str, experiment_id: str, view_key: str, charts: bool) -> str:
    """A saved view (`search.tracking.pages.saved_views`), as a table or as charts.

    The address carries neither filter nor order: where it does, the UI ignores the saved view.
    """
    query = {"viewStateShareKey": view_key, "compareRunsMode": "CHART" if charts else "TABLE"}
    return _page(base_url, _runs_page(experiment_id), query | _MACHINE_LEARNING)


def children_filter(parent_run_id: str) -> str:
    """MLflow's search expression for the trials below a sweep's parent run."""
    return f"tags.mlflow.parentRunId = '{parent_run_id}'"


def metric_column(metric: str) -> str:
    """A metric's name as the UI writes it for a column or an order."""
    return f"metrics.`{metric}`"


def ui_arguments(
    tracking_uri: str, host: str = "127.0.0.1", port: int = 5000
) -> tuple[list[str], dict[str, str]] | None:
    """Arguments that start the UI on this store, and variables to add to its environment.

    None where a server runs already, at an http address. Two processes and half a gigabyte, where a
    plain `mlflow server` takes ten and more than two.
    """
    if is_server(tracking_uri):
        return None
    # By module: the environment's `bin` need not be on PATH.
    listen = ["--host", host, "--port", str(port), "--workers", "1"]
    arguments = [sys.executable, "-m", "mlflow", "server", *listen]
    # Not as an argument: those of a process are for everybody to read, and the URI may hold a password.
    return arguments, {**_SERVER_ENVIRONMENT, "MLFLOW_BACKEND_STORE_URI": tracking_uri}


def _runs_page(experiment_id: str) -> str:
    return f"experiments/{quote(experiment_id, safe='')}/runs"


def _page(base_url: str, path: str, query: dict[str, str]) -> str:
    return f"{base_url.rstrip('/')}/#/{path}?{urlencode(query, quote_via=quote, safe='')}"


def _compact_json(value: Sequence[str]) -> str:
    return json.dumps(list(value), separators=(",", ":"))
