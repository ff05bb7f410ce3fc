"""How a sweep stands, as its only driver knows it: what is left of it, what is frozen, what each trial is."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.study.budget import Budget
from search.study.choosing import Choosing
from search.study.held import HeldTrials
from search.study.launches import Launches
from search.study.mirror import StudyMirror
from search.study.promotion import Ask, Promotion, Thaw
from search.study.reading import records_of
from search.study.records import TrialRecord


class Standing:
    """A study as it stands for the driver that has opened it; nothing here writes.

    Args:
        study: the study, with its sampler and pruner.
        mirror: the study's storage.
        config: the sweep; its definition is the study's.
        promotion: the part of the policy that freezes trials and thaws them, if it does.

    Example:
        >>> from optuna.pruners import NopPruner
        >>> from optuna.samplers import RandomSampler
        >>> from optuna.storages import InMemoryStorage
        >>> from search.study.creating import Policy, create_or_open
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> opened = create_or_open(config, InMemoryStorage(), Policy(RandomSampler(seed=0), NopPruner()))
        >>> standing = Standing(*opened, config, promotion=None)
        >>> standing.remaining(), standing.frozen(), standing.records()
        (2, [], [])
    """

    def __init__(
        self, study: optuna.Study, mirror: StudyMirror, config: SweepConfig, promotion: Promotion | None
    ) -> None:
        self.study = study
        self.launches = Launches(study, mirror)
        self._mirror = mirror
        self._config = config
        self._held = HeldTrials(mirror)
        self._budget = Budget(config, study, mirror)
        self._choosing = Choosing(config, self._budget, promotion, self.records())

    @property
    def sweep_id(self) -> str:
        """Identity of this study: a sweep deleted and launched again under its name is another one."""
        return str(self.study.user_attrs["sweep_id"])

    @property
    def most_trials(self) -> int:
        """Trials the sweep ends with; a grid ends when it is exhausted."""
        return self._budget.trials

    def remaining(self) -> int:
        """Trials that may still be asked for: of the budget, and beyond it what a guest has enqueued."""
        return self._choosing.trials_left()

    def choose(self) -> Thaw | Ask | None:
        """What a free slot does; None: nothing, until a trial that runs has changed, or for good."""
        return self._choosing.next()

    def frozen(self) -> list[int]:
        """Numbers of the trials that are frozen, oldest first."""
        return sorted(self._mirror.frozen)

    def unfinished(self) -> list[int]:
        """Numbers of the trials that an earlier driver left RUNNING, oldest first."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return sorted(trial.number for trial in running if trial.number not in self._held)

    def queued(self) -> list[int]:
        """Numbers of the trials that wait in the study; a worker may have begun one that was asked for."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return [trial.number for trial in waiting]

    def record(self, number: int) -> TrialRecord:
        """What is known of one trial."""
        return self._held.record(number)

    def records(self) -> list[TrialRecord]:
        """What is known of all trials that were started, in the order of their numbers."""
        return records_of(self.study, self._mirror.frozen)
