"""What `retrain_best.py` does and shows: the cost, the finalists, the test accuracy, the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scripts import cli
from scripts.answers import Answer
from scripts.commands import installed, typed
from scripts.confirmation_output import confirm_and_tell, print_confirmation
from scripts.consoles import err, out, stdout_for_results
from scripts.documents.models import Retraining
from scripts.waiting import steps
from search.finalists.confirm import Confirmation, confirm_config
from search.finalists.publish import Published
from search.finalists.reads_of_test import check_test_read, has_read_test
from search.finalists.repeats import failure_summary
from search.finalists.retrain import Retrained, retrain, retrain_config
from search.finalists.training_images import TrainingImages
from search.policy.race import SURE
from search.results.digits import human_seconds, score, shown
from search.results.summary import SweepSummary
from search.study.records import TrialRecord
from search.tracking.models.tested import ACCURACY


def retrain_and_print(
    summary: SweepSummary,
    finalists: Sequence[TrialRecord],
    *,
    confirmations: int,
    seeds: int,
    sure: float = SURE,
    max_epochs: int | None = None,
    all_data: str | None = None,
    images: TrainingImages | None,
    model_name: str,
    test_again: bool = False,
) -> Answer:
    """Say what it will cost, confirm, retrain, and print the results.

    Args:
        summary: of the sweep.
        finalists: its trials that are compared.
        confirmations: trainings of all of them together at most; 0: the first one is taken as it is.
        seeds: retrainings of the winner.
        sure: P(best) that ends the comparison before.
        max_epochs: as of `retrain_config`.
        all_data: as of `retrain_config`.
        images: as of `retrain_config`.
        model_name: in MLflow's registry.
        test_again: read the test split though it was read before.
    """
    configs = [retrain_config(summary, each, seeds, max_epochs, all_data, images) for each in finalists]
    possible = [config.name for config in configs]
    check_test_read(summary.config, possible, again=test_again)
    quick = confirmations == 0
    err.print(cost(summary, finalists, confirmations, seeds, max_epochs, images))
    confirmation, missing = None, None
    if not quick:
        # Once one of them is tested, what was confirmed stays: another winner could not be tested any more.
        retry = not has_read_test(summary.config, possible)
        most_each = -(-confirmations // len(finalists))
        confirming = confirm_config(summary, finalists, most_each, sure, confirmations)
        confirmation, missing = confirm_and_tell(confirming, finalists, retry_failed=retry)
        print_confirmation(summary, confirmation, sure)
    winner = finalists[0] if confirmation is None else confirmation.winner.record
    config = configs[finalists.index(winner)]
    with stdout_for_results(), steps(summary.config.name) as say:
        retrained = retrain(
            summary,
            config,
            confirmation,
            model_name=model_name,
            test_again=test_again,
            say=say,
        )
    print_retrained(summary, winner, retrained, quick)
    lacks = [text for text in (missing, retrained.published.missing) if text is not None]
    return Answer(
        lambda: retraining(summary, winner, confirmation, retrained, lacks),
        code=cli.FAILED if lacks else cli.DONE,
    )


def cost(
    summary: SweepSummary,
    finalists: Sequence[TrialRecord],
    confirmations: int,
    retrain_seeds: int,
    max_epochs: int | None,
    images: TrainingImages | None,
) -> str:
    """What is about to be trained, in runs, epochs and time."""
    final = max_epochs or summary.config.max_epochs
    epoch_s = [record.train_seconds / len(record.epochs) for record in finalists if record.epochs]
    mean = sum(epoch_s) / len(epoch_s) if epoch_s else 0.0
    epochs = confirmations * summary.config.max_epochs + retrain_seeds * final
    seconds, on = mean * epochs, ""
    if images is not None and summary.config.dataset is not None:
        more = images.count / summary.config.dataset.sizes["train"]
        seconds += mean * retrain_seeds * final * (more - 1)
        on = f" on {images.count:,} images"
    confirming = ""
    if confirmations:
        seeds = _plural(confirmations, "seed")
        confirming = f"confirm {_plural(len(finalists), 'finalist')} with up to {seeds}, "
    most = "up to " if len(finalists) > 1 and confirmations else ""
    return (
        f"{confirming}retrain x {retrain_seeds}{on}: {most}{_plural(confirmations + retrain_seeds, 'run')}, "
        f"{_plural(epochs, 'epoch')}; about {human_seconds(seconds)} if run one at a time, less if "
        "several run at once"
    )


def retraining(
    summary: SweepSummary,
    winner: TrialRecord,
    confirmation: Confirmation | None,
    retrained: Retrained,
    missing: list[str],
) -> Retraining:
    """All of it for programs."""
    place = retrained.published.registration
    serve = _serve(retrained)
    return Retraining.model_validate(
        {
            "sweep": summary.config.name,
            "winner": winner.number,
            "params": dict(winner.params),
            "finalists": [] if confirmation is None else confirmation.to_json(),
            "retraining": retrained.result.config.name,
            "test": {name: vars(test) for name, test in retrained.test.items()},
            "test_images": retrained.tested.images,
            "test_reads": retrained.test_reads,
            "checkpoint": str(retrained.checkpoint),
            "model_folder": None if retrained.model_folder is None else str(retrained.model_folder),
            "not_saved": retrained.not_saved,
            "model_uri": retrained.published.model_uri,
            "registration": None if place is None else vars(place),
            "missing": missing,
            "next": [] if serve is None else [serve],
        }
    )


def print_retrained(summary: SweepSummary, winner: TrialRecord, retrained: Retrained, quick: bool) -> None:
    """Test accuracy with what is known of it, where the model is, how to load it."""
    params = ", ".join(f"{name}={shown(value)}" for name, value in winner.params.items())
    out.print(f"retrained {winner.key} of {summary.config.name}: {params}")
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
    yield "model folder", str(retrained.model_folder)
    yield "serve it with", str(_serve(retrained))
    yield "load it with", f"mlflow.pyfunc.load_model({str(retrained.model_folder)!r})"


def _serve(retrained: Retrained) -> str | None:
    """The command that serves the model, if there is one."""
    folder = retrained.model_folder
    if folder is None:
        return None
    if retrained.tested.images is not None:
        return f"{typed('serve_model.py')} {folder}"
    return installed(f"mlflow models serve -m {folder} --env-manager local")


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
