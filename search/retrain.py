"""From a sweep's best trial to a model: trained on all but the test images, tested once, saved.

The training goes through the same driver as a sweep, one trial per fresh seed, so it runs in parallel,
shows in MLflow and survives a crash in the same way.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from cifar_cnn.config import DataConfig, TrainConfig
from search.checkpoints import CheckpointStore
from search.cifar_sweep import OBJECTIVE
from search.comparison import SweepSummary
from search.config import SweepConfig
from search.dispatch import Observer
from search.driver import SweepResult, run_sweep
from search.errors import SweepFailed, UserError
from search.objective import TrialContext
from search.records import TrialRecord
from spaces.space import SearchSpace

if TYPE_CHECKING:
    from search.tracking.store import SweepPage

# Sweeps seed trial n with seed + n, below this; what was picked for its luck with one seed meets others.
_FRESH_SEEDS = 2**32
_MOST_REPEATS = 1000


@dataclass(frozen=True)
class Retrained:
    """The best configuration, trained anew and tested."""

    result: SweepResult
    test_accuracies: list[float]  # by seed
    model_folder: Path
    model_uri: str | None  # in MLflow; None if its store did not answer

    @property
    def mean(self) -> float:
        """Mean test accuracy over the seeds."""
        return statistics.mean(self.test_accuracies)


def retrain_config(
    summary: SweepSummary, number: int | None, max_epochs: int | None, seeds: int
) -> SweepConfig:
    """The sweep over seeds that retrains a trial.

    Args:
        summary: of the sweep.
        number: the trial; None takes the best.
        max_epochs: epochs to train; None takes the sweep's.
        seeds: trainings with fresh seeds.

    Raises:
        UserError: no trial has completed, there is no such trial, or this sweep trains something else.
    """
    config, record = summary.config, _chosen(summary, number)
    if config.objective != OBJECTIVE:
        raise UserError(
            f"sweep {config.name!r} trains {config.objective}, which only its author can retrain: "
            f"its best parameters are {dict(record.params)}"
        )
    if not 1 <= seeds <= _MOST_REPEATS:
        raise UserError(f"--seeds {seeds}: train with 1 to {_MOST_REPEATS}")
    epochs = max_epochs or config.max_epochs
    return config.model_copy(
        update={
            "name": f"{config.name}.retrain-{record.number:03d}-e{epochs}",
            "kind": "retrain",
            "tags": {
                "sweep.of": config.name,
                "sweep.of_id": summary.sweep_id,
                "sweep.of_trial": str(record.number),
                **({"sweep.of_run": record.run_id} if record.run_id else {}),
            },
            "sweeps_dir": config.folder / "retrain",
            "space": SearchSpace(
                name="seeds",
                description="One training for each fresh seed.",
                parameters={"repeat": IntDistribution(0, _MOST_REPEATS - 1)},
            ),
            "space_source": None,
            "objective": "search.retrain:train_final",
            "settings": {**config.settings, "params": config.configuration(record.params)},
            "metric": "train_acc",
            "direction": "maximize",
            "max_epochs": epochs,
            "sampler": "grid",
            "sampler_args": {},
            "pruner": "none",
            "pruner_args": {},
            "trials": seeds,
            "keep_checkpoints": seeds,
            "time_budget_s": None,
            "checkpoint_uri": config.checkpoint_uri
            and f"{config.checkpoint_uri}/retrain-{record.number:03d}-e{epochs}",
        }
    )


def train_final(params: Mapping[str, Any], context: TrialContext) -> None:
    """The objective of retraining: fit on training and validation images with a fresh seed."""
    from cifar_cnn.train import EpochReport, fit

    settings = context.settings
    train = TrainConfig(
        **settings["params"], max_epochs=context.max_epochs, seed=_FRESH_SEEDS + params["repeat"]
    )

    def report(epoch: EpochReport) -> None:
        epoch.save(context.scratch)
        context.report(epoch.epoch, epoch.metrics, context.scratch)

    fit(
        train,
        DataConfig(**settings["data"]),
        on_epoch=report,
        checkpoint=context.checkpoint,
        train_on="train+val",
        threads=max(1, int(context.cpus)),
    )


def retrain(summary: SweepSummary, config: SweepConfig, observers: Sequence[Observer] = ()) -> Retrained:
    """Train, test and save. Run again after a crash, it goes on where it was.

    Raises:
        UserError: as `run_sweep`.
        SweepFailed: a training failed or was stopped.
    """
    result = run_sweep(config, observers=observers)
    complete = [record for record in result.records if record.state is TrialState.COMPLETE][: config.trials]
    if len(complete) < config.trials:
        why = result.stop.value if result.stop else "see the errors above"
        raise SweepFailed(
            f"{len(complete)} of {config.trials} trainings completed ({why}): run the command again"
        )
    evaluations = [_test_once(config, record) for record in complete]
    accuracies = [evaluation["accuracy"] for evaluation in evaluations]
    # The first seed's model, not the best on test: choosing by test would make its score optimistic.
    folder, uri = _save_model(summary, config, result.page, complete, evaluations)
    return Retrained(result, accuracies, folder, uri)


def _chosen(summary: SweepSummary, number: int | None) -> TrialRecord:
    if number is None:
        if not summary.leaderboard:
            raise UserError(
                f"sweep {summary.config.name!r} has no completed trial yet: resume it, or name --trial"
            )
        return summary.leaderboard[0]
    by_number = {record.number: record for record in summary.records}
    if number not in by_number:
        raise UserError(
            f"--trial {number}: sweep {summary.config.name!r} has trials 0 to {len(by_number) - 1}"
        )
    return by_number[number]


def _checkpoint(config: SweepConfig, record: TrialRecord) -> Path:
    """A local copy of a finished training's checkpoint."""
    store = CheckpointStore(config.checkpoints)
    newest, faults = store.newest(record.number)
    if newest is None:
        raise SweepFailed(
            f"{record.key} of {config.name} has lost its checkpoint ({'; '.join(faults) or 'deleted'})"
        )
    return store.fetch(newest, config.folder / "final" / record.key)


