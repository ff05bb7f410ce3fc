"""What `evaluate_model.py` tells: how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from scripts.consoles import err, out
from scripts.documents.models import Class, Evaluation
from search.finalists.examine import Examination, mean_corrupted
from search.results.digits import NONE, score, scores


class EvaluationProgress:
    """A bar in a terminal, and anywhere else a line whenever something new is begun; a context manager.

    Args:
        name: of the sweep.
        console: where to.
    """

    def __init__(self, name: str, console: Console = err) -> None:
        self._name, self._console, self._doing = name, console, ""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.fields[images]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None, images="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Take in how far it is; no total while that is not known."""
        if self._bar.disable and doing != self._doing:
            self._console.print(
                f"{self._name}: {doing}" + (f", {done:,} of {total:,} images" if total else "")
            )
        self._doing = doing
        images = f"{done}/{total}" if total else ""
        self._bar.update(self._task, description=doing, completed=done, total=total or None, images=images)


def evaluation(sweep: str, examined: Examination, missing: str | None, mends: Sequence[str]) -> Evaluation:
    """The same for programs; with what MLflow lacks of it, and the commands that mend that."""
    found = examined.evaluation
    of_classes = zip(
        found.class_names, found.class_accuracy, found.class_intervals, found.class_counts, strict=True
    )
    return Evaluation(
        sweep=sweep,
        retraining=examined.retraining.name,
        images=found.n,
        accuracy=found.accuracy,
        interval=found.interval,
        loss=found.loss,
        calibration_error=found.calibration_error,
        classes=[
            Class(name=name, accuracy=accuracy, interval=interval, images=count)
            for name, accuracy, interval, count in of_classes
        ],
        confusion=[list(row) for row in found.confusion],
        corrupted=examined.corrupted,
        files=[str(file.absolute()) for file in examined.files],
        missing=[] if missing is None else [missing],
        next=list(mends),
    )


def print_examination(examined: Examination) -> None:
    """Accuracy over all and of each class, with their intervals; calibration; accuracy under corruptions."""
    evaluation = examined.evaluation
    over_all = f"{_interval(evaluation.interval)}, 95% by {evaluation.n:,} images"
    out.print(f"test accuracy      {score(evaluation.accuracy)} ({over_all})")
    out.print("model              the first seed's, which is saved")
    out.print(f"calibration error  {score(evaluation.calibration_error)}")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for heading in ("accuracy", "95% interval", "images"):
        table.add_column(heading, justify="right")
    for name, accuracy, interval, count in zip(
        evaluation.class_names,
        scores(evaluation.class_accuracy),
        evaluation.class_intervals,
        evaluation.class_counts,
        strict=True,
    ):
        table.add_row(name, accuracy, NONE if interval is None else _interval(interval), f"{count:,}")
    out.print(table)
    for kind, values in examined.corrupted.items():
        out.print(f"under {kind:<12} " + "  ".join(scores(values)))
    if (mean := mean_corrupted(examined)) is not None:
        out.print(f"under all          {score(mean)} on average")


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{score(low)} to {score(high)}"
