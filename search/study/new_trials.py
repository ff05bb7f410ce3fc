"""New trials of a study: enqueued ones, sampled ones, and failed ones' parameters tried once more."""

from __future__ import annotations

import dataclasses

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial

from search.config.sweep_config import SweepConfig
from search.study.budget import Budget
from search.study.failpoints import durable
from search.study.hand_outs import HAND_OUTS, WHY_DRAWN, HandOut, hand_outs_of
from search.study.mirror import StudyMirror
from search.study.optuna_private import enqueued_params
from search.study.reading import failed_for_good
from search.study.writes import NumberTaken
from spaces.space import InvalidSpace


class NewTrials:
    """Where a sweep's new trials come from.

    Args:
        config: the sweep.
        study: its study.
        mirror: the study's storage.
        budget: told of what is asked for.

    Example:
        >>> from optuna.pruners import NopPruner
        >>> from optuna.samplers import RandomSampler
        >>> from optuna.storages import InMemoryStorage
        >>> from search.study.creating import Policy, create_or_open
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> policy = Policy(RandomSampler(seed=0), NopPruner())
        >>> study, mirror = create_or_open(config, InMemoryStorage(), policy)
        >>> new = NewTrials(config, study, mirror, Budget(config, study, mirror))
        >>> trial, problem = new.ask(None)
        >>> trial.number, problem
        (0, None)
    """

    def __init__(self, config: SweepConfig, study: optuna.Study, mirror: StudyMirror, budget: Budget) -> None:
        self._config = config
        self._study = study
        self._mirror = mirror
        self._budget = budget

    def ask(self, hand_out: HandOut | None) -> tuple[Trial, str | None]:
        """A new trial with its parameters, in one transaction; and what is wrong with enqueued ones.

        Args:
            hand_out: up to which epoch it is to be trained, in a sweep that freezes trials; a trial that an
                earlier driver has asked for keeps its own.
        """
        while True:
            try:
                with durable("ask"), self._mirror.at_once():
                    trial = self._study.ask()
                    problem = self._problem(trial)
                    if problem is None:
                        self._config.space.suggest(trial)
                    if hand_out is not None and not hand_outs_of(trial.user_attrs):
                        trial.set_user_attr(HAND_OUTS, [self._explained(trial, hand_out).to_json()])
            except NumberTaken:  # by a guest; numbers decide seeds, so it is drawn again
                self._budget.take_in()
                continue
            except UpdateFinishedTrialError:  # a queued trial that a guest has ended
                self._mirror.take_back(trial.number)
                self._budget.recount()
                continue
            self._budget.recount()
            return trial, problem

    def retry_failed(self) -> list[int]:
        """Enqueue failed trials' parameters again; the numbers of the failed ones."""
        failed = failed_for_good(self._study)
        for trial in failed:
            self._study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        self._budget.recount()
        return [trial.number for trial in failed]

    def _explained(self, trial: Trial, hand_out: HandOut) -> HandOut:
        """With the sampler's reason, if it has one."""
        why = self._mirror.get_trial(trial.number).system_attrs.get(WHY_DRAWN, hand_out.why)
        return dataclasses.replace(hand_out, why=why)

    def _problem(self, trial: Trial) -> str | None:
        """What is wrong with the values that somebody has enqueued a trial with, if anything is."""
        fixed = enqueued_params(self._mirror.get_trial(trial.number)) or {}
        try:
            self._config.space.check_some(fixed)
        except InvalidSpace as error:
            return f"enqueued with {fixed}: {error}"
        return None
