"""How many epochs of a sweep's budget are used: trained, or handed out to be trained."""

from __future__ import annotations

from search.study.records import TrialRecord


def spent_epochs(record: TrialRecord, max_epochs: int) -> int:
    """Epochs of a budget that a trial has used so far: trained ones, with those that it had to repeat.

    >>> from optuna.trial import TrialState
    >>> from search.study.hand_outs import HandOut
    >>> from search.study.records import Epoch
    >>> epochs = tuple(Epoch(n, {}, timestamp_ms=0, worker="host:1") for n in (1, 2, 3))
    >>> once = HandOut(until=3, cost=3, reports=0, why="new")
    >>> again = HandOut(until=9, cost=9, reports=9, why="best of 3")  # its checkpoint was gone
    >>> spent_epochs(TrialRecord(0, TrialState.RUNNING, {}, epochs, hand_outs=(once, again)), max_epochs=9)
    6

    Args:
        record: the trial.
        max_epochs: of a trial that trains to its end.
    """
    trained = len(record.epochs)
    if not record.hand_outs:
        return trained
    to_come = (record.until or max_epochs) - trained
    return sum(hand_out.cost for hand_out in record.hand_outs) - max(0, to_come)


class EpochCount:
    """The epochs of a sweep's trials, counted as they change.

    A trial counts with all that it was handed out for, from then on, so that trials at work together never
    exceed the budget; what one that ended earlier did not need is free again.

    Args:
        max_epochs: of a trial.

    Example:
        >>> from optuna.trial import TrialState
        >>> count = EpochCount(max_epochs=9)
        >>> count.changed(TrialRecord(0, TrialState.RUNNING, {}))
        >>> count.used, count.reported
        (9, 0)
        >>> count.changed(TrialRecord(0, TrialState.PRUNED, {}))
        >>> count.used
        0
    """

    def __init__(self, max_epochs: int) -> None:
        self._max_epochs = max_epochs
        self._trials: dict[int, tuple[int, int]] = {}  # epochs used and reported, by trial
        self.used = 0
        self.reported = 0  # epochs that the study holds

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before."""
        used, reported = self._trials.get(record.number, (0, 0))
        now = self._trials[record.number] = self._used(record), len(record.epochs)
        self.used += now[0] - used
        self.reported += now[1] - reported

    def _used(self, record: TrialRecord) -> int:
        if record.state.is_finished():
            return spent_epochs(record, self._max_epochs)
        return sum(each.cost for each in record.hand_outs) if record.hand_outs else self._max_epochs
