"""What the saved views hold, decoded as the UI decodes them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from search.tracking.pages.saved_views import charts_view, leaderboard_view, shared_view, view_key

PARAMS = ["depth", "width", "lr", "lr_log10"]


def _state(tag_value: str) -> dict[str, Any]:
    envelope = json.loads(tag_value)
    kind, _, packed = envelope["state"].partition(";")
    assert kind == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))
    return state


def _charts(params: list[str], metric: str = "final_val_acc") -> list[dict[str, Any]]:
    charts: list[dict[str, Any]] = _state(charts_view("p1", params, metric, False)[1])["compareRunCharts"]
    return charts


def _kinds(charts: list[dict[str, Any]]) -> list[str]:
    return [chart["type"] for chart in charts]


def test_a_view_comes_back_as_it_was_saved() -> None:
    state = {"searchFilter": "tags.a = 'é'", "selectedColumns": ["metrics.`x`"]}
    key, value = shared_view("k", "Küche", state)
    assert key == "mlflow.sharedViewState.k"
    assert json.loads(value)["name"] == "Küche"
    assert _state(value) == state


def test_the_same_view_is_the_same_tag() -> None:
    first, again = (charts_view("p1", PARAMS, "final_val_acc", False) for _ in range(2))
    assert first == again


def test_the_tags_are_found_by_the_keys_that_the_links_use() -> None:
    for view, charts in ((leaderboard_view, False), (charts_view, True)):
        tag_key, _ = view("p1", PARAMS, "final_val_acc", False)
        assert tag_key == f"mlflow.sharedViewState.{view_key('p1', charts)}"


def test_the_menu_shows_the_name() -> None:
    for view in (leaderboard_view, charts_view):
        assert json.loads(view("p1", PARAMS, "final_val_acc", False, name="mine")[1])["name"] == "mine"


@pytest.mark.parametrize("ascending", [False, True])
def test_the_leaderboard_is_of_one_sweep_and_best_first(ascending: bool) -> None:
    state = _state(leaderboard_view("p1", PARAMS, "final_val_loss", ascending)[1])
    assert state["searchFilter"] == "tags.mlflow.parentRunId = 'p1'"
    assert state["orderByKey"] == "metrics.`final_val_loss`"
    assert state["orderByAsc"] is ascending
    assert state["selectedColumns"] == [
        "tags.`sweep.state`",
        "metrics.`final_val_loss`",
        *(f"params.`{name}`" for name in PARAMS),
    ]


def test_the_charts_are_of_the_same_runs_and_of_all_of_them() -> None:
    table = _state(leaderboard_view("p1", PARAMS, "final_val_acc", False)[1])
    charts = _state(charts_view("p1", PARAMS, "final_val_acc", False)[1])
    assert charts["runsHiddenMode"] == "SHOW_ALL"
    assert table.items() <= charts.items()


def test_charts_draw_the_logarithm_in_place_of_the_parameter() -> None:
    parallel, scatter, contour, bar, accuracy, loss = _charts(PARAMS)
    assert parallel["selectedParams"] == ["lr_log10", "depth", "width"]
    assert parallel["selectedMetrics"] == ["final_val_acc"]
    rate, depth = ({"key": name, "type": "PARAM"} for name in ("lr_log10", "depth"))
    result = {"key": "final_val_acc", "type": "METRIC"}
    assert (scatter["xaxis"], scatter["yaxis"]) == (rate, result)
    assert (contour["xaxis"], contour["yaxis"], contour["zaxis"]) == (rate, depth, result)
    metrics = [chart["metricKey"] for chart in (bar, accuracy, loss)]
    assert metrics == ["final_val_acc", "val_acc", "train_loss"]
    assert _kinds([bar, accuracy, loss]) == ["BAR", "LINE", "LINE"]


def test_one_parameter_makes_no_contour() -> None:
    assert _kinds(_charts(["depth"])) == ["PARALLEL", "SCATTER", "BAR", "LINE", "LINE"]


def test_a_metric_is_drawn_once() -> None:
    assert _kinds(_charts(PARAMS, metric="final_train_loss")).count("LINE") == 1


def test_every_chart_has_its_own_id_and_a_section() -> None:
    state = _state(charts_view("p1", PARAMS, "final_val_acc", False)[1])
    ids = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(ids)) == len(ids)
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} <= {
        section["uuid"] for section in state["compareRunSections"]
    }


def test_a_view_of_many_parameters_fits_into_a_tag() -> None:
    params = [f"a_rather_long_parameter_name_{number}" for number in range(100)]
    assert len(charts_view("p1", params, "final_val_acc", False)[1]) < 5000
