"""Optuna with Lightning: a process for each slot over one SQLite study, after Optuna's own guides.

Its Lightning callback imports the package `lightning`, which is not the one used here: the callback below
is what that one does.
"""

from __future__ import annotations

import multiprocessing
import sys

import optuna
import pytorch_lightning as pl
from optuna.storages import RDBStorage
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from benchmarks.peers.tutorial import fit
from benchmarks.peers.watch import Watch
from benchmarks.work import DEPTHS, LR, WIDTHS, Stopwatch, Work

ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class Pruning(pl.Callback):
    """Reports each epoch and ends the trial when the pruner says so."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        self._trial.report(float(trainer.callback_metrics["val_acc"]), step=pl_module.current_epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned()


def optimise(work: Work, seed: int) -> None:
    """One slot's share of the study."""

    def objective(trial: optuna.Trial) -> float:
        params = {
            "depth": trial.suggest_int("depth", *DEPTHS),
            "width": trial.suggest_categorical("width", WIDTHS),
            "lr": trial.suggest_float("lr", *LR, log=True),
        }
        module = fit(work, params, [Watch(Stopwatch(work, params)), Pruning(trial)])
        return float(module.trainer.callback_metrics["val_acc"])

    study = optuna.load_study(
        study_name="peer",
        storage=_storage(work),
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    )
    study.optimize(objective, callbacks=[MaxTrialsCallback(work.trials, states=ENDED)])


def main(work: Work) -> None:
    """The study, and a process for each slot."""
    optuna.create_study(study_name="peer", storage=_storage(work), direction="maximize")
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=optimise, args=(work, work.seed + slot)) for slot in range(work.slots)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    codes = [process.exitcode for process in processes]
    assert not any(codes), f"a failed trial ends its process: exit codes {codes}"


def _storage(work: Work) -> RDBStorage:
    return RDBStorage(f"sqlite:///{work.folder}/optuna.db")


if __name__ == "__main__":
    main(Work.loads(sys.argv[1]))
