"""The policy of a confirmation: a race between finalists, read from its study alone.

So a driver that is killed and resumed goes on with the seed that it would have gone on with anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.config.goals import Goal
from search.config.sweep_config import SweepConfig
from search.objective.repeated import ARM, MOST_SEEDS, REPEAT
from search.policy.race import SURE, Arm, Next, next_seed
from search.study.promotion import Ask, Left
from search.study.reading import record_of
from search.study.records import TrialRecord, not_retried

RACE = "race"  # the sampler's name in the configuration of a confirmation
SURE_TAG = "sweep.sure"  # its tag, which another launch may change, as the number of its trials


class Race:
    """What the trainings of a confirmation came to, and which comes next.

    Args:
        arms: configurations that race.
        most: trainings of all of them together.
        goal: of the sweep.
        sure: P(best) at which the race is over.
        images: that the metric is an accuracy on; None: it is another.

    Example:
        >>> race = Race(arms=2, most=6, goal=Goal("val_acc", "maximize"))
        >>> race.next([]).arm
        0
        >>> race.next([TrialRecord(0, TrialState.COMPLETE, {ARM: 0, REPEAT: 0}, value=0.8)]).arm
        1
    """

    def __init__(
        self, arms: int, most: int, goal: Goal, sure: float = SURE, images: int | None = None
    ) -> None:
        self._arms, self._most, self._goal, self._sure, self._images = arms, most, goal, sure, images

    @classmethod
    def of(cls, config: SweepConfig) -> Race:
        """The race that a confirmation's configuration describes."""
        arms = config.space.parameters[ARM]
        assert isinstance(arms, IntDistribution)
        # An earlier version's was a grid, and trained all of it.
        sure = float(config.tags.get(SURE_TAG, 1))
        return cls(arms.high + 1, config.most_trials, config.goal, sure, config.validation_images)

    @property
    def parameters(self) -> dict[str, BaseDistribution]:
        """The space of its trials: an arm, and which of its seeds."""
        return {ARM: IntDistribution(0, self._arms - 1), REPEAT: IntDistribution(0, MOST_SEEDS - 1)}

    def next(self, records: Iterable[TrialRecord]) -> Next | None:
        """The arm that is trained next; None: the race is over, or waits for what runs."""
        arms, maximise = self.arms(records), self._goal.maximises
        return next_seed(arms, self._most, maximise=maximise, sure=self._sure, images=self._images)

    def is_over(self, records: Iterable[TrialRecord]) -> bool:
        """Whether nothing runs and nothing is to be trained any more."""
        records = list(records)
        return self.next(records) is None and all(record.state.is_finished() for record in records)

    def arms(self, records: Iterable[TrialRecord]) -> list[Arm]:
        """What is known of each arm."""
        arms = [Arm() for _ in range(self._arms)]
        for record in not_retried(records):
            if REPEAT not in record.params:
                continue  # it is the one that is being asked for
            arm = arms[record.params[ARM]]
            if not record.state.is_finished():
                arm.running += 1
            elif record.state is TrialState.COMPLETE and record.value is not None:
                arm.values.append(record.value)
            else:
                arm.failed += 1
        return arms


class Racing:
    """Asks for seeds as long as the race goes on; freezes nothing.

    Args:
        race: of these trials.

    Example:
        >>> racing = Racing(Race(arms=2, most=6, goal=Goal("val_acc", "maximize")))
        >>> racing.next(Left(trials=6, epochs=None, budget=None)).until is None
        True
    """

    def __init__(self, race: Race) -> None:
        self._race = race
        self._records: dict[int, TrialRecord] = {}

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before, in the study."""
        self._records[record.number] = record

    def next(self, left: Left) -> Ask | None:
        """Another seed; None: nothing, until a trial that runs has ended, or for good."""
        if left.enqueued:
            return Ask(None, "tried once more")
        following = self._race.next(self._records.values()) if left.trials else None
        return None if following is None else Ask(None, following.why)


class RaceSampler(BaseSampler):
    """Draws the arm that comes next in the race, and its next seed.

    Args:
        race: of the study's trials.

    Example:
        >>> race = Race(arms=2, most=6, goal=Goal("val_acc", "maximize"))
        >>> study = optuna.create_study(study_name="race", sampler=RaceSampler(race))
        >>> parameters = race.parameters
        >>> study.ask(parameters).params
        {'arm': 0, 'repeat': 0}
    """

    def __init__(self, race: Race) -> None:
        self._race = race

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Both parameters: the repeat follows from the arm."""
        return self._race.parameters

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The arm that comes next, with the first of its seeds that nobody has had."""
        records = [record_of(each) for each in study.get_trials(deepcopy=False)]
        following = self._race.next(records)
        arm = following.arm if following else 0  # asked for by somebody else, after the race
        had = {each.params.get(REPEAT) for each in records if each.params.get(ARM) == arm}
        return {ARM: arm, REPEAT: next(repeat for repeat in range(len(had) + 1) if repeat not in had)}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never asked for.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"a race draws `{ARM}` and `{REPEAT}`, and no {param_name!r}")
