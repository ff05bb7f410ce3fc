"""A retrained model looked at closely, in numbers and pictures, in a folder and in MLflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from cifar_cnn.files import write_atomically
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cifar_cnn.evaluate import Evaluation
    from cifar_cnn.precision import Resolved
    from cifar_cnn.predict import Change, Predicted, Predictor

OnProgress = Callable[[str, int, int], None]
"""Is told what is being done, how many images were predicted for it and what came before, and of how many."""

_DPI = 150


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        retraining: whose first seed's model was examined.
        evaluation: of the test split.
        corrupted: accuracy by corruption, mild to strong; empty unless asked for.
        files: what was written.

    Example:
        >>> import torch
        >>> from cifar_cnn.evaluate import summarise
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> evaluation = summarise(torch.eye(2), torch.arange(2), ("cat", "dog"), "test")
        >>> corrupted = {"blur": [0.6, 0.4], "noise": [0.8, 0.6]}
        >>> round(mean_corrupted(Examination(config, evaluation, corrupted, files=[])), 2)
        0.6
    """

    retraining: SweepConfig
    evaluation: Evaluation
    corrupted: dict[str, list[float]]
    files: list[Path]


@one_line_errors(". If the images are elsewhere on this machine, give their folder with `data_dir`")
def examine(
    sweep: SweepConfig,
    folder: Path,
    *,
    corruptions: bool,
    data_dir: Path | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Examination:
    """Evaluate the model that was made of a sweep by retraining its best, and draw what it does.

    It is the model that was tested already: nothing is chosen by looking again. Each figure is in its file as
    soon as it is known, for whoever stops this half-way.

    Args:
        sweep: the sweep.
        folder: where the figures go.
        corruptions: evaluate under corruptions too, eighteen more times, in bf16 where that is fast.
        data_dir: where the images lie; None: as the retraining has it.
        on_progress: is told how far it is.

    Raises:
        UserError: the sweep has not been retrained, or its images or the checkpoint cannot be read.
        SweepFailed: the checkpoint is gone.
    """
    if sweep.objective != OBJECTIVE:
        raise UserError(
            f"sweep {sweep.name!r} trains {sweep.objective}: figures are drawn of this project's CNN alone; "
            "what its own test measured was printed by its retraining, and is in MLflow"
        )
    retraining = _newest(sweep)
    if data_dir is not None:
        retraining = retraining.model_copy(update={"paths": {"data": str(data_dir.absolute())}})
    checkpoint = final_checkpoint(retraining, first_seed(retraining))
    on_progress("loading the model and the images", 0, 0)
    from cifar_cnn.corruptions import corruptions as all_kinds
    from cifar_cnn.evaluate import summarise as summarise_predictions
    from cifar_cnn.precision import resolve_precision
    from cifar_cnn.predict import Predictor

    kinds = all_kinds() if corruptions else {}
    predictor = Predictor(
        checkpoint, "test", data=data_of(retraining), accelerator=accelerator_of(retraining)
    )
    looks = _Looks(predictor, 1 + sum(map(len, kinds.values())), on_progress)
    predicted = looks.look("test images", "fp32")
    evaluation = summarise_predictions(predicted.logits, predicted.labels, predicted.class_names, "test")
    report = _Report(folder)
    report.numbers(evaluation, {})
    looks.tell("drawing figures")
    _draw(report, retraining, evaluation, predicted)
    corrupted: dict[str, list[float]] = {}
    fastest = resolve_precision("auto", predictor.device)
    for kind, strengths in kinds.items():
        corrupted[kind] = [
            looks.look(f"{kind} {strength} of {len(strengths)}", fastest, change).accuracy
            for strength, change in strengths.items()
        ]
        report.numbers(evaluation, corrupted)
    if corrupted:
        from cifar_cnn.visualize import corruption_figure

        report.figure("corruptions", corruption_figure(evaluation.accuracy, corrupted))
    return Examination(retraining, evaluation, corrupted, report.files)


@dataclass
class _Looks:
    """One look after another at all images; tells how many there have been of how many there will be."""

    predictor: Predictor
    looks: int
    on_progress: OnProgress
    done: int = 0

    def tell(self, what: str) -> None:
        self.on_progress(what, self.done, self.looks * len(self.predictor))

    def look(self, what: str, precision: Resolved, change: Change | None = None) -> Predicted:
        def more(images: int) -> None:
            self.done += images
            self.tell(what)

        more(0)
        return self.predictor.predict(change, precision=precision, on_images=more)


@dataclass
class _Report:
    """What has been written so far."""

    folder: Path
    files: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def figure(self, name: str, figure: Figure) -> None:
        figure.savefig(self._file(f"{name}.png"), dpi=_DPI)

    def numbers(self, evaluation: Evaluation, corrupted: dict[str, list[float]]) -> None:
        intervals = {"interval": evaluation.interval, "class_intervals": evaluation.class_intervals}
        told = evaluation.to_json() | intervals | {"corrupted": corrupted}
        write_atomically(self._file("evaluation.json"), json.dumps(told, indent=1) + "\n")

    def _file(self, name: str) -> Path:
        file = self.folder / name
        if file not in self.files:
            self.files.append(file)
        return file


def _draw(report: _Report, retraining: SweepConfig, evaluation: Evaluation, predicted: Predicted) -> None:
    from cifar_cnn import visualize

    report.figure("confusion", visualize.confusion_figure(evaluation))
    report.figure("class_accuracy", visualize.class_accuracy_figure(evaluation))
    report.figure("reliability", visualize.reliability_figure(predicted))
    images, _, _ = open_data(data_of(retraining)).arrays("test")
    report.figure("mistakes", visualize.mistakes_figure(predicted, images))


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
