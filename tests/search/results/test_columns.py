"""No name of a parameter or metric hides another column, in any table or export."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from rich.console import Console
from script_runs import run_script
from sweep_makers import open_ledger, record, started, sweep_config

from scripts.screen import leaderboard
from search.config.sweep_config import SweepConfig
from search.results.columns import apart
from search.results.leaderboard import savings, summary_note
from search.results.summary import SweepSummary, trial_row
from search.study.database import opened_storage
from search.study.records import Epoch
from search.tracking.conventions import sweep_params, sweep_tags, trial_params, trial_points
from spaces.space import SearchSpace

OWN = ("sweep", "trial", "state", "stop_reason", "epochs", "thawed", "train_s", "error", "mlflow_run_id")
NAMES = (*OWN, "epoch", "val_acc", "lr", "lr_log10")
CLASHING = SearchSpace(
    name="clashing",
    description="Parameters that are called as what tables have of their own.",
    parameters={name: FloatDistribution(1e-3, 1.0, log=True) for name in NAMES},
    fixed={"space": "mine", "seed": 9, "depth": 2},
)
PARAMS = {name: 0.001 * (number + 1) for number, name in enumerate(NAMES)}
ENDED = record(
    3,
    params=PARAMS,
    value=0.75,
    run_id="r",
    epochs=(Epoch(1, {"val_acc": 0.75, "epoch_s": 2.0}, 0, "host:1"),),
)


def summary_of(config: SweepConfig) -> SweepSummary:
    return SweepSummary(config, "id", [ENDED], {}, savings([ENDED], 3))


def test_names_are_their_own_unless_they_are_taken() -> None:
    assert apart("param", ["lr", "state", "param.state", "state"], ["state"]) == {
        "lr": "lr",
        "state": "param.state",
        "param.state": "param.param.state",
    }


def test_a_row_keeps_its_own_columns_and_has_every_parameter() -> None:
    row = trial_row(sweep_config(space=CLASHING), ENDED)
    assert [row[name] for name in OWN] == ["try", 3, "complete", None, 1, 0, 2.0, None, "r"]
    assert row["val_acc"] == 0.75
    assert sorted(value for name, value in row.items() if name not in (*OWN, "val_acc")) == sorted(
        PARAMS.values()
    )
    assert row["param.state"] == PARAMS["state"]
    assert (row["lr"], row["param.error"]) == (PARAMS["lr"], PARAMS["error"])


def test_a_metric_keeps_out_of_the_way_too() -> None:
    config = sweep_config(metric="epochs", direction="minimize")
    ended = record(0, value=7.0, epochs=(Epoch(1, {"epochs": 7.0}, 0, "host:1"),))
    row = trial_row(config, ended)
    assert (row["epochs"], row["metric.epochs"]) == (1, 7.0)


def test_a_parameter_of_one_sweep_is_never_another_sweeps_metric(tmp_path: Path) -> None:
    for name, metric, parameter in (("a", "val_acc", "val_loss"), ("b", "val_loss", "lr")):
        space = SearchSpace(name=name, description="One.", parameters={parameter: FloatDistribution(0, 1)})
        swept(sweep_config(tmp_path, name=name, metric=metric, space=space))
    told = run_script("compare", "a", "b", "--all", "--format", "csv", "--sweeps-dir", tmp_path)
    a, b = csv.DictReader(io.StringIO(told.stdout))
    assert (a["val_acc"], a["val_loss"]) == ("0.5", "")
    assert 0 <= float(a["param.val_loss"]) <= 1
    assert (b["val_loss"], b["param.val_loss"]) == ("0.5", "")


def test_an_epochs_history_keeps_its_number(tmp_path: Path) -> None:
    swept(sweep_config(tmp_path, name="a"), {"epoch": 99.0})
    told = run_script("compare", "a", "--all", "--json", "--sweeps-dir", tmp_path)
    ((trial,),) = ([*sweep["all_trials"]] for sweep in json.loads(told.stdout)["sweeps"])
    assert trial["history"] == [{"epoch": 1, "metrics": {"epoch": 99.0, "val_acc": 0.5}}]


def test_headings_are_different() -> None:
    config = sweep_config(space=CLASHING)
    console = Console(file=io.StringIO(), width=1000)
    table = leaderboard([(config, ENDED)], config)
    headings = [column.header for column in table.columns]
    assert len(set(headings)) == len(headings) == len(NAMES) + 4
    console.print(table)
    note = summary_note(config, [ENDED]).splitlines()[-3]
    headings = [heading.strip() for heading in note.strip("|").split("|")]
    assert len(set(headings)) == len(headings)


def test_mlflow_shows_both() -> None:
    config = sweep_config(space=CLASHING, tags={"sweep.id": "mine", "team": "us"})
    params = trial_params(config, ENDED)
    assert params["lr_log10"] == f"{PARAMS['lr_log10']:.6g}", "the sampled one"
    assert set(PARAMS) <= set(params)
    shared = sweep_params(config)
    assert (shared["space"], shared["param.space"]) == ("clashing", "mine")
    assert (shared["seed"], shared["param.seed"], shared["depth"]) == ("0", "9", "2")
    assert sweep_tags(config, "id") == {
        "sweep.id": "id",
        "sweep.kind": "sweep",
        "sweep.name": "try",
        "team": "us",
    }


def test_a_metric_called_as_the_final_value_is_a_series_of_its_own() -> None:
    metrics = {"val_acc": 0.5, "final_val_acc": 0.1}
    ended = record(0, TrialState.COMPLETE, value=0.5, epochs=(Epoch(1, metrics, 7, "host:1"),))
    told = {point.name: (point.step, point.value) for point in trial_points(sweep_config(), ended)}
    assert told == {"val_acc": (1, 0.5), "metric.final_val_acc": (1, 0.1), "final_val_acc": (0, 0.5)}


def swept(config: SweepConfig, more: dict[str, float] | None = None) -> None:
    """A sweep with one trial of one epoch."""
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        started(ledger)
        ledger.report(0, Epoch(1, {**(more or {}), config.metric: 0.5}, 0, "host:1"))
        ledger.complete(0)