def _test_once(config: SweepConfig, record: TrialRecord) -> dict[str, Any]:
    """The evaluation on the test split, read from its file if it was made before."""
    file = config.folder / "final" / f"{record.key}.test.json"
    if not file.exists():
        from cifar_cnn.evaluate import evaluate

        evaluation = evaluate(_checkpoint(config, record), "test").to_json()
        part = file.with_suffix(".part")
        part.write_text(json.dumps(evaluation))
        part.replace(file)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _save_model(
    summary: SweepSummary,
    config: SweepConfig,
    page: SweepPage | None,
    records: Sequence[TrialRecord],
    evaluations: Sequence[dict[str, Any]],
) -> tuple[Path, str | None]:
    """Save the first seed's model as a folder, and log it with all seeds' test results to MLflow."""
    from cifar_cnn.checkpoint import load_checkpoint
    from cifar_cnn.export import InferenceModel
    from search.tracking.model import ModelCard, log_model, save_model
    from search.tracking.store import TrackingStore

    loaded = load_checkpoint(_checkpoint(config, records[0]))
    accuracies = [evaluation["accuracy"] for evaluation in evaluations]
    card = ModelCard(
        name=f"{summary.config.name}-best",
        class_names=loaded.class_names,
        sweep=summary.config.name,
        trial=int(config.tags["sweep.of_trial"]),
        train_config=loaded.train_config.model_dump(mode="json"),
        data=loaded.data_info.model_dump(mode="json"),
        test_accuracies=tuple(accuracies),
    )
    folder = save_model(InferenceModel(loaded), card, config.folder / "model")
    if page is None:
        return folder, None
    store = TrackingStore(config.tracking_uri, config.experiment)
    return folder, log_model(store, page.sweep_run_id, folder, card, evaluations)
