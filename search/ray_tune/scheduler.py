"""Ray Tune's scheduler: hands every report to the dispatcher and stops the trials it says to stop."""

from __future__ import annotations

import signal
import threading
import traceback
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayTaskError, TaskCancelledError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from search.engine.dispatch import Dispatcher
from search.engine.messages import MESSAGE, Message
from search.engine.signals import current_ending
from search.engine.worker import ask_to_stop
from search.study.records import StopReason
from search.study.transitions import Decision
from search.text import encodable


class LedgerScheduler(FIFOScheduler):
    """A thin adapter: pruning is the study's decision, Ray only carries it out.

    Args:
        dispatcher: who decides.

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
        >>> scheduler = LedgerScheduler(dispatcher)
        >>> scheduler.choose_trial_to_run(tune_controller=None) is None  # no trial waits for a worker
        True
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dispatcher = dispatcher
        self._attempts: dict[str, Trial] = {}
        self._waited: set[str] = set()  # attempts that were there at the last step and have no worker yet
        self._timed_out: set[str] = set()  # attempts whose worker was killed for its silence

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles the scheduler for a restore that never comes: there is nothing in it to keep."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Remember Ray's trial, to notice if it fails without a word."""
        self._attempts[trial.trial_id] = trial

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Write the report down, then go on or stop.

        Ray hears of a stop when the objective has cleaned up, however long that takes: it would give the
        worker to the next trial at once, and mark that one ERROR after two seconds.
        """
        message: Message = result[MESSAGE]
        match self._dispatcher.receive(trial.trial_id, message):
            case Decision.CONTINUE:
                return str(TrialScheduler.CONTINUE)
            case Decision.FREEZE | Decision.PRUNE | Decision.COMPLETE | Decision.STOP:
                if message.last:
                    return str(TrialScheduler.STOP)
                actor = trial.temporary_state.ray_actor
                assert actor is not None, "a trial that reports has a worker"
                actor.execute.remote(ask_to_stop)  # runs there before Ray lets the report return
                return str(TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """The worker is gone: killed, out of memory, its node lost, or thrown away after an exception."""
        self._attempts.pop(trial.trial_id, None)
        cause = _cause(trial)
        if isinstance(cause, TaskCancelledError):
            # Nobody cancels: it is Ray's name for a KeyboardInterrupt that reaches a worker's main thread.
            self._dispatcher.interrupted(trial.trial_id)
            return
        reason = StopReason.OOM if isinstance(cause, OutOfMemoryError) else StopReason.LOST
        message = _first_line(cause)
        if trial.trial_id in self._timed_out:
            reason, message = StopReason.TIMEOUT, "no report for as long as `trial_timeout` allows"
            self._timed_out.discard(trial.trial_id)
        self._dispatcher.lost(trial.trial_id, reason, message)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Ray has carried a stop out."""
        self._attempts.pop(trial.trial_id, None)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """First come, first served; called once a step."""
        self.look_after_workers()
        # Ray's own goes through every trial there ever was, at each step.
        pending = [trial for trial in self._attempts.values() if trial.status == Trial.PENDING]
        # What waited before has a worker of its own on the way, perhaps on a node that has just joined. If
        # it got the next warm one, Ray would drop that worker: with short trials it would never come up.
        fresh = [trial for trial in pending if trial.trial_id not in self._waited]
        self._waited = {trial.trial_id for trial in pending}
        return next(iter(fresh or pending), None)

    def look_after_workers(self) -> None:
        """Notice workers that have come up, kill those that hang, and notice what Ray tells nobody.

        A trial is RUNNING in Ray once its worker is there, which takes seconds for one that is new. Ray marks
        a trial ERROR whose warm worker could not be reset, which is no fault of the trial.
        """
        for attempt, trial in self._attempts.items():
            if attempt in self._timed_out or trial.status != Trial.RUNNING:
                continue
            self._dispatcher.started(attempt)
            if self._dispatcher.overdue(attempt):
                self._timed_out.add(attempt)
                _kill(trial)
        for attempt in [a for a, trial in self._attempts.items() if trial.status == Trial.ERROR]:
            del self._attempts[attempt]
            self._dispatcher.returned(attempt)

    def kill_workers(self) -> None:
        """Kill every worker that a trial has: Ray would wait for their answers."""
        for trial in self._attempts.values():
            _kill(trial)


class SweepStopper(Stopper):
    """Ends Ray's loop when a stop was asked for and its grace is over.

    Args:
        dispatcher: who knows of the stop.
        scheduler: of the same Tuner; kills the workers that still run.

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
        >>> stopper = SweepStopper(dispatcher, LedgerScheduler(dispatcher))
        >>> stopper.stop_all()
        False
    """

    def __init__(self, dispatcher: Dispatcher, scheduler: LedgerScheduler) -> None:
        self._dispatcher = dispatcher
        self._scheduler = scheduler
        self._handler = signal.getsignal(signal.SIGUSR1)

    def __getstate__(self) -> dict[str, Any]:
        """As for the scheduler."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stops a single trial: that is the scheduler's part."""
        return False

    def stop_all(self) -> bool:
        """Whether what still runs is to be dropped. Asked at each step of Ray's loop."""
        self._keep_handler()
        if not self._dispatcher.abandon:
            return False
        self._scheduler.kill_workers()
        return True

    def _keep_handler(self) -> None:
        """Put the handler of SIGUSR1 back: Ray Tune sets its own, which ends the loop with trials running.

        Not by a callback of Ray's: where there is any, Ray imports wandb to tell which it is.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGUSR1) is not self._handler:
            signal.signal(signal.SIGUSR1, self._handler)
            current_ending().check()  # one may have met Ray's


def _kill(trial: Trial) -> None:
    """Kill a trial's worker, if it has one; Ray then reports its death as it does any other."""
    actor = trial.temporary_state.ray_actor
    if actor is not None:
        ray.kill(actor)


def _cause(trial: Trial) -> BaseException | None:
    """Why Ray lost a trial's worker, from the note that Ray has just made in its own folder."""
    note = trial.pickled_error_file
    if note is None or not Path(note).is_file():
        return None
    cause: BaseException = cloudpickle.loads(Path(note).read_bytes())
    # Around what a worker raised Ray puts an error of its own, whose text begins with a whole traceback.
    return cause.cause if isinstance(cause, RayTaskError) else cause


def _first_line(cause: BaseException | None) -> str:
    if cause is None:
        return "no cause known"
    # Not `str(cause)`, which a class of one's own may break.
    message = "".join(traceback.format_exception_only(cause)).partition(": ")[2].strip()
    return encodable(f"{type(cause).__name__}: {message.splitlines()[0] if message else ''}")
