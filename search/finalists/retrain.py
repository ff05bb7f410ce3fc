"""From a configuration to a model: trained on all but the test images, tested once, saved, registered."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from cifar_cnn.files import write_atomically
from cifar_cnn.intervals import wilson_interval
from search.cifar import accelerator_of, data_of
from search.config.names import check_model_name
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.engine.observers import Stop
from search.errors import SweepFailed, SweepInterrupted, UserError
from search.finalists.confirm import Confirmation
from search.finalists.publish import Published, publish, save_retrained
from search.finalists.reads_of_test import check_test_read, note_test_read, reads_of_test
from search.finalists.repeats import failure_summary, repeats_config
from search.results.next_steps import without_completion
from search.results.statistics import Estimate, estimates
from search.results.summary import SweepSummary, summarise
from search.study.checkpoints import CheckpointStore
from search.study.records import Outcome, TrialRecord


@dataclass(frozen=True)
class Retrained:
    """The winner, retrained and tested.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> result = SweepResult(config, [], None, None, seconds=60.0, page=None, utilisation=None)
        >>> accuracies = (0.81, 0.79)
        >>> test = estimates({0: accuracies})[0]
        >>> retrained = Retrained(result, test, accuracies, 10_000, 1, Path("model"), Published())
        >>> low, high = retrained.binomial
        >>> f"{retrained.test.mean:.3f}, {low:.3f} to {high:.3f}"
        '0.800, 0.792 to 0.808'
    """

    result: SweepResult
    test: Estimate  # accuracy over the seeds, each evaluated once
    test_accuracies: tuple[float, ...]  # by seed
    test_images: int
    test_reads: int  # retrainings of this sweep that have read the test split, this one included
    model_folder: Path
    published: Published

    @property
    def binomial(self) -> tuple[float, float]:
        """95% interval of the mean accuracy by the number of test images alone."""
        return wilson_interval(self.test.mean, self.test_images)


def retrain_config(
    summary: SweepSummary, record: TrialRecord, seeds: int, max_epochs: int | None = None
) -> SweepConfig:
    """The sweep over seeds that retrains a trial on training and validation images.

    Args:
        summary: of the sweep.
        record: the trial.
        seeds: trainings with fresh seeds.
        max_epochs: epochs of each; None takes the sweep's. There is nothing to stop early by.

    Raises:
        UserError: as `repeats_config`.
    """
    epochs = max_epochs or summary.config.max_epochs
    config = repeats_config(summary, "retrain", f"{record.number:03d}-e{epochs}", [record], seeds, epochs)
    tags = {"sweep.of_trial": str(record.number)} | ({"sweep.of_run": record.run_id} if record.run_id else {})
    return config.model_copy(update={"tags": config.tags | tags})


def retrain(
    summary: SweepSummary,
    config: SweepConfig,
    confirmation: Confirmation | None,
    *,
    model_name: str,
    test_again: bool = False,
) -> Retrained:
    """Train, test, save and register.

    Run again it continues where it was, after a crash as after a failure: failed trainings are trained once
    more. Seeds only add up: what was trained for more of them before counts too.

    Args:
        summary: of the sweep.
        config: as from `retrain_config`.
        confirmation: that chose the trial, to be told by the model's card; None if there was none.
        model_name: in MLflow's registry.
        test_again: read the test split though another retraining of the sweep has.

    Raises:
        UserError: as `run_sweep`; another retraining has read the test split; the data cannot be read.
        SweepInterrupted: by Ctrl-C or SIGTERM.
        SweepFailed: a training failed or was stopped otherwise.
    """
    check_model_name(model_name)
    check_test_read(summary.config, [config.name], again=test_again)
    result = run_sweep(config, retry_failed=True)
    complete = [record for record in result.records if record.state is TrialState.COMPLETE]
    if len(complete) < config.most_trials or result.stop is Stop.INTERRUPTED:
        kind = SweepInterrupted if result.stop is Stop.INTERRUPTED else SweepFailed
        raise kind(f"{len(complete)} of {config.most_trials} trainings completed{_how_to_go_on(result)}")
    note_test_read(summary.config, config.name)
    with one_line_errors():
        evaluations = [_test_once(config, record) for record in complete]
        accuracies = tuple(float(evaluation["accuracy"]) for evaluation in evaluations)
        # The first seed's model, not the best on test: choosing by test would make its score optimistic.
        checkpoint = final_checkpoint(config, complete[0])
        folder, card = save_retrained(summary, config, checkpoint, confirmation, accuracies)
    tested_ms = max(record.ended_ms or 0 for record in complete)
    published = publish(result, folder, card, evaluations, model_name, tested_ms)
    test = estimates({0: accuracies}, within=(0.0, 1.0))[0]
    images, reads = int(evaluations[0]["n"]), reads_of_test(summary.config)
    return Retrained(result, test, accuracies, images, reads, folder, published)


@contextlib.contextmanager
def one_line_errors(of_data: str = "") -> Iterator[None]:
    """Images or a checkpoint that cannot be read are for the user to mend: a `UserError` tells it.

    Args:
        of_data: what to add where it is the images.
    """
    from cifar_cnn.errors import CheckpointError, DataError

    try:
        yield
    except DataError as error:
        raise UserError(f"{str(error).rstrip('.')}{of_data}" if of_data else str(error)) from error
    except CheckpointError as error:
        raise UserError(str(error)) from error


def first_seed(config: SweepConfig) -> TrialRecord:
    """The training of a retraining whose model was saved.

    Raises:
        UserError: the retraining has not got so far.
    """
    records = summarise(config.name, config.sweeps_dir).records
    complete = [record for record in records if record.state is TrialState.COMPLETE]
    if not complete:
        how, steps = without_completion(config, records)
        raise UserError(f"{config.name} has no completed training: {how}", *steps)
    return complete[0]


def final_checkpoint(config: SweepConfig, record: TrialRecord) -> Path:
    """A local copy of a finished training's checkpoint.

    Raises:
        SweepFailed: it is gone.
    """
    store = CheckpointStore(config.checkpoint_root)
    newest, faults = store.newest(record.number)
    if newest is None:
        raise SweepFailed(
            f"{record.key} of {config.name} has lost its checkpoint ({'; '.join(faults) or 'deleted'})"
        )
    return store.fetch(newest, config.folder / "final" / record.key)


def _how_to_go_on(result: SweepResult) -> str:
    """What to do about a retraining that lacks some of its trainings."""
    if result.stop not in (None, Stop.FAILURES):
        return f" ({result.stop.value}): run the command again to continue"
    advice = f"; {failure_summary(result.records)}: run the command again to train those once more"
    if any(record.outcome is Outcome.DIVERGED for record in result.records):
        advice += "; one that diverged is not trained again: choose another one with `trial`"
    return advice


def _test_once(config: SweepConfig, record: TrialRecord) -> dict[str, Any]:
    """The evaluation on the test split, read from its file if it was made before."""
    file = config.folder / "final" / f"{record.key}.test.json"
    if not file.exists():
        from cifar_cnn.evaluate import evaluate

        checkpoint, where = final_checkpoint(config, record), accelerator_of(config)
        evaluation = evaluate(checkpoint, "test", data=data_of(config), accelerator=where).to_json()
        write_atomically(file, json.dumps(evaluation))
    stored: dict[str, Any] = json.loads(file.read_text())
    return stored
