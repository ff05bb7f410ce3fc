"""What every sweep keeps to: the exact number of trials, the right direction, nothing half-made."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState
from scripted import fall, report_only
from sweep_checks import check_study, check_view
from sweep_fixtures import MakeSweep

from search.driver import run_sweep
from search.errors import UserError
from search.objective.reference import objective_reference
from search.study.records import TrialRecord
from spaces.space import SearchSpace

SMALL_GRID = SearchSpace(
    name="small grid",
    description="Four points.",
    parameters={"depth": IntDistribution(1, 4)},
    fixed={"rate": 0.1},
)


# Alone and with every pruner, all samplers run in the equality test.
def test_trials_side_by_side_never_have_the_same_point_of_a_grid(make_sweep: MakeSweep) -> None:
    config = make_sweep(space=SMALL_GRID, sampler="grid", pruner="asha", trials=12, concurrency=2)
    result = run_sweep(config, report_only)
    assert result.succeeded
    records = check_study(config, trials=4)  # a grid ends when every point was tried
    check_view(config)
    assert sorted(record.params["depth"] for record in records) == [1, 2, 3, 4]


def test_a_finished_sweep_grows_and_then_has_nothing_to_do(make_sweep: MakeSweep) -> None:
    config = make_sweep(trials=3)
    first = run_sweep(config)
    grown = run_sweep(config.model_copy(update={"trials": 5}))
    assert grown.records[:3] == first.records, "what was finished is not touched"
    check_study(config, trials=5)
    view = check_view(config)
    again = run_sweep(config)  # asked for three, has five
    assert again.succeeded
    assert again.records == grown.records
    assert [run.info.run_id for run in check_view(config).trials] == [run.info.run_id for run in view.trials]
    elsewhere = config.model_copy(update={"experiment": "rebuilt"})
    assert run_sweep(elsewhere).succeeded
    check_view(elsewhere)
    kept = {path.name for path in (config.folder / "checkpoints").iterdir() if path.is_dir()}
    assert kept == {record.key for record in grown.leaderboard[: config.keep_checkpoints]}


def test_a_loss_is_minimised_and_its_worst_trials_pruned(make_sweep: MakeSweep) -> None:
    config = make_sweep(
        objective=objective_reference(fall),
        metric="loss",
        direction="minimize",
        sampler="tpe",
        pruner="median",
        pruner_args={"n_startup_trials": 3, "n_warmup_steps": 0},
        trials=12,
        concurrency=1,
    )
    result = run_sweep(config)
    check_study(config, trials=12)
    check_view(config)
    complete = [r for r in result.records if r.state is TrialState.COMPLETE]
    pruned = [r for r in result.records if r.state is TrialState.PRUNED]
    assert result.best is not None
    assert result.best.value == min(record.value for record in complete if record.value is not None)
    assert pruned
    assert min(_last(record) for record in pruned) > result.best.value


def test_an_objective_no_worker_can_import_is_refused(make_sweep: MakeSweep) -> None:
    with pytest.raises(UserError, match="top of a module"):
        objective_reference(lambda params, context: None)
    config = make_sweep(objective="scripted:no_such_function")
    with pytest.raises(UserError, match=r"no_such_function.*put it back"):
        run_sweep(config)
    assert not config.folder.exists()


def _last(record: TrialRecord) -> Any:
    return record.epochs[-1].metrics["loss"]
