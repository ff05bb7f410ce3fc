"""A policy for tests of what carries it out: trials freeze after an epoch, the better half trains on."""

from __future__ import annotations

from optuna.trial import TrialState

from search.study.promotion import Ask, Left, Thaw
from search.study.records import TrialRecord


class Halving:
    """New trials first; whenever two are frozen the better one is trained to its end; larger is better."""

    def __init__(self) -> None:
        self._trials: dict[int, TrialRecord] = {}
        self.told: list[TrialRecord] = []

    def changed(self, record: TrialRecord) -> None:
        """Remember it."""
        self._trials[record.number] = record
        self.told.append(record)

    def next(self, left: Left) -> Thaw | Ask | None:
        """From the records alone."""
        judged = [r for r in self._trials.values() if r.epochs or r.state is not TrialState.RUNNING]
        frozen = [record for record in judged if record.frozen]
        thawed = sum(record.thawed for record in self._trials.values())
        best = max(frozen, key=lambda r: r.epochs[-1].metrics["val_acc"], default=None)
        if best and thawed < len(judged) // 2 and _fits(3 - best.resumes_at, left):
            return Thaw(best.number, until=None, why=f"best of {len(frozen)} at epoch 1")
        return Ask(until=1, why="new") if left.trials and _fits(1, left) else None


def _fits(epochs: int, left: Left) -> bool:
    return left.epochs is None or epochs <= left.epochs
