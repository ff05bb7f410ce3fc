"""A retrained model looked at closely, in numbers and pictures, in a folder and in MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from cifar_cnn.prepare import open_data
from search.cifar.sweep import OBJECTIVE, accelerator_of, data_of
from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import Step, UserError
from search.finalists.images import one_line_errors
from search.finalists.reads_of_test import newest_test_read
from search.finalists.retrain import final_checkpoint, first_seed
from search.results.summary import summarise
from search.tracking.pages.server import sweep_page
from search.tracking.store import TrackingStore


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        retraining: whose first seed's model was examined.
        evaluation: of the test split, as plain JSON.
        interval: 95% interval of its accuracy by the number of images alone.
        corrupted: accuracy by corruption, mild to strong; empty unless asked for.
        files: what was written.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> corrupted = {"blur": [0.6, 0.4], "noise": [0.8, 0.6]}
        >>> examination = Examination(config, {"accuracy": 0.9}, (0.88, 0.92), corrupted, files=[])
        >>> round(mean_corrupted(examination), 2)
        0.6
    """

    retraining: SweepConfig
    evaluation: dict[str, Any]
    interval: tuple[float, float]
    corrupted: dict[str, list[float]]
    files: list[Path]


@one_line_errors(". If the images are elsewhere on this machine, give their folder with `data_dir`")
def examine(
    sweep: SweepConfig, folder: Path, *, corruptions: bool, data_dir: Path | None = None
) -> Examination:
    """Evaluate the model that was made of a sweep by retraining its best, and draw what it does.

    It is the model that was tested already: nothing is chosen by looking again.

    Args:
        sweep: the sweep.
        folder: where the figures go.
        corruptions: evaluate under corruptions too, which takes eighteen times as long.
        data_dir: where the images lie; None: as the retraining has it.

    Raises:
        UserError: the sweep has not been retrained, or its images or the checkpoint cannot be read.
        SweepFailed: the checkpoint is gone.
    """
    from cifar_cnn import visualize
    from cifar_cnn.corruptions import corruptions as kinds
    from cifar_cnn.evaluate import predict_split
    from cifar_cnn.evaluate import summarise as summarise_predictions

    if sweep.objective != OBJECTIVE:
        raise UserError(
            f"sweep {sweep.name!r} trains {sweep.objective}: figures are drawn of this project's CNN alone; "
            "what its own test measured was printed by its retraining, and is in MLflow"
        )
    retraining = _newest(sweep)
    if data_dir is not None:
        retraining = retraining.model_copy(update={"paths": {"data": str(data_dir.absolute())}})
    checkpoint = final_checkpoint(retraining, first_seed(retraining))
    predict = partial(
        predict_split, checkpoint, "test", data=data_of(retraining), accelerator=accelerator_of(retraining)
    )
    predicted = predict()
    evaluation = summarise_predictions(predicted.logits, predicted.labels, predicted.class_names, "test")
    images, _, _ = open_data(data_of(retraining)).arrays("test")
    figures = {
        "confusion": visualize.confusion_figure(evaluation),
        "class_accuracy": visualize.class_accuracy_figure(evaluation),
        "reliability": visualize.reliability_figure(predicted),
        "mistakes": visualize.mistakes_figure(predicted, images),
    }
    corrupted: dict[str, list[float]] = {}
    for name, strengths in kinds().items() if corruptions else ():
        spoilt = [predict(change=change) for change in strengths.values()]
        corrupted[name] = [float((each.classes == each.labels).double().mean()) for each in spoilt]
    if corrupted:
        figures["corruptions"] = visualize.corruption_figure(evaluation.accuracy, corrupted)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.png" for name in figures]
    for file, figure in zip(files, figures.values(), strict=True):
        figure.savefig(file, dpi=150)
    report = evaluation.to_json() | {"interval": evaluation.interval, "corrupted": corrupted}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
    files.append(folder / "evaluation.json")
    return Examination(retraining, evaluation.to_json(), evaluation.interval, corrupted, files)


def mean_corrupted(examination: Examination) -> float | None:
    """Mean accuracy over all corruptions and strengths."""
    values = [value for strengths in examination.corrupted.values() for value in strengths]
    return mean(values) if values else None


def log_examination(examination: Examination) -> bool:
    """Add the files to the retraining's run in MLflow; whether there is one.

    Raises:
        TrackingDown: the store does not answer.
    """
    config = examination.retraining
    # By the study's identity: a retraining that was deleted and done again leaves a run of the same name.
    page = sweep_page(summarise(config.name, config.sweeps_dir))
    if page is None:
        return False
    TrackingStore(config.tracking_uri, config.experiment, create=False).add_files(
        page.sweep_run_id, examination.files, "figures"
    )
    return True


def _newest(sweep: SweepConfig) -> SweepConfig:
    name = newest_test_read(sweep)
    if name is None or name not in sweep_names(sweep.folder / "retrain"):
        retrain = Step("retrain", sweep.name, sweep.sweeps_dir, "retrain its best configuration")
        raise UserError(f"sweep {sweep.name!r} has no retrained model yet: {retrain}", retrain)
    return SweepConfig.load(name, sweep.folder / "retrain")
