"""From a configuration to a model: trained on all but the test data, tested once, saved, registered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from optuna.trial import TrialState

from cifar_cnn.files import write_atomically
from cifar_cnn.intervals import wilson_interval
from search.cifar.sweep import OBJECTIVE
from search.config.names import check_model_name
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.engine.observers import Stop
from search.errors import SweepFailed, SweepInterrupted, TrackingDown, UserError
from search.finalists.confirm import Confirmation
from search.finalists.images import ImageClassifier
from search.finalists.modules import Module
from search.finalists.product import NotSaved, Product
from search.finalists.publish import Published, publish
from search.finalists.reads_of_test import (
    check_test_read,
    note_test_read,
    read_of,
    reads_of_set,
    reads_of_test,
)
from search.finalists.repeats import failure_summary, repeats_config, run_repeats
from search.finalists.training_images import TrainingImages
from search.results.next_steps import without_completion
from search.results.statistics import Estimate, bounds, estimates
from search.results.summary import SweepSummary, summarise
from search.study.checkpoints import CheckpointStore
from search.study.records import Outcome, TrialRecord
from search.tracking.models.tested import Tested
from search.training.objective import is_lightning


@dataclass(frozen=True)
class Retrained:
    """The winner, retrained, and tested if there is a test.

    Attributes:
        result: of the trainings.
        tested: how the test split finds them.
        metrics: all that the test measured, by seed.
        test_reads: retrainings that have read the test set, this one included: of all sweeps that are known
            here, or of this one alone where the test set has no digest.
        checkpoint: of the first seed's training, a folder.
        model_folder: where the model is, as MLflow saves one; None: it is not saved.
        not_saved: why.
        published: what MLflow has of it.

    Example:
        >>> from search.tracking.models.tested import ACCURACY
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> result = SweepResult(config, [], None, None, seconds=60.0, page=None, utilisation=None)
        >>> tested = Tested("day", 0, 1, 2, ACCURACY, (0.81, 0.79), images=10_000)
        >>> metrics = {ACCURACY: tested.values}
        >>> retrained = Retrained(result, tested, metrics, 1, Path("last"), Path("model"), None, Published())
        >>> low, high = retrained.binomial
        >>> f"{retrained.test[ACCURACY].mean:.3f}, {low:.3f} to {high:.3f}"
        '0.800, 0.792 to 0.808'
    """

    result: SweepResult
    tested: Tested
    metrics: dict[str, tuple[float, ...]]
    test_reads: int
    checkpoint: Path
    model_folder: Path | None
    not_saved: str | None
    published: Published

    @property
    def test(self) -> dict[str, Estimate]:
        """Each metric of the test over the seeds, each evaluated once."""
        return {
            name: estimates({0: values}, within=bounds(name, values))[0]
            for name, values in self.metrics.items()
        }

    @property
    def binomial(self) -> tuple[float, float] | None:
        """95% interval of the mean accuracy by the number of test images alone; None: it is none."""
        if self.tested.images is None:
            return None
        return wilson_interval(fmean(self.tested.values), self.tested.images)


def default_model_name(sweep: SweepConfig) -> str:
    """What a sweep's best model is called in MLflow's registry unless its user says otherwise."""
    return "cifar-cnn" if sweep.objective == OBJECTIVE else sweep.name


def retrain_config(
    summary: SweepSummary,
    record: TrialRecord,
    seeds: int,
    max_epochs: int | None = None,
    all_data: str | None = None,
    images: TrainingImages | None = None,
) -> SweepConfig:
    """The sweep over seeds that retrains a trial on all data but those of the test.

    Args:
        summary: of the sweep.
        record: the trial.
        seeds: trainings with fresh seeds.
        max_epochs: epochs of each; None takes the sweep's. There is nothing to stop early by.
        all_data: as of `repeats_config`.
        images: that a CNN is to learn from; None: those of the sweep.

    Raises:
        UserError: as `repeats_config`; the images make no batch.
    """
    label = f"{record.number:03d}-e{max_epochs or summary.config.max_epochs}"
    if all_data is not None:
        label += f"-{all_data.rpartition(':')[2]}"
    # On the sweep's own images it has the name that it always had, and goes on with what was begun.
    others = images is not None and images.settings != summary.config.settings["data"]
    if images is not None and others:
        label += f"-n{images.count}"
    config = repeats_config(summary, "retrain", label, [record], seeds, max_epochs, all_data)
    if images is not None:
        images.check_batch(summary.config, record)
        config = config.model_copy(
            update={"settings": {**config.settings, "data": images.settings}, "dataset": images.note}
        )
    tags = {"sweep.of_trial": str(record.number)} | ({"sweep.of_run": record.run_id} if record.run_id else {})
    return config.model_copy(update={"tags": config.tags | tags})


def retrain(
    summary: SweepSummary,
    config: SweepConfig,
    confirmation: Confirmation | None,
    *,
    model_name: str,
    test_again: bool = False,
    say: Callable[[str], None] = lambda _what: None,
) -> Retrained:
    """Train, test, save and register.

    Run again it continues where it was, after a crash as after a failure: failed trainings are trained once
    more. Seeds only add up: what was trained for more of them before counts too.

    A CNN is tested on the test images. Another LightningModule is tested by its `test_step`, if it has one,
    and saved by its `forward`. What else a training function makes, its author alone can test: it is trained,
    and its checkpoint kept.

    Args:
        summary: of the sweep.
        config: as from `retrain_config`.
        confirmation: that chose the trial, to be told by the model's card; None if there was none.
        model_name: in MLflow's registry.
        test_again: read the test split though another retraining of the sweep has.
        say: is told what is being done once the trainings have ended: that takes a minute.

    Raises:
        UserError: as `run_sweep`; another retraining has read the test split; the data cannot be read.
        SweepInterrupted: by Ctrl-C or SIGTERM.
        SweepFailed: a training failed or was stopped otherwise.
    """
    check_model_name(model_name)
    check_test_read(summary.config, [config.name], again=test_again)
    result = run_repeats(config, retry_failed=True)
    complete = [record for record in result.records if record.state is TrialState.COMPLETE]
    if len(complete) < config.most_trials or result.stop is Stop.INTERRUPTED:
        kind = SweepInterrupted if result.stop is Stop.INTERRUPTED else SweepFailed
        raise kind(f"{len(complete)} of {config.most_trials} trainings completed{_how_to_go_on(result)}")
    product = _product(summary, config)
    evaluations = _evaluations(product, complete, say)
    say("saving the model")
    tested = product.tested(evaluations, len(complete))
    test_reads, store_away = _count_reads(product, result)
    # The first seed's model, not the best on test: choosing by test would make its score optimistic.
    checkpoint = final_checkpoint(config, complete[0])
    folder, not_saved, published = None, None, Published()
    try:
        folder = product.save(checkpoint, confirmation, evaluations, test_reads)
    except NotSaved as error:
        not_saved = str(error)
    else:
        say("adding the model to MLflow")
        tested_ms = max(record.ended_ms or 0 for record in complete)
        published = (
            publish(result, folder, tested, evaluations, model_name, tested_ms, test_reads)
            if store_away is None
            else Published(missing=store_away)
        )
    return Retrained(
        result=result,
        tested=tested,
        metrics=product.metrics(evaluations),
        test_reads=test_reads,
        checkpoint=checkpoint,
        model_folder=folder,
        not_saved=not_saved,
        published=published,
    )


def _product(summary: SweepSummary, config: SweepConfig) -> Product:
    if summary.config.objective == OBJECTIVE:
        return ImageClassifier(summary, config)
    return Module(summary, config) if is_lightning(config) else Product(summary, config)


def _evaluations(
    product: Product, complete: Sequence[TrialRecord], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Of each training on the test split, which is read for it once; none where there is no test."""
    if not product.has_test():
        return []
    config = product.config
    evaluations = []
    for place, record in enumerate(complete, 1):
        file = config.folder / "final" / f"{record.key}.test.json"
        if not file.exists():
            say(f"testing model {place} of {len(complete)}")
            evaluation = product.evaluate(final_checkpoint(config, record))
            # Not before, for it may have failed; and not after the result can be seen.
            note_test_read(product.summary.config, config.name, product.test_set())
            write_atomically(file, json.dumps(evaluation))
        evaluations.append(json.loads(file.read_text()))
    return evaluations


def _count_reads(product: Product, result: SweepResult) -> tuple[int, str | None]:
    """By how many retrainings its test set was read, and why the store could not be asked, if so."""
    sweep, test_set = product.summary.config, product.test_set()
    if test_set is None:
        return reads_of_test(sweep), None
    reads, away = reads_of_set(sweep, test_set), None
    if result.page is not None and (own := read_of(sweep, product.config.name)) is not None:
        from search.tracking.models.test_reads import note_read, reads_in_store
        from search.tracking.store import TrackingStore

        try:
            store = TrackingStore(result.config.tracking_uri, result.config.experiment, create=False)
            note_read(store, result.page.sweep_run_id, test_set, own)
            reads |= reads_in_store(store, test_set)
        except TrackingDown as error:
            away = str(error)
    return len(reads), away


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
