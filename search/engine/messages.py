"""What driver and worker say to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.objective.context import Objective
from search.study.records import Epoch, StopReason

MESSAGE = "message"  # its key in what Ray hands on


@dataclass(frozen=True)
class WorkerSpec:
    """What all trials of a sweep have in common; travels to the workers once.

    Example:
        >>> import math
        >>> spec = WorkerSpec(
        ...     objective=math.sqrt,
        ...     settings={},
        ...     paths={},
        ...     metric="val_acc",
        ...     max_epochs=3,
        ...     checkpoints="checkpoints",
        ...     cpus=1,
        ...     gpus=0,
        ... )
    """

    objective: Objective
    settings: Mapping[str, Any]
    paths: Mapping[str, str]
    metric: str
    max_epochs: int
    checkpoints: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Assignment:
    """One trial as it is handed to a worker.

    Example:
        >>> Assignment(number=3, params={"lr": 0.1}, seed=3, epochs_known=0).params
        {'lr': 0.1}
    """

    number: int
    params: Mapping[str, Any]
    seed: int
    epochs_known: int  # epochs that the study holds, and that a checkpoint should have
    origins: Sequence[int] = ()  # trials whose checkpoints it may take up, the first first: it retries them
    until: int | None = None  # the epoch after which it is frozen; None: it trains to its end


@dataclass(frozen=True)
class Message:
    """What a worker tells the driver; exactly one of the kinds, or just that it has begun, or still lives.

    Example:
        >>> Message(epochs=()).last, Message(finished=True).last
        (False, True)
    """

    epochs: tuple[Epoch, ...] = ()  # finished epochs; ones that the study has already are ignored there
    notes: tuple[str, ...] = ()  # what the user should hear about this attempt
    finished: bool = False  # the objective returned
    left: bool = False  # the objective, told to stop, has cleaned up and ended in whatever way
    failure: StopReason | None = None  # the objective raised; or, where it has left, its clean-up
    error: str = ""

    @property
    def last(self) -> bool:
        """Whether the attempt is over on the worker's side."""
        return self.finished or self.left or self.failure is not None
