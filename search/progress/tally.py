"""How far a sweep is, counted as its trials change: what a display sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.progress.pace import EpochPace
from search.results.digits import human_seconds, score
from search.results.freezing import best_unfinished, best_unfinished_text
from search.study.records import Outcome, TrialRecord, ranked

_TOP = 5  # of the trials, which a notebook keeps


class Tally:
    """The trials of a sweep that run, are frozen and have ended, the best of them, and the time that is left.

    What a thread that draws reads is replaced, or copied at one go: a lock could be held by the very thread
    that a signal makes draw.

    Args:
        config: the sweep.
        records: the trials that there are; only what is taken after them counts for the time that is left.

    Attributes:
        running: trials at work, by number.
        frozen: frozen ones, by number.
        best: the best complete ones, best first.

    Example:
        >>> from optuna.trial import TrialState
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=4, max_epochs=3)
        >>> tally = Tally(config, [TrialRecord(0, TrialState.COMPLETE, {}, value=0.5)])
        >>> tally.take(TrialRecord(1, TrialState.PRUNED, {}))
        >>> tally.summary
        '2/4 done, 1 pruned, 0 failed, best 0.5000 (trial-000), about 0 s left'
    """

    def __init__(self, config: SweepConfig, records: Sequence[TrialRecord]) -> None:
        self._config = config
        self.running: dict[int, TrialRecord] = {}
        self.frozen: dict[int, TrialRecord] = {}
        self.best: list[TrialRecord] = []
        self._ended: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        self._retried: set[int] = set()  # failed trials that a retry has taken the place of
        self._epochs = EpochPace(config)
        self._ended_here, self._seconds_here = 0, 0.0
        self._most_running = 0
        for record in records:
            self._count(record)
        self._epochs.begin()

    def take(self, record: TrialRecord) -> None:
        """A trial is another than before."""
        self._count(record)
        if record.state is not TrialState.RUNNING:
            self._ended_here += 1
            self._seconds_here += record.train_seconds

    def known(self, number: int) -> TrialRecord | None:
        """An unended trial as it was last seen."""
        return self.running.get(number) or self.frozen.get(number)

    @property
    def is_used_up(self) -> bool:
        """Whether the sweep's size is: no new trial will be asked for."""
        budget = self._config.budget_epochs
        spent = budget is not None and self._epochs.spent >= budget
        return spent or self._ended.total() >= self._config.most_trials

    @property
    def summary(self) -> str:
        """All of it in a line."""
        ended, best = self._ended, next(iter(self.best), None)
        parts = [f"{ended.total()}/{self._config.most_trials} done"]
        if self._config.budget_epochs is not None:
            parts = [f"{self._epochs.spent}/{self._config.budget_epochs} epochs"]
            parts.append(f"{ended[Outcome.COMPLETE]} complete")
        parts += [f"{len(self.frozen)} frozen"] if self.frozen else []
        parts.append(f"{ended[Outcome.PRUNED]} pruned")
        parts += [f"{ended[Outcome.DIVERGED]} diverged"] if ended[Outcome.DIVERGED] else []
        parts.append(f"{ended[Outcome.FAILED]} failed")
        parts.append(
            f"best {score(best.value)} ({best.key})" if best and best.value is not None else self._no_best()
        )
        if (left := self._seconds_left()) is not None:
            parts.append(f"about {human_seconds(left)} left")
        return ", ".join(parts)

    def _count(self, record: TrialRecord) -> None:
        if record.retry_of is not None and record.retry_of not in self._retried:
            self._retried.add(record.retry_of)
            self._ended[Outcome.FAILED] -= 1
        self._epochs.take(record)
        if record.outcome is Outcome.RUNNING:
            self.running = {**self.running, record.number: record}
        else:
            self.running = {n: each for n, each in self.running.items() if n != record.number}
        self.frozen.pop(record.number, None)
        if record.frozen:
            self.frozen[record.number] = record
        self._most_running = max(self._most_running, len(self.running))
        if record.state is TrialState.RUNNING:
            return
        self._ended[record.outcome] += 1
        self.best = ranked([*self.best, record], self._config.goal)[:_TOP]

    def _no_best(self) -> str:
        frozen = list(self.frozen.values())  # at once: this is drawn by another thread
        furthest = best_unfinished(frozen, self._config.goal)
        if furthest is None:
            return "no best yet"
        return f"none complete yet, best so far {best_unfinished_text(furthest, self._config.max_epochs)}"

    def _seconds_left(self) -> float | None:
        """At the pace of this launch; None until it is known, and where trials are frozen and counted."""
        if self._config.budget_epochs is not None:
            seconds = self._epochs.seconds_left()
            return None if seconds is None else seconds / max(1, self._most_running)
        if self.frozen:
            return None
        to_come = self._config.most_trials - self._ended.total()
        if not self._ended_here or to_come <= 0:
            return None
        return self._seconds_here / self._ended_here * to_come / max(1, self._most_running)
