"""A sweep opened for reading tells what its study holds at one moment, and changes no file."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from sweep_makers import CONDITIONAL, epoch, open_ledger, prune, started, sweep_config

import search
from search.errors import UserError
from search.reader import open_sweep
from search.study.database import opened_storage
from search.study.ledger import Ledger
from search.study.records import StopReason
from spaces.space import SearchSpace


class Driver:
    """What drives a sweep, as far as its files go: the ledger with its storage open; a context manager."""

    def __init__(self, sweeps_dir: Path, **fields: Any) -> None:
        self.config = sweep_config(sweeps_dir, **{"space": CONDITIONAL, "max_epochs": 2, **fields})
        self.config.save()

    def __enter__(self) -> Ledger:
        self._opened = contextlib.ExitStack()
        storage = self._opened.enter_context(opened_storage(self.config.storage_url))
        return open_ledger(self.config, storage)

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def train(ledger: Ledger, *values: float, **fields: Any) -> int:
    """A new trial with these epochs; its number."""
    number = started(ledger).number
    for position, value in enumerate(values, 1):
        ledger.report(number, epoch(position, value, **fields))
    return number


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Ledger]:
    """A sweep of which five trials have completed, and one each was pruned, failed and runs."""
    with Driver(tmp_path, name="night", trials=20) as ledger:
        for number in range(5):
            ledger.complete(train(ledger, 0.3 + number / 100, 0.5 + number / 100))
        prune(ledger, train(ledger, 0.2))
        number = train(ledger)
        ledger.fail(number, StopReason.ERROR, 'Traceback\n  File "x"\nValueError: no such file')
        train(ledger, 0.4)
        yield ledger


@pytest.mark.usefixtures("night")
def test_a_row_for_each_trial(tmp_path: Path) -> None:
    sweep = open_sweep("night", tmp_path)
    frame = sweep.trials_frame()
    assert list(frame.columns) == [
        *(
            "trial",
            "state",
            "stop_reason",
            "epochs",
            "thawed",
            "train_s",
            "val_acc",
            "optimizer",
            "lr",
            "momentum",
        ),
        *("started", "ended", "error", "mlflow_run_id"),
    ]
    assert list(frame.trial) == list(range(8))
    assert list(frame.state) == ["complete"] * 5 + ["pruned", "failed", "running"]
    assert list(frame.epochs) == [2] * 5 + [1, 0, 1]
    assert list(frame.val_acc[[4, 5, 7]]) == [0.54, 0.2, 0.4], "its value, or what it last reported"
    assert pd.isna(frame.val_acc[6])
    assert frame.error[6] == "ValueError: no such file"
    assert frame.error[[0, 5, 7]].isna().all()
    assert frame.ended[:7].notna().all()
    assert pd.isna(frame.ended[7])
    assert str(frame.started.dt.tz) == "UTC"
    for record in sweep.records:
        assert frame.lr[record.number] == record.params["lr"]
        assert pd.isna(frame.momentum[record.number]) == ("momentum" not in record.params)


@pytest.mark.usefixtures("night")
def test_a_row_for_each_epoch(tmp_path: Path) -> None:
    frame = open_sweep("night", tmp_path).curves_frame()
    assert list(frame.columns) == ["trial", "epoch", "time", "val_acc", "epoch_s"]
    assert len(frame) == 5 * 2 + 2
    assert list(frame[frame.trial == 3].val_acc) == pytest.approx([0.33, 0.53])
    assert list(frame[frame.trial == 3].epoch) == [1, 2]
    assert frame.time[1] == pd.Timestamp(2000, unit="ms", tz="UTC")


@pytest.mark.usefixtures("night")
def test_the_best_with_its_whole_configuration(tmp_path: Path) -> None:
    sweep = open_sweep("night", str(tmp_path))
    assert sweep.best is not None
    assert sweep.best.number == 4
    assert sweep.best_configuration == sweep.config.configuration(sweep.best.params)


@pytest.mark.usefixtures("night")
def test_figures_have_the_names_of_what_they_show(tmp_path: Path) -> None:
    figures = open_sweep("night", tmp_path).figures
    assert list(figures) == [
        *("learning_curves", "optimisation_history", "importances"),
        *sorted((name for name in figures if name.startswith("slice_")), key=list(figures).index),
        *("parallel_coordinates", "timeline"),
    ], "no contour of five complete trials"
    assert {name for name in figures if name.startswith("slice_")} <= {
        *("slice_optimizer", "slice_lr", "slice_momentum")
    }
    assert figures["learning_curves"].layout.yaxis.title.text == "val_acc"


@pytest.mark.usefixtures("night")
def test_a_notebook_shows_it_in_short(tmp_path: Path) -> None:
    sweep = open_sweep("night", tmp_path)
    assert repr(sweep) == "<Sweep night: 1 running, 5 complete, 1 pruned, 1 failed>"
    html = sweep._repr_html_()
    assert "<b>night</b>" in html
    assert html.count("<td>trial-00") == 5


def test_names_that_clash_stand_under_their_kind(tmp_path: Path) -> None:
    space = SearchSpace(
        name="clash", description="A clash.", parameters={"error": FloatDistribution(0.1, 1.0)}
    )
    with Driver(tmp_path, name="clash", space=space, metric="epochs", direction="maximize") as ledger:
        train(ledger, 0.5, metrics={"epochs": 3.0, "time": 9.0})
    sweep = open_sweep("clash", tmp_path)
    assert {"error", "param.error", "epochs", "metric.epochs"} <= set(sweep.trials_frame().columns)
    assert list(sweep.curves_frame().columns) == ["trial", "epoch", "time", "epochs", "metric.time"]


def test_a_sweep_without_a_trial_has_the_same_columns(tmp_path: Path) -> None:
    with Driver(tmp_path, name="empty") as ledger:
        before = open_sweep("empty", tmp_path)
        assert (len(before.trials_frame()), len(before.curves_frame())) == (0, 0)
        assert (before.best, before.best_configuration, before.figures) == (None, None, {})
        assert "no trials yet" in before._repr_html_()
        train(ledger, 0.5)
    after = open_sweep("empty", tmp_path)
    assert list(after.trials_frame().columns) == list(before.trials_frame().columns)
    assert after.trials_frame().dtypes["ended"] == before.trials_frame().dtypes["ended"]


def test_all_of_it_is_of_one_moment_until_it_is_read_again(night: Ledger, tmp_path: Path) -> None:
    sweep = open_sweep("night", tmp_path)
    night.complete(train(night, 0.8, 0.9))
    assert len(sweep.trials_frame()) == 8
    assert sweep.refresh() is sweep
    assert len(sweep.trials_frame()) == 9
    assert sweep.best is not None
    assert (sweep.best.number, sweep.best.value) == (8, 0.9)


def test_there_are_sweeps_of_other_names(night: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no sweep 'day' in .*night"):
        open_sweep("day", tmp_path)


def files_below(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of its last change; not SQLite's index of its log, shared by readers."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".db-shm"
    }


def read_everything(folder: Path) -> None:
    """All that a reader has, twice."""
    sweep = open_sweep("night", folder)
    for each in (sweep, sweep.refresh()):
        assert len(each.trials_frame()) == 8
        assert len(each.curves_frame()) == 12
        assert each.best is not None
        assert each.figures
        assert each._repr_html_()


def test_reading_changes_no_file_while_a_driver_is_at_work(night: Ledger, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    read_everything(tmp_path)
    assert files_below(tmp_path) == before
    night.report(7, epoch(2, 0.6))
    night.complete(7)
    assert list(open_sweep("night", tmp_path).trials_frame().state)[7] == "complete", "the driver goes on"


def test_reading_changes_no_file_of_a_sweep_at_rest(tmp_path: Path) -> None:
    with Driver(tmp_path, name="night", trials=8) as ledger:
        for _ in range(8):
            train(ledger, 0.1)
        for number in range(4):
            ledger.report(number, epoch(2, 0.2))
        for number in range(4):
            ledger.complete(number)
    before = files_below(tmp_path)
    read_everything(tmp_path)
    assert files_below(tmp_path) == before


def test_what_is_written_to_its_study_reaches_no_sweep(night: Ledger, tmp_path: Path) -> None:
    sweep = open_sweep("night", tmp_path)
    sweep.study.enqueue_trial({"lr": 0.1})
    sweep.study.set_user_attr("mine", 1)
    optuna.importance.get_param_importances(sweep.study)
    assert "mine" not in night.study.user_attrs
    assert len(night.study.get_trials()) == 8


def test_its_study_has_a_trials_epochs_together(night: Ledger, tmp_path: Path) -> None:
    sweep = open_sweep("night", tmp_path)
    columns = [name for name in sweep.study.trials_dataframe() if "epoch" in name]
    assert columns == ["user_attrs_epochs"]
    for trial, record in zip(sweep.study.trials, sweep.records, strict=True):
        assert trial.user_attrs.get("epochs", []) == [each.to_json() for each in record.epochs]
        assert trial.intermediate_values == {each.epoch: each.metrics["val_acc"] for each in record.epochs}


def test_everything_of_the_public_face_is_there() -> None:
    assert {name: getattr(search, name).__name__ for name in search.__all__} == {
        name: name for name in search.__all__
    }
    assert set(search.__all__) <= set(dir(search))
    with pytest.raises(AttributeError, match="run_swep"):
        search.run_swep  # noqa: B018


def test_folders_hand_on_what_users_know_them_by() -> None:
    from search.config import SweepConfig
    from search.objective import TrialContext

    assert SweepConfig is search.SweepConfig
    assert TrialContext is search.TrialContext
    with pytest.raises(ImportError, match="SweepConfg"):
        from search.config import SweepConfg  # type: ignore[attr-defined] # noqa: F401


def test_the_public_face_loads_nothing_before_it_is_used() -> None:
    heavy = {"ray", "optuna", "mlflow", "torch", "pandas", "pydantic"}
    program = f"import sys, search; assert not {heavy} & set(sys.modules), sys.modules.keys() & {heavy}"
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))
