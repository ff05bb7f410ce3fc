"""The replay of recorded curves: a budget of epochs is used up, and scores follow what was found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution, distribution_to_json
from optuna.samplers import RandomSampler

from benchmarks import decisions
from benchmarks.replay import scores
from benchmarks.replay.__main__ import main
from benchmarks.replay.methods import METHODS
from benchmarks.replay.simulation import Run, Setup, Work, simulate
from benchmarks.replay.snapping import Snapping
from benchmarks.replay.tables import Table
from benchmarks.replay.tasks import best_of_random, unit

EPOCHS, WORKERS, TRAININGS = 9, 2, 4.0


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one table: the closer `lr` is to the middle the better; the largest ones diverge."""
    folder = tmp_path_factory.mktemp("curves")
    rng = np.random.default_rng(0)
    units = rng.random((60, 2))
    floor = np.abs(units[:, :1] - 0.5)
    table = floor + np.exp(-np.arange(1, EPOCHS + 1) / 3)[None]
    table[units[:, 0] > 0.9, 4:] = np.nan
    (folder / "own").mkdir()
    np.savez(folder / "own" / "valley.npz", u=units, curves=table, seconds=1 + units[:, 1])
    ranges = {"lr": FloatDistribution(1e-3, 1.0, log=True), "depth": IntDistribution(1, 5)}
    told = {name: json.loads(distribution_to_json(each)) for name, each in ranges.items()}
    (folder / "own" / "valley.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def valley(curves: Path) -> Table:
    return Table(curves / "own" / "valley.npz")


def replayed(task: Table, method: str, folder: Path, seed: int = 0) -> Run:
    return simulate(task, METHODS[method], workers=WORKERS, trainings=TRAININGS, seed=seed, folder=folder)


@pytest.mark.parametrize(
    "method", ["default", "random", "tpe + median", "random + promotion", "optuna: tpe + hyperband"]
)
def test_a_replay_uses_its_budget_of_epochs_and_repeats_itself(
    method: str, valley: Table, tmp_path: Path
) -> None:
    run = replayed(valley, method, tmp_path)
    left = round(TRAININGS * EPOCHS) - len(run.epoch)
    assert 0 <= left < (EPOCHS if "promotion" in method else 1), "too little for what there is to be thawed"
    assert run.clock == sorted(run.clock)
    for trial in run.ends:
        epochs = [epoch for number, epoch in zip(run.trial, run.epoch, strict=True) if number == trial]
        assert epochs == list(range(1, len(epochs) + 1))
    again = replayed(valley, method, tmp_path)
    assert (again.trial, again.epoch) == (run.trial, run.epoch)
    assert np.array_equal(again.value, run.value, equal_nan=True)
    assert replayed(valley, method, tmp_path, seed=1).value != run.value


def test_a_pruner_frees_epochs_for_other_trials(valley: Table, tmp_path: Path) -> None:
    pruned, whole = (len(replayed(valley, method, tmp_path).ends) for method in ("default", "random"))
    assert pruned > whole


def test_what_diverges_ends_there(valley: Table, tmp_path: Path) -> None:
    runs = [replayed(valley, "random", tmp_path, seed) for seed in range(5)]
    ended = [(epoch, value) for run in runs for epoch, value in zip(run.epoch, run.value, strict=True)]
    assert any(np.isnan(value) for _, value in ended)
    assert all(epoch == 5 for epoch, value in ended if np.isnan(value))


class Freezes:
    """Trains every trial to its third epoch, freezes it, and thaws it when the next one is frozen."""

    def __init__(self) -> None:
        self._frozen: list[int] = []
        self._number = -1

    def begin(self, _: Setup) -> Freezes:
        return self

    def next(self) -> Work:
        if len(self._frozen) == 2:
            return Work(self._frozen.pop(0), {"lr": 0.1, "depth": 2}, done=3)
        self._number += 1
        return Work(self._number, {"lr": 0.1, "depth": 2})

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        if epoch == 3:
            self._frozen.append(number)
        return epoch != 3 and not np.isnan(value)


def test_a_frozen_trial_goes_on_where_it_was(valley: Table, tmp_path: Path) -> None:
    run = simulate(valley, Freezes(), workers=1, trainings=TRAININGS, seed=0, folder=tmp_path)
    thawed = [at for at, number in enumerate(run.trial) if number == 0]
    assert [run.epoch[at] for at in thawed] == list(range(1, EPOCHS + 1))
    assert thawed == [0, 1, 2, *range(6, 12)], "trial 1 was trained in between"
    assert run.ends[0] == run.value[thawed[-1]]


def test_regret_follows_what_was_found(valley: Table, tmp_path: Path) -> None:
    run = replayed(valley, "random", tmp_path)
    found = scores.score(valley, run, workers=WORKERS, trainings=TRAININGS)
    for kind in ("seen", "complete"):
        assert found[kind] == sorted(found[kind], reverse=True)
        assert all(0 <= regret <= 1 for regret in found[kind])
    complete = [v for e, v in zip(run.epoch, run.value, strict=True) if e == EPOCHS]
    assert found["complete_trials"] == len(complete)
    assert found["complete"][-1] == pytest.approx(valley.goal.regret(min(complete), end=True), abs=1e-5)
    assert found["complete"][0] == 1.0, "nothing is complete after one per cent"


def test_methods_are_compared_pair_by_pair() -> None:
    base = np.linspace(1, 0.5, scores.GRID)[None, None].repeat(3, 0).repeat(4, 1)
    better = np.maximum(base - 0.25, 0)
    assert scores.difference(better, base) == pytest.approx((-0.25, -0.25, -0.25))
    goal = base.mean(1)[:, -1]
    assert scores.budget_to_reach(better, goal) == pytest.approx([0.51] * 3, abs=0.011)
    assert (scores.share_worse(better, base), scores.share_worse(base, better)) == (0.0, 1.0)
    assert scores.mean_ranks({"base": base, "better": better}, 100) == {"base": 2.0, "better": 1.0}


def test_the_command_prints_a_table_and_keeps_its_runs(
    curves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--curves", str(curves), "--results", str(tmp_path), "--seeds", "2", "--processes", "1"]
    main([*arguments, "--methods", "random", "--trainings", "3"])
    first = capsys.readouterr()
    assert "complete: 1 tasks, 2 seeds, 4 workers, 3 trainings" in first.out
    assert first.out.count("| random |") == 3
    main([*arguments, "--methods", "random", "--trainings", "3"])
    again = capsys.readouterr()
    assert (again.out, again.err) == (first.out, "")


def test_a_study_holds_the_configurations_that_the_table_had(valley: Table) -> None:
    study = optuna.create_study(sampler=Snapping(RandomSampler(seed=0), valley, valley.session()))
    trials = [study.ask(dict(valley.space.parameters)) for _ in range(len(valley.units))]
    had = sorted(unit(valley.ranges["lr"], trial.params["lr"]) for trial in trials)
    assert had == pytest.approx(sorted(valley.units[:, 0])), "each row once"
    with pytest.raises(LookupError, match="has no configuration left"):
        study.ask(dict(valley.space.parameters))


def test_the_best_of_random_configurations_is_the_mean_over_draws() -> None:
    rng = np.random.default_rng(0)
    ends = rng.random(300)
    ends[::7] = np.nan
    drawn = [np.nanmin(rng.permutation(ends)[:60]) for _ in range(4000)]
    assert best_of_random(ends) == pytest.approx(np.mean(drawn), abs=0.001)


def test_the_time_of_decisions_is_taken_among_many_trials(capsys: pytest.CaptureFixture[str]) -> None:
    decisions.main(["--methods", "random", "--trials", "20", "--epochs", "3"])
    row = capsys.readouterr().out.splitlines()[-1]
    name, *cells = (cell.strip() for cell in row.strip("|").split("|"))
    assert name == "random"
    assert 2 <= int(cells[3]) <= 4, "of the last two trials, and of what workers that are free ask in vain"
    assert 0 < float(cells[0]) <= float(cells[1]) <= float(cells[2])


def test_a_folder_without_curves_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no all curves in"):
        main(["--curves", str(tmp_path)])
