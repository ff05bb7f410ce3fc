"""Syne Tune with Lightning: its local backend, a process a trial, after its own getting-started guide.

    uv run --with syne-tune==0.16.0 python -m benchmarks.sweeps syne_tune_local --data-dir images

Python puts this file's folder first on a trial's path, so it must not bear the package's own name.
Syne Tune is not among this project's dependencies. It has no MLflow view and needs no checkpoints to stop
a trial.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from benchmarks.work import DEPTHS, LR, WIDTHS, Stopwatch, Work


def main(work: Work) -> None:
    """The sweep: random configurations, stopped by ASHA."""
    os.environ["SYNETUNE_FOLDER"] = work.folder  # else it writes into the home folder,
    os.chdir(work.folder)  # and into this one
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import choice, loguniform, randint
    from syne_tune.optimizer.baselines import ASHA

    space: dict[str, Any] = {
        "depth": randint(*DEPTHS),
        "width": choice(list(WIDTHS)),
        "lr": loguniform(*LR),
        "work": work.dumps(),
    }
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=str(Path(__file__).absolute())),
        scheduler=ASHA(
            space,
            metric="val_acc",
            do_minimize=False,
            time_attr="epoch",
            max_t=work.epochs,
            random_seed=work.seed,
        ),
        # It stops when more than that many have started; by itself it would kill those that run then.
        stop_criterion=StoppingCriterion(max_num_trials_started=work.trials - 1),
        wait_trial_completion_when_stopping=True,
        n_workers=work.slots,
        save_tuner=False,
    )
    tuner.run()


def trial(arguments: argparse.Namespace) -> None:
    """One trial, in the process that Syne Tune has started for it."""
    from syne_tune import Reporter

    from benchmarks.peers.tutorial import fit
    from benchmarks.peers.watch import Watch

    report = Reporter()

    class Report(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            if not trainer.sanity_checking:
                report(epoch=pl_module.current_epoch + 1, val_acc=float(trainer.callback_metrics["val_acc"]))

    params = {"depth": arguments.depth, "width": arguments.width, "lr": arguments.lr}
    fit(arguments.work, params, [Watch(Stopwatch(arguments.work, params)), Report()])


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(Work.loads(sys.argv[1]))
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--depth", type=int)
        parser.add_argument("--width", type=int)
        parser.add_argument("--lr", type=float)
        parser.add_argument("--work", type=Work.loads)
        trial(parser.parse_known_args()[0])
