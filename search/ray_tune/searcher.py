"""Ray Tune's searcher: asks the dispatcher for the next trial and tells it which attempts are over."""

from __future__ import annotations

import dataclasses
from typing import Any

from ray.tune.search import Searcher

from search.engine.dispatch import Dispatcher
from search.ray_tune.scheduler import LedgerScheduler


class LedgerSearcher(Searcher):
    """A thin adapter: what to run next is the dispatcher's word, what is known is in the ledger.

    It never says FINISHED while anything runs, because a trial whose worker is lost is suggested again.

    Args:
        dispatcher: whose word it passes on.
        scheduler: of the same Tuner. With no trial under way Ray asks for one once a second and does nothing
            else, for ten minutes, so the scheduler's work has to be done from here.
        most: attempts after which it is finished all the same; a fresh Tuner takes over.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> from search.config.sweep_config import SweepConfig
        >>> from search.policy.making import make_policy
        >>> from search.policy.settling import settled
        >>> from search.study.checkpoints import CheckpointStore
        >>> from search.study.ledger import Ledger
        >>> from spaces.quickstart import SPACE
        >>> config = settled(SweepConfig(name="a", space=SPACE, objective="math:exp", trials=1, max_epochs=1))
        >>> ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        >>> dispatcher = Dispatcher(ledger, config, CheckpointStore(config.checkpoint_root), lambda: 1)
        >>> searcher = LedgerSearcher(dispatcher, LedgerScheduler(dispatcher), most=1000)
        >>> searcher.suggest("8a1f")["number"]
        0
        >>> searcher.suggest("9c3e") is None  # the only slot is taken
        True
    """

    def __init__(self, dispatcher: Dispatcher, scheduler: LedgerScheduler, most: int) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._scheduler = scheduler
        self._left = most  # attempts that this Tuner may still start

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is one
        """An assignment as a new Ray trial's config, None while all slots are taken, FINISHED at the end."""
        self._scheduler.look_after_workers()
        assignment = self._dispatcher.next(trial_id) if self._left else None
        if assignment is not None:
            self._left -= 1
            return dataclasses.asdict(assignment)
        dispatcher = self._dispatcher
        over = dispatcher.done or dispatcher.abandon or not (self._left or dispatcher.busy)
        return str(Searcher.FINISHED) if over else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """An attempt was stopped; errors are the scheduler's, which knows what they are."""
        if not error:
            self._dispatcher.ended(trial_id)

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles the searcher for a restore that never comes: there is nothing in it to keep."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study is the state."""
