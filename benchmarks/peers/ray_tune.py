"""Ray Tune with Optuna, Lightning and MLflow, after Ray's Lightning and MLflow guides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.work import DEPTHS, LR, WIDTHS, Stopwatch, Work


def main(work: Work) -> None:
    """The sweep: sampled by Optuna, stopped by ASHA, logged to MLflow."""

    def trial(params: dict[str, Any]) -> None:
        from benchmarks.peers.tutorial import fit
        from benchmarks.peers.watch import Watch

        report = TuneReportCheckpointCallback(
            {"val_loss": "val_loss", "val_acc": "val_acc"}, on="validation_end"
        )
        fit(work, params, [Watch(Stopwatch(work, params)), report])

    ray.init(num_cpus=work.slots, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={
            "depth": tune.randint(DEPTHS[0], DEPTHS[1] + 1),
            "width": tune.choice(list(WIDTHS)),
            "lr": tune.loguniform(*LR),
        },
        tune_config=tune.TuneConfig(
            metric="val_acc",
            mode="max",
            search_alg=OptunaSearch(seed=work.seed),
            scheduler=ASHAScheduler(max_t=work.epochs, grace_period=1, reduction_factor=3),
            num_samples=work.trials,
        ),
        run_config=tune.RunConfig(
            name="tutorial",
            storage_path=str(Path(work.folder) / "ray"),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{work.folder}/mlflow.db",
                    experiment_name="tutorial",
                    save_artifact=False,
                )
            ],
        ),
    )
    results = tuner.fit()
    ray.shutdown()
    assert not results.errors, results.errors


if __name__ == "__main__":
    main(Work.loads(sys.argv[1]))
