"""Where trials end: the reason, the error's text and the state, written once and together."""

from __future__ import annotations

import optuna
from optuna.trial import Trial

from search.config.credentials import hide_in
from search.study.failpoints import durable
from search.study.held import HeldTrials
from search.study.lessons import mark_diverged
from search.study.mirror import StudyMirror
from search.study.records import StopReason
from search.study.transitions import TrialEnd, check_transition


class Endings:
    """Ends trials.

    Args:
        study: the study, with its sampler, which may hear of it.
        mirror: the study's storage.
        held: the trials that this driver is working on; one that ends is let go.
        max_epochs: of a trial that trains to its end.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> storage = InMemoryStorage()
        >>> _ = optuna.create_study(storage=storage, study_name="day")
        >>> mirror = StudyMirror(storage, "day", ranges={})
        >>> study, held = optuna.load_study(storage=mirror, study_name="day"), HeldTrials(mirror)
        >>> number = held.hold(study.ask()).number
        >>> mirror.start(number)
        >>> endings = Endings(study, mirror, held, max_epochs=9)
        >>> endings.end(number, TrialEnd(StopReason.ERROR, error="IndexError"))
        >>> held.record(number).outcome.value, number in held
        ('failed', False)
    """

    def __init__(self, study: optuna.Study, mirror: StudyMirror, held: HeldTrials, max_epochs: int) -> None:
        self._study = study
        self._mirror = mirror
        self._held = held
        self._max_epochs = max_epochs

    def end(self, number: int, end: TrialEnd) -> None:
        """End a trial that is held, or frozen, unless somebody else has."""
        if number in self._mirror.frozen:
            self._mirror.thaw(number)
            self._held.hold(Trial(self._study, number))
        with durable(end.write), self._held.changing(number):
            self.write(number, end)

    def write(self, number: int, end: TrialEnd) -> None:
        """The one place where a trial ends, once; within a transaction on it."""
        trial, record = self._held[number]
        check_transition(number, self._mirror.state(number), end.state)
        if end.error is not None:
            trial.set_user_attr("error", hide_in(end.error))
        if end.reason is StopReason.DIVERGED:
            mark_diverged(trial, self._max_epochs - len(record.epochs))
        trial.set_user_attr("stop_reason", end.reason.value)
        self._study.tell(trial, end.value, state=end.state)
        self._held.let_go(number)
