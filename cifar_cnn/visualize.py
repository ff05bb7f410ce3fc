"""Figures of what a model does: matplotlib figures, to be saved by whoever asked for them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifar_cnn.calibration import BINS, calibration_bins
from cifar_cnn.evaluate import Evaluation
from cifar_cnn.predict import Predicted

_GRID = 5  # mistakes a side
_LETTERS = 18  # of a class's name, above an image
_WRITTEN = 30  # classes up to which a cell of the confusion matrix has room for its share
_ROWS = 50  # classes in a column of bars
_COLUMNS = 4  # of them; of more classes the worst and the best are shown
_INCH = 72  # points


def confusion_figure(evaluation: Evaluation) -> Figure:
    """How often each class is taken for each: a row a true class, with the shares of the row."""
    counts = np.array(evaluation.confusion)
    percent = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    names, written = evaluation.class_names, len(counts) <= _WRITTEN
    # Of many classes the names get as small as their rows.
    side = max(3.5, 0.55 * len(counts)) if written else 16.0
    size = min(10.0, 0.9 * _INCH * side / len(counts))
    figure = Figure((side + 2 if written else side + 4, side + 2), layout="constrained")
    axes = figure.add_subplot()
    # Among many classes a mistake is rare, and its share would be too pale to be seen.
    norm = Normalize(0, 100) if written else PowerNorm(0.5, 0, 100)
    image = axes.imshow(percent, cmap="Blues", norm=norm)
    if written:
        for row, column in zip(*counts.nonzero(), strict=True):
            share = percent[row, column]
            color = "white" if share > 50 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=color, size=8)
    else:
        figure.colorbar(image, ax=axes, shrink=0.5, label="percent of the true class")
    axes.set(xlabel="predicted", ylabel="true", title=f"{evaluation.split}: percent of each true class")
    straight = 45 if written else 90
    axes.set_xticks(
        range(len(names)), names, rotation=straight, ha="right" if written else "center", size=size
    )
    axes.set_yticks(range(len(names)), names, size=size)
    return figure


def class_accuracy_figure(evaluation: Evaluation) -> Figure:
    """Accuracy within each class, the worst first, each with Wilson's 95% interval, and over all."""
    order = sorted(
        (accuracy, label) for label, accuracy in enumerate(evaluation.class_accuracy) if accuracy is not None
    )
    labels, room = [label for _, label in order], _COLUMNS * _ROWS
    title = ""
    if len(labels) > room:
        labels = labels[: room // 2] + labels[-room // 2 :]
        title = f"the {room // 2} worst and the {room // 2} best of {len(order)} classes"
    columns = [labels[first : first + _ROWS] for first in range(0, len(labels), _ROWS)]
    figure = Figure(
        (6 if len(columns) == 1 else 5 * len(columns), 1.6 + 0.3 * len(columns[0])), layout="constrained"
    )
    figure.suptitle(title)
    shown = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(shown, columns, strict=True):
        _class_bars(axes, evaluation, column)
        # All of one height, however few are left for the last one.
        axes.set(ylim=(len(columns[0]) - 0.4, -0.6), xlim=(0, 100))
    figure.supxlabel(f"accuracy on {evaluation.split}, percent, with 95% intervals", size=10)
    figure.legend(*shown[0].get_legend_handles_labels(), loc="outside upper right")
    return figure


def _class_bars(axes: Axes, evaluation: Evaluation, labels: Sequence[int]) -> None:
    rates = np.array([evaluation.class_accuracy[label] for label in labels], dtype=float)
    intervals = np.array([evaluation.class_intervals[label] for label in labels], dtype=float)
    # A rounding below zero at the ends, where the interval begins at the share itself.
    reach = np.abs(np.stack([rates - intervals[:, 0], intervals[:, 1] - rates]))
    places = np.arange(len(labels))
    axes.barh(places, 100 * rates, color="lightsteelblue", xerr=100 * reach, error_kw={"elinewidth": 1})
    names = [
        f"{evaluation.class_names[label]}  {100 * rate:.1f}"
        for label, rate in zip(labels, rates, strict=True)
    ]
    axes.set_yticks(places, names)
    low, high = (100 * end for end in evaluation.interval)
    axes.axvspan(low, high, color="black", alpha=0.2, linewidth=0)
    axes.axvline(100 * evaluation.accuracy, color="black", linewidth=1, label="over all classes")


def reliability_figure(predicted: Predicted) -> Figure:
    """Accuracy against confidence: on the diagonal, 80% sure means right 80 times of 100."""
    bins = calibration_bins(predicted.confidence, predicted.correct)
    counts, accuracy = bins.counts.numpy(), bins.accuracy.numpy()
    centres = (np.arange(BINS) + 0.5) / BINS
    figure = Figure((5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    used = counts > 0
    above.bar(centres[used], accuracy[used], width=1 / BINS, edgecolor="white", color="steelblue")
    above.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--", label="perfectly calibrated")
    above.set(ylim=(0, 1), ylabel="accuracy", title=f"expected calibration error {bins.expected_error:.3f}")
    above.legend(loc="upper left")
    below.bar(centres, counts, width=1 / BINS, edgecolor="white", color="grey")
    below.set(xlim=(0, 1), xlabel="confidence", ylabel="images")
    return figure


def mistakes_figure(predicted: Predicted, images: NDArray[np.uint8]) -> Figure:
    """The mistakes that the model is surest of: where it is wrong, or the label is.

    Args:
        predicted: what was predicted.
        images: uint8 (N, 32, 32, 3), in the same order.
    """
    wrong = (~predicted.correct).nonzero().flatten()
    order = predicted.confidence[wrong].argsort(descending=True, stable=True)
    surest = wrong[order][: _GRID**2].tolist()
    figure = Figure((9, 10), layout="constrained")
    figure.suptitle(f"the {len(surest)} most confident of {len(wrong)} mistakes: predicted (true)")
    for place, axes in enumerate(figure.subplots(_GRID, _GRID).flat):
        axes.axis("off")
        if place < len(surest):
            index = surest[place]
            said, true = (
                _shortened(predicted.class_names[int(labels[index])])
                for labels in (predicted.classes, predicted.labels)
            )
            axes.imshow(images[index])
            axes.set_title(f"{said} {100 * predicted.confidence[index]:.0f}%\n({true})", fontsize=9)
    return figure


def _shortened(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def corruption_figure(clean: float, accuracies: Mapping[str, Sequence[float]]) -> Figure:
    """Accuracy under each corruption as it grows stronger.

    Args:
        clean: accuracy on the images as they are.
        accuracies: by corruption, mild to strong.
    """
    figure = Figure((6, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in accuracies.items():
        axes.plot(range(len(values) + 1), [100 * value for value in (clean, *values)], marker="o", label=name)
    axes.set_xticks(range(4), ["clean", "mild", "clear", "strong"])
    axes.set(ylim=(0, 100), ylabel="accuracy, percent")
    axes.legend(ncols=2)
    return figure
