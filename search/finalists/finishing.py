"""What of a sweep's budget finishes it: so many trainings to confirm and to retrain as what is left allows.

It follows from the study and the configuration alone, so a driver that is killed and resumed finishes as it
would have. Only how much time is left does not: what was begun, is gone on with.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.config.finishing import FINALISTS, MOST_TRAININGS, SEEDS
from search.config.folder_file import CONFIG_FILE
from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import Step, UserError
from search.finalists.choosing import choose_finalists
from search.finalists.confirm import confirm_config
from search.finalists.reads_of_test import newest_test_read
from search.finalists.retrain import retrain_config
from search.finalists.training_images import TrainingImages, training_images
from search.results.cost import Cost
from search.results.size import is_over, spent
from search.results.summary import SweepSummary, summarise
from search.study.opening import NoStudyYet, check_idle
from search.study.records import TrialRecord

_FEWEST_TO_RACE = 4  # trainings: three that race, and one retraining


@dataclass(frozen=True)
class Finish:
    """What finishing a sweep trains.

    Attributes:
        finalists: the best distinct configurations, the best first.
        confirmations: trainings of them at most; 0: the best is taken as it is.
        retrainings: of the winner.
        images: that it is retrained on; None: it is no CNN of ours.

    Example:
        >>> Finish(finalists=[], confirmations=0, retrainings=3, images=None).retrainings
        3
    """

    finalists: Sequence[TrialRecord]
    confirmations: int
    retrainings: int
    images: TrainingImages | None


@dataclass(frozen=True)
class Time:
    """What is left of a launch's time budget.

    Example:
        >>> Time(seconds=600.0, slots=2).seconds
        600.0
    """

    seconds: float
    slots: int  # trainings at a time


def shared_out(trainings: int) -> tuple[int, int, int]:
    """Finalists, trainings that confirm them, and retrainings: a quarter of all of them.

    Fewer than four are all retrainings, of the best: a race of so few tells nothing.

    >>> [shared_out(trainings) for trainings in (2, 4, 8, 12)]
    [(1, 0, 2), (2, 3, 1), (3, 6, 2), (3, 9, 3)]
    """
    if trainings < _FEWEST_TO_RACE:
        return 1, 0, trainings
    again = min(SEEDS, trainings // 4)
    confirmations = min(FINALISTS * SEEDS, trainings - again)
    return min(FINALISTS, (confirmations + 1) // 2), confirmations, again


def check_finish(config: SweepConfig) -> None:
    """Refuse, before anything starts, to finish what cannot be finished; decodes the images.

    Raises:
        UserError: what was kept back is spent, the sweep would go on after its test, or images are missing.
    """
    training_images(config, None)
    if not (config.folder / CONFIG_FILE).exists():
        return
    try:
        records = summarise(config.name, config.sweeps_dir).records
    except NoStudyYet:
        return
    if is_over(config, records):
        _Left.of(config, records, records, time=None).check()
    elif (read := newest_test_read(config)) is not None:
        no_finish = Step("resume", config.name, config.sweeps_dir, "resume it", {"no_finish": True})
        raise UserError(
            f"sweep {config.name!r} is to go on, and {read} has read its test split: another winner could "
            f"not be tested, so {no_finish}, or launch another sweep",
            no_finish,
        )


def being_finished(config: SweepConfig) -> SweepSummary | None:
    """A sweep of which finishing has begun though its search, which time had ended, could go on; else None.

    Raises:
        UserError: its study cannot be read, or a driver is at work.
    """
    if not any(sweep_names(config.folder / kind) for kind in ("confirm", "retrain")):
        return None
    summary = dataclasses.replace(summarise(config.name, config.sweeps_dir), config=config)
    if is_over(config, summary.records):
        return None
    check_idle(config)
    return summary


def plan_finish(summary: SweepSummary, time: Time | None) -> Finish:
    """What is trained to finish a sweep, on all images if what is left pays for that, or on the sweep's own.

    Args:
        summary: of the sweep, as its search has ended.
        time: that is left of this launch's budget; None: as much as it takes.

    Raises:
        UserError: no trial has completed, or what is left does not pay for one training.
    """
    config = summary.config
    best = choose_finalists(summary, FINALISTS)
    left = _Left.of(config, summary.records, best, time)
    for images in _choices_of_images(summary, best):
        for trainings in range(MOST_TRAININGS, 0, -1):
            top, confirmations, again = shared_out(trainings)
            if left.pays(confirmations, again, _size(config, images)):
                top = _raced(summary, best) or top
                most = min(confirmations, SEEDS * len(best[:top]))
                return Finish(best[:top], most, again, images)
    left.check()
    own = _size(config, _choices_of_images(summary, best)[-1])
    raise UserError(
        f"what is left of the budget of sweep {config.name!r} pays for {left.trainings:.1f} trainings like "
        f"its best, and to retrain that takes {own:.1f}: {_more(config)}",
        _more(config),
    )


@dataclass(frozen=True)
class _Left:
    """What is left of each budget, in whole trainings on the sweep's own images."""

    config: SweepConfig
    epochs: float
    hours: float  # of cores or GPUs, whichever are fewer
    time: Time | None
    seconds: float  # of one training

    @classmethod
    def of(
        cls,
        config: SweepConfig,
        records: Sequence[TrialRecord],
        like: Sequence[TrialRecord],
        time: Time | None,
    ) -> _Left:
        """Of the budgets of a sweep with these trials, by what trainings like some of them take."""
        whole = config.whole_epochs
        epochs = math.inf if whole is None else (whole - spent(config, records)) / config.max_epochs
        a_training = config.max_epochs / max(1, sum(len(record.epochs) for record in like))
        hours, taken, each = math.inf, Cost.of(records), Cost.of(like)
        if taken is not None and each is not None:
            for limit, so_far, one in (
                (config.core_hours, taken.core_hours, each.core_hours * a_training),
                (config.gpu_hours, taken.gpu_hours, each.gpu_hours * a_training),
            ):
                if limit is not None and one:
                    hours = min(hours, (limit - so_far) / one)
        seconds = sum(record.train_seconds for record in like) * a_training
        return cls(config, epochs, hours, time, seconds)

    @property
    def trainings(self) -> float:
        """How many it pays for, one after the other."""
        in_time = math.inf if self.time is None else self.time.seconds / max(self.seconds, 1e-9)
        return max(0.0, min(self.epochs, self.hours, in_time))

    def pays(self, confirmations: int, retrainings: int, size: float) -> bool:
        """Whether it pays for so many, of which a retraining has so many times the sweep's images."""
        if confirmations + retrainings > self.epochs or confirmations + retrainings * size > self.hours:
            return False
        if self.time is None:
            return True
        one_after_the_other = math.ceil(confirmations / self.time.slots)
        rounds = one_after_the_other + math.ceil(retrainings / self.time.slots) * size
        return rounds * self.seconds <= self.time.seconds

    def check(self) -> None:
        """Refuse to begin with nothing left.

        Raises:
            UserError: less than one training, or no hours at all.
        """
        config, more = self.config, _more(self.config)
        if self.epochs < 1 or self.hours <= 0:
            raise UserError(
                f"sweep {config.name!r} has used its budget up, and to `finish` takes {config.max_epochs} "
                f"epochs at least: {more}",
                more,
            )


