"""What `retrain_best.py` does and shows: the cost, the finalists, the test accuracy, the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table

from scripts import cli
from scripts.commands import typed
from scripts.consoles import err, out
from scripts.sweep_output import stdout_for_results
from search.config.sweep_config import SweepConfig
from search.errors import TrackingDown
from search.finalists.confirm import Confirmation, confirm, confirm_config
from search.finalists.publish import Published
from search.finalists.reads_of_test import check_test_read, has_read_test
from search.finalists.repeats import failure_summary
from search.finalists.retrain import Retrained, retrain, retrain_config
from search.finalists.training_images import TrainingImages
from search.reporting import finalists_table
from search.results.digits import human_seconds, score, shown
from search.results.summary import SweepSummary
from search.study.records import TrialRecord
from search.tracking.models.tested import ACCURACY


def retrain_and_print(
    summary: SweepSummary,
    finalists: Sequence[TrialRecord],
    *,
    seeds: int,
    sure: float,
    max_epochs: int | None,
    all_data: str | None,
    images: TrainingImages | None,
    model_name: str,
    test_again: bool,
) -> int:
    """Say what it will cost, confirm, retrain, print the results, and give the exit code."""
    configs = [retrain_config(summary, each, seeds, max_epochs, all_data, images) for each in finalists]
    possible = [config.name for config in configs]
    check_test_read(summary.config, possible, again=test_again)
    quick = len(finalists) == seeds == 1
    err.print(cost(summary, finalists, 0 if quick else seeds, seeds, max_epochs, images))
    confirmation, shown_in_mlflow = None, True
    if not quick:
        # Once one of them is tested, what was confirmed stays: another winner could not be tested any more.
        retry = not has_read_test(summary.config, possible)
        confirming = confirm_config(summary, finalists, seeds, sure)
        confirmation, shown_in_mlflow = _confirm(confirming, finalists, retry_failed=retry)
        print_confirmation(summary, confirmation, sure)
    winner = finalists[0] if confirmation is None else confirmation.winner.record
    config = configs[finalists.index(winner)]
    with stdout_for_results():
        retrained = retrain(
            summary,
            config,
            confirmation,
            model_name=model_name,
            test_again=test_again,
        )
    print_retrained(summary, winner, retrained, quick)
    return cli.DONE if shown_in_mlflow and retrained.published.missing is None else cli.FAILED


def cost(
    summary: SweepSummary,
    finalists: Sequence[TrialRecord],
    confirm_seeds: int,
    retrain_seeds: int,
    max_epochs: int | None,
    images: TrainingImages | None,
) -> str:
    """What is about to be trained, in runs, epochs and time; with no seeds to confirm, nothing is."""
    final = max_epochs or summary.config.max_epochs
    runs = len(finalists) * confirm_seeds
    epoch_s = [record.train_seconds / len(record.epochs) for record in finalists if record.epochs]
    mean = sum(epoch_s) / len(epoch_s) if epoch_s else 0.0
    epochs = runs * summary.config.max_epochs + retrain_seeds * final
    seconds, on = mean * epochs, ""
    if images is not None and summary.config.dataset is not None:
        more = images.count / summary.config.dataset.sizes["train"]
        seconds += mean * retrain_seeds * final * (more - 1)
        on = f" on {images.count:,} images"
    confirming = ""
    if confirm_seeds:
        confirming = f"confirm {_plural(len(finalists), 'finalist')} with up to {_plural(runs, 'seed')}, "
    most = "up to " if len(finalists) > 1 and confirm_seeds else ""
    return (
        f"{confirming}retrain x {retrain_seeds}{on}: {most}{_plural(runs + retrain_seeds, 'run')}, "
        f"{_plural(epochs, 'epoch')}; about {human_seconds(seconds)} if run one at a time, less if "
        "several run at once"
    )


def _confirm(
    config: SweepConfig, finalists: Sequence[TrialRecord], *, retry_failed: bool
) -> tuple[Confirmation, bool]:
    """Confirm the finalists; with whether MLflow shows all of it."""
    with stdout_for_results():
        confirmation, result = confirm(config, finalists, retry_failed=retry_failed)
    if failures := failure_summary(result.records):
        err.print(f"of the trainings that were to confirm, {failures}")
    from search.tracking.confirmation import log_confirmation
    from search.tracking.store import TrackingStore

    missing = result.view_missing
    try:
        if result.page is not None:
            store = TrackingStore(config.tracking_uri, config.experiment, create=False)
            log_confirmation(
                store,
                result.page.sweep_run_id,
                confirmation.winner.record.key,
                confirmation.figures,
                confirmation.to_json(),
            )
    except TrackingDown as error:
        missing = str(error)
    if missing:
        err.print(
            f"the confirmation is not whole in MLflow ({missing}): run the command again to complete it"
        )
    return confirmation, missing is None


def print_confirmation(summary: SweepSummary, confirmation: Confirmation, sure: float) -> None:
    """The finalists, the winner first: claimed and confirmed scores, intervals, chances; and why no more."""
    metric = summary.config.metric
    table = Table(box=None, pad_edge=False, title=f"{metric} of the finalists", title_justify="left")
    for heading in finalists_table.HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in finalists_table.finalist_rows(confirmation):
        table.add_row(*row)
    out.print(table)
    for finalist in confirmation.finalists:
        if finalist.failed:
            out.print(
                f"{finalist.record.key}: {finalist.failed} of its seeds failed, so it comes after those of "
                "which none did; the others alone tell too good a story"
            )
    for record in confirmation.unconfirmed:
        out.print(f"{record.key}: all of its seeds failed, so it is out")
    if confirmation.winner.estimate.low is None:
        out.print("one seed each says nothing of the spread between seeds: --seeds 3 does")
    elif confirmation.trained < confirmation.most:
        out.print(
            f"{confirmation.winner.record.key} is the best with P >= {sure:g} after {confirmation.trained} "
            f"trainings of at most {confirmation.most}"
        )
    elif (chance := confirmation.winner.estimate.probability_best) is not None and chance < sure:
        out.print(
            f"all {confirmation.most} trainings are used, and P(best) is not {sure:g}: more --seeds go on "
            "from here"
        )


def print_retrained(summary: SweepSummary, winner: TrialRecord, retrained: Retrained, quick: bool) -> None:
    """Test accuracy with what is known of it, where the model is, how to load it."""
    params = ", ".join(f"{name}={shown(value)}" for name, value in winner.params.items())
    out.print(f"retrained trial {winner.number} of {summary.config.name}: {params}")
    _print_pairs([*_trained_on(retrained), *_test(retrained)])
    for caution in _cautions(summary, winner, retrained, quick):
        out.print(caution)
    _print_pairs([*_model(retrained), *_in_mlflow(retrained.published)])
    if retrained.model_folder is not None and retrained.published.missing:
        err.print(
            f"not in MLflow: {_lacking(retrained.published)} ({retrained.published.missing}); run the "
            "command again to add it, which trains and tests nothing again"
        )


def _print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    for heading, text in pairs:
        out.print(f"{heading:<16} {text}")


def _trained_on(retrained: Retrained) -> Iterator[tuple[str, str]]:
    note = retrained.result.config.dataset
    if note is not None and retrained.tested.images is not None:
        yield "trained on", f"{note.sizes['train'] + note.sizes['val']:,} images"


def _test(retrained: Retrained) -> Iterator[tuple[str, str]]:
    """The means over the seeds, and how far they may be from the truth: by the seeds, by the images."""
    for name, test in retrained.test.items():
        by_seeds = ""
        if test.low is not None:
            by_seeds = f" ({score(test.low)} to {score(test.high)} over {test.n} seeds, 95%)"
        yield "test accuracy" if name == ACCURACY else name, f"{score(test.mean)}{by_seeds}"
    if (binomial := retrained.binomial) is not None:
        by_images = f"{score(binomial[0])} to {score(binomial[1])}"
        yield "test images", f"{retrained.tested.images:,}: they alone leave {by_images} open (95%)"


def _cautions(summary: SweepSummary, winner: TrialRecord, retrained: Retrained, quick: bool) -> Iterator[str]:
    """Why the accuracy may be too good, or is not well known."""
    if quick:
        yield (
            f"not confirmed: {score(winner.value)} was the best of many, and is probably too good by some of "
            "its luck"
        )
    if retrained.test_reads > 1:
        yield f"the test set was read by {retrained.test_reads} retrainings: the best of them is too good"
    if failed := failure_summary(retrained.result.records):
        yield f"failed seeds: {failed}; without them the accuracy may be too good"
    if not retrained.test:
        yield "not tested: it has no test_step with a test_dataloader"
    elif retrained.tested.seeds == 1:
        epochs = retrained.result.config.max_epochs  # with others it would be another retraining
        same = "" if epochs == summary.config.max_epochs else f" --max-epochs {epochs}"
        if (size := retrained.tested.train_size) is not None:
            same += f" --train-size {size}"
        more = f"--trial {winner.number} --seeds 3{same}"
        yield f"one seed says nothing of the spread between seeds: {more} does"


def _model(retrained: Retrained) -> Iterator[tuple[str, str]]:
    if retrained.model_folder is None:
        yield "checkpoint", str(retrained.checkpoint)
        yield "not saved", f"no model to serve: {retrained.not_saved}"
        return
    folder = retrained.model_folder
    of_images = retrained.tested.images is not None
    serve = f"{typed('serve_model.py')} {folder}" if of_images else f"mlflow models serve -m {folder}"
    yield "model folder", str(folder)
    yield "serve it with", serve if of_images else f"{serve} --env-manager local"
    yield "load it with", f"mlflow.pyfunc.load_model({str(retrained.model_folder)!r})"


def _in_mlflow(published: Published) -> Iterator[tuple[str, str]]:
    if published.model_uri:
        yield "model in MLflow", published.model_uri
    if place := published.registration:
        yield "registered", f"{place.name} version {place.version}: {place.decision}"


def _lacking(published: Published) -> str:
    """What MLflow does not have of a retraining; things get there in this order."""
    if published.model_uri is None:
        return "the model"
    return "the model's registration" if published.registration is None else "some of the trainings"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
