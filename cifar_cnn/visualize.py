"""Figures of what a model does: matplotlib figures, to be saved by whoever asked for them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifar_cnn.calibration import BINS, calibration_bins
from cifar_cnn.evaluate import Evaluation, Predicted

_GRID = 5  # mistakes a side


def confusion_figure(evaluation: Evaluation) -> Figure:
    """How often each class is taken for each: a row a true class, shares of the row written in."""
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.5 + 0.55 * len(counts)
    figure = Figure((size, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        if counts[row, column]:
            dark = shares[row, column] > 0.5
            text = f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", size=8)
    names = evaluation.class_names
    axes.set(xlabel="predicted", ylabel="true", title=f"{evaluation.split}: percent of each true class")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    return figure


def class_accuracy_figure(evaluation: Evaluation) -> Figure:
    """Accuracy within each class, the worst first, and over all."""
    named = zip(evaluation.class_names, evaluation.class_accuracy, strict=True)
    shown = sorted(((accuracy, name) for name, accuracy in named if accuracy is not None), reverse=True)
    figure = Figure((6, 1.2 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(
        [name for _, name in shown], [100 * accuracy for accuracy, _ in shown], color="steelblue"
    )
    axes.bar_label(bars, fmt="%.1f", padding=3)
    low, high = (100 * end for end in evaluation.interval)
    axes.axvline(100 * evaluation.accuracy, color="black", linewidth=1)
    axes.axvspan(low, high, color="black", alpha=0.15, label="over all, with its 95% interval")
    axes.set(xlim=(0, 108), xlabel=f"accuracy on {evaluation.split}, percent")
    axes.legend(loc="upper right")
    return figure


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
            said = predicted.class_names[int(predicted.classes[index])]
            true = predicted.class_names[int(predicted.labels[index])]
            axes.imshow(images[index])
            axes.set_title(f"{said} {100 * predicted.confidence[index]:.0f}%\n({true})", fontsize=9)
    return figure


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