def _more(config: SweepConfig) -> Step:
    """How a sweep comes to what finishing takes."""
    return Step("retrain", config.name, config.sweeps_dir, "finish it all the same")


def _size(config: SweepConfig, images: TrainingImages | None) -> float:
    """How many times the sweep's images a retraining learns from."""
    if images is None or config.dataset is None:
        return 1.0
    return images.count / config.dataset.sizes["train"]


def _choices_of_images(
    summary: SweepSummary, finalists: Sequence[TrialRecord]
) -> list[TrainingImages | None]:
    """All images, then the sweep's own; only those that a retraining has begun with, if one has."""
    config = summary.config
    every = training_images(config, None)
    if every is None or config.dataset is None:
        return [None]
    own = TrainingImages(config.settings["data"], config.dataset)
    choices: list[TrainingImages | None] = [every, own]
    begun = [
        images
        for images in choices
        if any(_begun(retrain_config(summary, each, 1, images=images).folder) for each in finalists)
    ]
    return begun or choices


def _raced(summary: SweepSummary, finalists: Sequence[TrialRecord]) -> int | None:
    """How many finalists a race has begun with; None: none has."""
    tops = range(len(finalists), 0, -1)
    return next((n for n in tops if _begun(confirm_config(summary, finalists[:n], 1).folder)), None)


def _begun(folder: Path) -> bool:
    return (folder / CONFIG_FILE).exists()
