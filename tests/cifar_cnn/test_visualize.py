"""Figures show the numbers they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from cifar_cnn.corruptions import STRENGTHS, corruptions
from cifar_cnn.evaluate import summarise
from cifar_cnn.intervals import wilson_interval
from cifar_cnn.predict import Predicted
from cifar_cnn.visualize import (
    class_accuracy_figure,
    confusion_figure,
    corruption_figure,
    mistakes_figure,
    reliability_figure,
)

NAMES = ("cat", "dog", "ship")
# Three cats, one taken for a dog; two dogs, one for a ship, very surely; one ship.
LOGITS = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 3, 0], [0, 0, 9], [0, 0, 3]])
LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
PREDICTED = Predicted(LOGITS, LABELS, NAMES)
EVALUATION = summarise(LOGITS, LABELS, NAMES, "test")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_confusion_matrix_tells_shares_of_each_true_class() -> None:
    figure = confusion_figure(EVALUATION)
    assert texts(figure) == ["67", "33", "50", "50", "100"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(NAMES)


def test_class_accuracies_are_sorted_and_labelled() -> None:
    figure = class_accuracy_figure(EVALUATION)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["dog  50.0", "cat  66.7", "ship  100.0"]
    assert [bar.get_width() for bar in figure.axes[0].patches[:3]] == pytest.approx([50, 200 / 3, 100])
    low, high = np.array(figure.axes[0].collections[0].get_segments())[1, :, 0]
    assert (low, high) == pytest.approx([100 * end for end in wilson_interval(2 / 3, 3)])


@pytest.mark.parametrize("classes", [2, 200, 450])
def test_figures_hold_for_few_and_many_classes(classes: int) -> None:
    names = tuple(f"n{number:03d} European fire salamander" for number in range(classes))
    labels = torch.arange(5 * classes) % classes
    logits = torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(0))
    logits[torch.arange(len(labels)), labels] += 2
    evaluation = summarise(logits, labels, names, "test")
    for figure in (confusion_figure(evaluation), class_accuracy_figure(evaluation)):
        figure.canvas.draw()  # refuses a layout without room for its axes
        assert max(figure.get_size_inches()) <= 20
    (matrix, *_) = confusion_figure(evaluation).axes
    assert len(matrix.get_yticklabels()) == classes
    assert bool(matrix.texts) == (classes == 2), "a cell of many has no room for a number"
    bars = class_accuracy_figure(evaluation)
    shown = [label for axes in bars.axes for label in axes.get_yticklabels()]
    assert len(shown) == min(classes, 200)
    assert ("100 worst and the 100 best of 450" in bars.get_suptitle()) == (classes == 450)
    wrong = Predicted(logits, labels.roll(1), names)
    (first, *_) = mistakes_figure(wrong, np.zeros((len(labels), 32, 32, 3), np.uint8)).axes
    assert max(map(len, first.get_title().splitlines())) < 25


def test_the_reliability_diagram_has_a_bar_for_each_bin_in_use() -> None:
    figure = reliability_figure(PREDICTED)
    above, below = figure.axes
    assert f"{EVALUATION.calibration_error:.3f}" in above.get_title()
    assert sum(bar.get_height() for bar in below.patches) == len(LABELS)
    counts = {bar.get_x(): bar.get_height() for bar in below.patches}
    right = sum(bar.get_height() * counts[bar.get_x()] for bar in above.patches)
    assert right == pytest.approx(EVALUATION.accuracy * EVALUATION.n)


def test_the_surest_mistake_comes_first() -> None:
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    figure = mistakes_figure(PREDICTED, images)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title().split()[0] for axes in shown] == ["ship", "dog"]
    assert [int(axes.images[0].get_array()[0, 0, 0]) for axes in shown] == [4, 2]


def test_a_model_without_mistakes_has_an_empty_grid() -> None:
    perfect = Predicted(torch.eye(3) * 9, torch.arange(3), NAMES)
    assert not any(axes.images for axes in mistakes_figure(perfect, np.zeros((3, 32, 32, 3), np.uint8)).axes)


def test_corruptions_are_drawn_from_clean_to_strong() -> None:
    (axes,) = corruption_figure(0.8, {"noise": [0.7, 0.6, 0.5]}).axes
    assert axes.lines[0].get_ydata() == pytest.approx([80, 70, 60, 50])


@pytest.mark.parametrize("name", corruptions())
def test_a_corruption_grows_with_its_strength_and_is_the_same_every_time(name: str) -> None:
    images = torch.randint(
        0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(corruptions()[name][1](images, 1), corruptions()[name][1](images, 2)) == (
        name != "noise"
    )
    changes = []
    for strength in STRENGTHS:
        spoilt = corruptions()[name][strength](images, 0)
        assert spoilt.shape == images.shape
        assert spoilt.dtype == torch.uint8
        assert torch.equal(spoilt, corruptions()[name][strength](images, 0))
        changes.append(float((spoilt.float() - images.float()).square().mean()))
    assert 0 < changes[0] < changes[1] < changes[2]
