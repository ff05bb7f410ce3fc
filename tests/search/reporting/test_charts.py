"""The charts of a report show every trial as the study has it, on axes that the space tells."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from studies import study_of
from sweep_makers import CONDITIONAL, epoch

from search.reader import open_sweep
from search.reporting import figures, style
from search.reporting.paper_figures import write_figures
from search.reporting.parameter_axis import ParameterAxis
from search.reporting.points import Point, points_of
from search.reporting.surface import surface
from search.reporting.trial_figures import learning_curves, timeline
from search.results.summary import summarise
from search.study.records import TrialRecord


def test_curves_and_bars_are_those_of_the_study(tmp_path: Path) -> None:
    config = study_of(tmp_path, 8)
    records = summarise(config.name, tmp_path).records
    figure = learning_curves(config, records)
    lines = {key: curve for trace in figure.data if trace.mode == "lines" for key, curve in curves(trace)}
    assert lines == {
        record.key: [(each.epoch, each.metrics["val_acc"]) for each in record.epochs] for record in records
    }
    ends = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert {name: (trace.marker.symbol, len(trace.x)) for name, trace in ends.items()} == {
        "complete": ("circle", 5),
        "pruned": ("x", 2),
        "failed": ("circle", 1),
    }
    assert list(ends["pruned"].y) == [
        record.epochs[-1].metrics["val_acc"] for record in records if record.state is TrialState.PRUNED
    ]
    *bars, numbers = timeline(records).data
    assert sum(len(bar.x) for bar in bars) == sum(len(record.epochs) for record in records)
    assert sorted(map(int, numbers.text)) == [record.number for record in records]
    assert {name for bar in bars for name in bar.y} == {"worker 1", "worker 2"}


def curves(trace: Any) -> list[tuple[str, list[tuple[int, float]]]]:
    """The lines of a trace, which has a gap after each: whose it is, and its points."""
    points = list(zip(trace.text, trace.x, trace.y, strict=True))
    lines = itertools.groupby(points, key=lambda point: point[0])
    return [(key, [(x, y) for _, x, y in line]) for key, line in lines if key is not None]


def test_what_a_browser_draws_does_not_grow_with_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MOST_POINTS", 50)
    config = study_of(tmp_path, 300)
    summary = summarise(config.name, tmp_path)
    assert len(learning_curves(config, summary.records).data) == 2 * 3 + 1
    *bars, numbers = timeline(summary.records).data
    assert sum(len(bar.x) for bar in bars) == len(numbers.x) == 300, "a bar a trial"
    *_, slices, parallel, contour, _ = figures.sweep_sections(summary)
    assert slices.title == "Slices (50 of 300 trials)"
    marks = slices.figures["slice_lr"].data
    assert [len(trace.x) for trace in marks] == [25, 25, 1], "the best has a mark of its own"
    assert max(record.value or 0.0 for record in summary.records) in marks[2].y
    assert parallel.title == "Parallel coordinates (50 of 300 trials)"
    surface = contour.figures["contour"].data[0]
    assert (len(surface.x), len(surface.y)) == (60, 60)


def test_a_timeline_is_in_minutes_and_names_what_was_interrupted() -> None:
    hour = 3_600_000

    def trained(number: int, *ends_ms: int) -> TrialRecord:
        epochs = tuple(
            epoch(place, metrics={"val_acc": 0.5, "epoch_s": 60.0}, timestamp_ms=end)
            for place, end in enumerate(ends_ms, 1)
        )
        return TrialRecord(number, TrialState.COMPLETE, {}, epochs, value=0.5)

    figure = timeline([trained(0, 60_000, 120_000), trained(1, 180_000, hour, hour + 60_000)])
    bars = next(trace for trace in figure.data if trace.x)
    assert list(bars.base) == pytest.approx([0, 1, 2, 59, 60])
    assert list(bars.x) == pytest.approx([1] * 5)
    assert list(figure.data[-1].text) == ["0", "1", "1"], "a trial that went on later has its number twice"
    (gap,) = figure.layout.shapes
    assert (gap.x0, gap.x1) == pytest.approx((3, 59))
    assert [each.text for each in figure.layout.annotations] == ["interrupted, 56 min 00 s"]


def test_every_trial_with_a_value_is_in_every_chart_and_the_best_is_marked(tmp_path: Path) -> None:
    config = study_of(tmp_path, 40)
    records = {record.key: record for record in summarise(config.name, tmp_path).records}
    best = max((each.value, key) for key, each in records.items() if each.value is not None)[1]
    drawn = open_sweep(config.name, tmp_path).figures
    for name in ("optimisation_history", "slice_lr", "slice_optimizer"):
        marks = {trace.name: trace for trace in drawn[name].data if trace.mode == "markers"}
        shown = {key: {told.split(",")[0] for told in trace.hovertext} for key, trace in marks.items()}
        assert shown["complete"] | shown["not complete"] == set(records)
        assert {records[key].state for key in shown["complete"]} == {TrialState.COMPLETE}
        assert {records[key].state for key in shown["not complete"]} == {TrialState.PRUNED, TrialState.FAIL}
        assert marks["not complete"].marker.symbol == "circle-open"
        assert shown["best"] == {best}
    of_some = [trace for trace in drawn["slice_momentum"].data if trace.name != "best"]
    having = sum("momentum" in each.params for each in records.values())
    assert sum(len(trace.x) for trace in of_some) == having
    history = {trace.name: trace for trace in drawn["optimisation_history"].data}
    last = dict(zip(history["not complete"].x, history["not complete"].y, strict=True))
    assert last[7] == records["trial-007"].epochs[-1].metrics["val_acc"]
    assert history["best so far"].line.shape == "hv"
    lines = drawn["parallel_coordinates"].data[0]
    assert len(lines.dimensions[0]["values"]) == 40
    assert [list(records)[place] for place, shade in enumerate(lines.line.color) if shade == 1] == [best]
    assert {list(records)[place] for place, shade in enumerate(lines.line.color) if shade == 0} == {
        key for key, each in records.items() if each.value is None or each.state is not TrialState.COMPLETE
    }
    (line,) = (trace for trace in drawn["learning_curves"].data if trace.name == "best")
    assert set(line.text) == {best, None}


def test_axes_span_the_space_in_its_own_scale_and_in_order_of_importance(tmp_path: Path) -> None:
    config = study_of(tmp_path, 40)
    sweep = open_sweep(config.name, tmp_path)
    order = list(sweep.summary.importances)
    slices = [name for name in sweep.figures if name.startswith("slice_")]
    assert slices == [f"slice_{name}" for name in order]
    dimensions = {each.label: each for each in sweep.figures["parallel_coordinates"].data[0].dimensions}
    assert list(dimensions) == ["val_acc", *order]
    assert tuple(dimensions["lr"].range) == (-3, 0)
    assert dimensions["lr"].ticktext == ("0.001", "0.01", "0.1", "1")
    assert dimensions["optimizer"].ticktext == ("sgd", "adamw")
    axis = sweep.figures["slice_lr"].layout.xaxis
    assert axis.range[0] < -3 < 0 < axis.range[1]
    low, high = sweep.figures["slice_momentum"].layout.xaxis.range
    assert 0.78 < low < 0.8 < 0.99 < high < 1.01


@pytest.mark.parametrize(
    ("distribution", "ticks"),
    [
        (IntDistribution(1, 3), ["1", "2", "3"]),
        (IntDistribution(4, 4), ["4"]),
        (IntDistribution(16, 128, log=True), ["20", "50", "100"]),
        (FloatDistribution(1e-9, 1.0, log=True), ["1e-09", "1e-07", "1e-05", "0.001", "0.1"]),
        (FloatDistribution(0.0, 0.5), ["0", "0.2", "0.4"]),
        (CategoricalDistribution([None, True]), ["-", "True"]),
    ],
)
def test_ticks_are_few_and_round(distribution: BaseDistribution, ticks: list[str]) -> None:
    axis = ParameterAxis("any", distribution)
    assert list(axis.ticks.values()) == ticks
    low, high = axis.span
    assert all(low < position < high for position in axis.ticks)
    assert axis.position("nonsense") is None


def test_no_colour_of_a_mark_comes_near_the_background() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    by_rank = [luminance(colour) for colour in style.SCALE]
    assert by_rank == sorted(by_rank, reverse=True), "the better the darker"
    assert all(1.05 / (0.05 + each) > 2.2 for each in [*by_rank, *map(luminance, style.COLOURS.values())])


def test_a_contour_is_over_numbers_with_enough_trials_and_nowhere_beyond_them(tmp_path: Path) -> None:
    few, many = study_of(tmp_path, 20, name="few"), study_of(tmp_path, 60, name="many")
    assert "contour" not in open_sweep(few.name, tmp_path).figures, "13 complete trials"
    points = points_of(summarise(many.name, tmp_path))
    axes = {name: ParameterAxis(name, each) for name, each in CONDITIONAL.parameters.items()}
    both = [axes["optimizer"], axes["momentum"], axes["lr"]]
    found = surface(both, [point for point in points if "momentum" in point.record.params])
    if found is not None:
        assert [axis.name for axis in found.axes] == ["momentum", "lr"]
        assert np.isnan(found.z).any()
    assert surface([axes["optimizer"], axes["lr"]], points) is None
    alike = [
        Point(dataclasses.replace(each.record, params={"lr": 0.1, "momentum": 0.9}), 0.5) for each in points
    ]
    assert surface(both, alike) is None
    on_a_line = [
        Point(
            dataclasses.replace(each.record, params={"lr": 10 ** -(n / 60), "momentum": 0.8 + n / 1000}), 0.5
        )
        for n, each in enumerate(points)
    ]
    assert surface(both, on_a_line) is None


@pytest.mark.parametrize("trials", [0, 1, 100])
def test_figures_for_papers_are_complete_files(trials: int, tmp_path: Path) -> None:
    from matplotlib import pyplot
    from PIL import Image

    config = study_of(tmp_path, trials)
    pyplot.get_backend()  # chosen now, which is itself a change of the style
    style = pyplot.rcParams.copy()
    files = write_figures(config.name, tmp_path, tmp_path / "figures")
    assert len(files) == {0: 0, 1: 3 * 3, 100: 3 * 7}[trials]
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as image:
                image.verify()
                assert image.width in (85 * 300 // 25.4, 178 * 300 // 25.4), "a column's width, or two"
        elif file.suffix == ".pdf":
            assert file.read_bytes().startswith(b"%PDF")
        else:
            assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert pyplot.rcParams == style
    assert not pyplot.get_fignums()
    first = [file.read_bytes() for file in files if file.suffix != ".png"]
    again = write_figures(config.name, tmp_path, tmp_path / "again")
    assert [file.read_bytes() for file in again if file.suffix != ".png"] == first
