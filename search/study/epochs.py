"""How many epochs of a sweep's budget are used: trained, or handed out to be trained."""

from __future__ import annotations

from search.study.records import TrialRecord


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
        if not record.hand_outs:
            return len(record.epochs) if record.state.is_finished() else self._max_epochs
        cost = sum(hand_out.cost for hand_out in record.hand_outs)
        if not record.state.is_finished():
            return cost
        return cost - max(0, (record.until or self._max_epochs) - len(record.epochs))
