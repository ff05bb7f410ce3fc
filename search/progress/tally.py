"""How far a sweep is, counted as its trials change: what a display sums up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.progress.naming import Naming
from search.progress.pace import Pace
from search.results.digits import human_seconds, score
from search.results.freezing import best_unfinished, best_unfinished_text
from search.results.influence import Influence
from search.study.records import Outcome, TrialRecord, ranked

_TOP = 5  # of the trials, which a notebook keeps


class Tally:
    """The trials of a sweep that run, are frozen and have ended, the best of them, and the time that is left.

    What a thread that draws reads is replaced, or copied at one go: a lock could be held by the very thread
    that a signal makes draw.

    Args:
        config: the sweep.
        records: the trials that there are; only what is taken after them counts for the time that is left.
        clock: monotonic seconds; a test hands in its own.

    Attributes:
        running: trials that are neither frozen nor ended, by number.
        waiting: numbers of those that no worker has.
        frozen: frozen ones, by number.
        best: the best complete ones, best first.
        naming: what they are called.

    Example:
        >>> from optuna.trial import TrialState
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=4, max_epochs=3)
        >>> tally = Tally(config, [TrialRecord(0, TrialState.COMPLETE, {}, value=0.5)])
        >>> tally.take(TrialRecord(1, TrialState.PRUNED, {}))
        >>> tally.counts, tally.best_text
        ('2/4 done, 1 pruned, 0 failed', 'best 0.5000 (trial-000)')
    """

    def __init__(
        self,
        config: SweepConfig,
        records: Sequence[TrialRecord],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self.naming = Naming(config)
        self._influence = Influence(config)
        self.running: dict[int, TrialRecord] = {}
        self.waiting: frozenset[int] = frozenset()
        self.frozen: dict[int, TrialRecord] = {}
        self.best: list[TrialRecord] = []
        self._ended: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        self._retried: set[int] = set()  # failed trials that a retry has taken the place of
        self._pace = Pace(config, clock)
        for record in records:
            self._count(record, at_work=False)
        self._pace.begin()

    def take(self, record: TrialRecord) -> None:
        """A trial is another than before."""
        before = self.running.get(record.number)
        lost = before is not None and record.times_lost > before.times_lost
        self._count(record, at_work=not lost)

    def known(self, number: int) -> TrialRecord | None:
        """An unended trial as it was last seen."""
        return self.running.get(number) or self.frozen.get(number)

    @property
    def params(self) -> Sequence[str]:
        """The parameters to show of each trial, those first that seem to matter most."""
        return [name for name in self._influence.order if name in self.naming.params]

    @property
    def is_used_up(self) -> bool:
        """Whether the sweep's size is: no new trial will be asked for."""
        budget = self._config.budget_epochs
        spent = budget is not None and self._pace.spent >= budget
        return spent or self._ended.total() >= self._config.most_trials

    @property
    def counts(self) -> str:
        """How many trials have ended, and how."""
        ended = self._ended
        parts = [f"{ended.total()}/{self._config.most_trials} done"]
        if self._config.budget_epochs is not None:
            parts = [f"{self._pace.spent}/{self._config.budget_epochs} epochs"]
            parts.append(f"{ended[Outcome.COMPLETE]} complete")
        parts += [f"{len(self.frozen)} frozen"] if self.frozen else []
        parts.append(f"{ended[Outcome.PRUNED]} pruned")
        parts += [f"{ended[Outcome.DIVERGED]} diverged"] if ended[Outcome.DIVERGED] else []
        parts.append(f"{ended[Outcome.FAILED]} failed")
        return ", ".join(parts)

    @property
    def best_text(self) -> str:
        """The best trial, or the most promising one while none is complete."""
        best = next(iter(self.best), None)
        if best is not None and best.value is not None:
            return f"best {score(best.value)} ({self.naming.see(best)})"
        frozen = list(self.frozen.values())  # at once: this is drawn by another thread
        furthest = best_unfinished(frozen, self._config.goal)
        if furthest is None:
            return "no best yet"
        return f"none complete yet, best so far {best_unfinished_text(furthest, self._config.max_epochs)}"

    @property
    def left_text(self) -> str | None:
        """How long it still takes at the pace of this launch, by now; None while nobody knows."""
        by_trials = self._config.budget_epochs is None
        to_begin = self._config.most_trials - self._ended.total() - len(self.running)
        if by_trials and (self.frozen or to_begin + len(self.running) <= 0):
            return None
        seconds = self._pace.seconds_left(max(0, to_begin))
        if seconds is None:
            return None
        return f"about {human_seconds(seconds)} left" if seconds >= 1 else "a moment left"

    def _count(self, record: TrialRecord, at_work: bool) -> None:
        if record.retry_of is not None and record.retry_of not in self._retried:
            self._retried.add(record.retry_of)
            self._ended[Outcome.FAILED] -= 1
        self.naming.see(record)
        self._influence.take(record)
        self._pace.take(record, at_work)
        if record.outcome is Outcome.RUNNING:
            self.running = {**self.running, record.number: record}
        else:
            self.running = {n: each for n, each in self.running.items() if n != record.number}
        waits = record.outcome is Outcome.RUNNING and not at_work
        self.waiting = self.waiting | {record.number} if waits else self.waiting - {record.number}
        self.frozen.pop(record.number, None)
        if record.frozen:
            self.frozen[record.number] = record
        if record.state is TrialState.RUNNING:
            return
        self._ended[record.outcome] += 1
        self.best = ranked([*self.best, record], self._config.goal)[:_TOP]
