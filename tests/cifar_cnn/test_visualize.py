"""Figures show the numbers they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from cifar_cnn.corruptions import STRENGTHS, corruptions
from cifar_cnn.evaluate import Predicted, summarise
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
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["ship", "cat", "dog"]
    assert texts(figure) == ["100.0", "66.7", "50.0"]


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
    changes = []
    for strength in STRENGTHS:
        spoilt = corruptions()[name][strength](images)
        assert spoilt.shape == images.shape
        assert spoilt.dtype == torch.uint8
        assert torch.equal(spoilt, corruptions()[name][strength](images))
        changes.append(float((spoilt.float() - images.float()).square().mean()))
    assert 0 < changes[0] < changes[1] < changes[2]
