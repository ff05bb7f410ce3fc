"""How a retrained model did on the test split, as far as the registry compares models by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

ACCURACY = "test_acc"

_SWEEP, _TRIAL, _EPOCHS = "sweep.name", "sweep.trial", "sweep.max_epochs"
_METRIC, _VALUES, _DIRECTION = "sweep.test_metric", "sweep.test_values", "sweep.test_direction"
_IMAGES, _DATA, _TRAIN_SIZE = "sweep.test_images", "sweep.test_data", "sweep.train_size"
TEST_SET = "sweep.test_set"  # of a run too
_ACCURACIES = "sweep.test_accuracies"  # what values were called while there were only accuracies


@dataclass(frozen=True)
class Tested:
    """What the test split says of a retraining.

    Attributes:
        sweep: that the configuration was found by.
        trial: its number.
        max_epochs: of the retraining.
        seeds: trainings of the retraining; the model is the first one's.
        metric: what was measured; None: the module has no test, or logs none to compare by.
        values: of the metric, by seed; none if there is no metric.
        maximise: whether more is better.
        data: what it was tested on.
        images: how many there were, if the metric is a share of them.
        train_size: training images that were asked for; None: all there are.
        test_set: digest of the test images and their labels, whatever was trained on; None: not known.

    Example:
        >>> tested = Tested("night", 3, 60, 2, ACCURACY, (0.9, 0.92), True, "cifar10 abc", images=10_000)
        >>> Tested.of_tags(tested.tags()) == tested
        True
    """

    sweep: str
    trial: int
    max_epochs: int
    seeds: int
    metric: str | None = None
    values: tuple[float, ...] = ()
    maximise: bool = True
    data: str = ""
    images: int | None = None
    train_size: int | None = None
    test_set: str | None = None

    def tested_as(self, other: Tested) -> bool:
        """Whether both were tested on the same: test sets are, though what was trained on may differ."""
        if self.test_set is not None and other.test_set is not None:
            return self.test_set == other.test_set
        return self.data == other.data

    def tags(self) -> dict[str, str]:
        """As a model's version in the registry carries it."""
        told = {
            _SWEEP: self.sweep,
            _TRIAL: str(self.trial),
            _EPOCHS: str(self.max_epochs),
            _VALUES: json.dumps(self.values),
            _DIRECTION: "maximize" if self.maximise else "minimize",
            _DATA: self.data,
        }
        told |= {} if self.metric is None else {_METRIC: self.metric}
        told |= {} if self.train_size is None else {_TRAIN_SIZE: str(self.train_size)}
        told |= {} if self.test_set is None else {TEST_SET: self.test_set}
        return told | ({} if self.images is None else {_IMAGES: str(self.images)})

    @classmethod
    def of_tags(cls, tags: Mapping[str, str]) -> Tested | None:
        """What a version carries; None: it is not of this project."""
        if not {_VALUES, _ACCURACIES} & tags.keys():
            return None
        values = tuple(json.loads(tags.get(_VALUES, tags.get(_ACCURACIES, "[]"))))
        return cls(
            sweep=tags[_SWEEP],
            trial=int(tags[_TRIAL]),
            max_epochs=int(tags[_EPOCHS]),
            seeds=len(values),
            metric=tags.get(_METRIC, ACCURACY if _ACCURACIES in tags else None),
            values=values,
            maximise=tags.get(_DIRECTION, "maximize") == "maximize",
            data=tags[_DATA],
            images=int(tags[_IMAGES]) if _IMAGES in tags else None,
            train_size=int(tags[_TRAIN_SIZE]) if _TRAIN_SIZE in tags else None,
            test_set=tags.get(TEST_SET),
        )
