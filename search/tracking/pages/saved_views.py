"""Saved views of a sweep for the MLflow UI: its leaderboard and its charts.

A saved view is an experiment tag. Its format is internal to the UI and documented nowhere: what follows was
read in the JavaScript of MLflow 3.17 and looked at in a browser, and a browser test keeps it true. Another
version of the UI may not understand it, so a view is written at best effort; the plain
`search.tracking.pages.links.leaderboard_link` works without one.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from search.tracking.pages.links import children_filter, metric_column

_SECTION = "sweep"
_OPEN_SECTION = {"display": True, "deleted": False, "isReordered": False}
# Without a smoothness the UI smooths the lines.
_BY_EPOCH = {
    "type": "LINE",
    "xAxisKey": "step",
    "lineSmoothness": 0,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}


def view_key(parent_run_id: str, charts: bool) -> str:
    """What a sweep's view is called in its address: the `view_key` of `links.view_link`."""
    return f"{parent_run_id}-{'charts' if charts else 'leaderboard'}"


def leaderboard_view(
    parent_run_id: str, params: Sequence[str], metric: str, ascending: bool, name: str = "Leaderboard"
) -> tuple[str, str]:
    """The tag for: the trials below a sweep's parent run, best first, with the columns that tell them apart.

    `name` is how the UI's Views menu lists it among those of the experiment's other sweeps.
    """
    state = _table(parent_run_id, params, metric, ascending)
    return shared_view(view_key(parent_run_id, charts=False), name, state)


def charts_view(
    parent_run_id: str, params: Sequence[str], metric: str, ascending: bool, name: str = "Charts"
) -> tuple[str, str]:
    """The tag for: how the parameters shaped the metric, and how the trials learned.

    The table of this view is the leaderboard: the UI's Views menu opens every view as a table first. Metrics
    that have no chart here get one from the UI, in a section below. The UI leaves a trial without one of the
    parameters out of the parallel coordinates.
    """
    state = _table(parent_run_id, params, metric, ascending)
    state["compareRunCharts"] = [
        {"uuid": f"{_SECTION}-{number}", "metricSectionId": _SECTION, "deleted": False, "isGenerated": False}
        | chart
        for number, chart in enumerate(_charts(params, metric))
    ]
    state["compareRunSections"] = [
        {"uuid": _SECTION, "name": "Sweep", "columns": 2} | _OPEN_SECTION,
        # The UI adds the other metrics to a section of exactly this name, and loses them where there is none.
        {"uuid": f"{_SECTION}-others", "name": "Model metrics"} | _OPEN_SECTION,
    ]
    return shared_view(view_key(parent_run_id, charts=True), name, state)


def shared_view(key: str, name: str, state: Mapping[str, Any]) -> tuple[str, str]:
    """The experiment tag (key, value) that saves a state of the page of runs.

    The same state gives the same tag, so that writing it again changes nothing. In an experiment that holds
    forty views the UI offers to save no more of its user's own; these still open.
    """
    packed = base64.b64encode(zlib.compress(_json(state), level=9)).decode()
    # The UI wants the times, and only sorts its menu by them.
    envelope = {"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"}
    return f"mlflow.sharedViewState.{key}", _json(envelope).decode()


def _table(parent_run_id: str, params: Sequence[str], metric: str, ascending: bool) -> dict[str, Any]:
    columns = ["tags.`sweep.state`", metric_column(metric), *(f"params.`{name}`" for name in params)]
    return {
        "searchFilter": children_filter(parent_run_id),
        "orderByKey": metric_column(metric),
        "orderByAsc": ascending,
        "startTime": "ALL",
        "selectedColumns": columns,
        "columnOrder": [*columns, "duration"],  # a column that is always shown
        "runsHiddenMode": "SHOW_ALL",  # by default the UI draws the first ten runs
    }


def _charts(params: Sequence[str], metric: str) -> list[dict[str, Any]]:
    axes = _axes(params)
    result = {"key": metric, "type": "METRIC"}
    across = [{"key": name, "type": "PARAM"} for name in axes[:2]]
    charts: list[dict[str, Any]] = [
        {"type": "PARALLEL", "selectedParams": axes, "selectedMetrics": [metric], "showAllRuns": False}
    ]
    charts += [{"type": "SCATTER", "xaxis": axis, "yaxis": result} for axis in across[:1]]
    if len(across) == 2:
        charts.append({"type": "CONTOUR", "xaxis": across[0], "yaxis": across[1], "zaxis": result})
    charts.append({"type": "BAR", "metricKey": metric})
    by_epoch = dict.fromkeys([metric.removeprefix("final_"), "train_loss"])
    charts += [_BY_EPOCH | {"metricKey": key} for key in by_epoch]
    return charts


def _axes(params: Sequence[str]) -> list[str]:
    """What to draw. No chart has a log axis: a logarithm stands for its parameter, and comes first."""
    logs = [name for name in params if name.endswith("_log10")]
    return logs + [name for name in params if name not in logs and f"{name}_log10" not in logs]


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
