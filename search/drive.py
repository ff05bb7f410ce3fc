"""A sweep driven while Ray is up: for as long as its storage answers, and on from there when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.sweep_config import SweepConfig
from search.engine.background import Background
from search.engine.dispatch import Dispatcher
from search.engine.interrupts import stopped_by_signals
from search.engine.messages import WorkerSpec
from search.engine.observers import Guarded, Observer, Stop
from search.engine.signals import current_ending
from search.loggers.making import make_loggers
from search.policy.making import make_policy
from search.ray_tune.loop import run_tune, slots
from search.ray_tune.placement import Placement
from search.study.checkpoints import CheckpointStore
from search.study.database import STORAGE_ERRORS, wait_for_storage
from search.study.lease import new_token
from search.study.ledger import Ledger
from search.study.opening import open_study
from search.study.records import TrialRecord

if TYPE_CHECKING:
    from search.tracking.store import SweepPage, TrackingStore
    from search.tracking.view import MlflowView

_WAIT_S = 60.0  # at the end, for the next trial that the MLflow view or a logger writes
_LAST_S = 8.0  # of the time that a stop has, for what comes after the view: Ray's end, the report


@dataclass(frozen=True)
class Driven:
    """What driving a sweep leaves.

    Attributes:
        records: every trial of the sweep, by number.
        stop: why it ended before the sweep was done; None: it is done.
        view_missing: what the MLflow view lacks, in words; None: it is exact.
        loggers_missing: what other loggers lack, in words.
        page: where MLflow shows the sweep, if the store answered.

    Example:
        >>> driven = Driven([], stop=Stop.INTERRUPTED, view_missing=None, loggers_missing=[], page=None)
        >>> driven.stop.value
        'interrupted'
    """

    records: list[TrialRecord]
    stop: Stop | None
    view_missing: str | None
    loggers_missing: list[str]
    page: SweepPage | None


@dataclass
class Requests:
    """What is to be done with trials that there are: once a run, however often its storage goes away.

    Example:
        >>> Requests(retry_failed=False, skip=[]).skip
        []
    """

    retry_failed: bool
    skip: list[int]

    def carry_out(self, ledger: Ledger) -> None:
        """Do what has not been done yet."""
        if self.retry_failed:
            ledger.retry_failed()  # one that was cut short knows which it has enqueued
            self.retry_failed = False
        while self.skip:
            ledger.skip(self.skip[0])
            self.skip.pop(0)


@dataclass(frozen=True)
class Drive:
    """What stays the same however often the storage goes away.

    Attributes:
        config: the sweep.
        spec: what its trials have in common.
        placement: what each trial gets.
        folder: for Ray's files.
        observers: told of every change of a trial, in the driver's own thread.
        loggers: told too, each in a thread of its own; with what they are called.
        requests: to be carried out first.
        connect: opens the tracking store.
        began_at: when the time budget began, on the monotonic clock.

    Example:
        >>> from search.tracking.store import TrackingStore
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> drive = Drive(
        ...     config=config,
        ...     spec=WorkerSpec(abs, {}, {}, "val_acc", 1, config.checkpoint_root, cpus=1, gpus=0),
        ...     placement=Placement(cpus=1, gpus=0, concurrency=None),
        ...     folder=Path("ray"),
        ...     observers=[],
        ...     loggers=[],
        ...     requests=Requests(retry_failed=False, skip=[]),
        ...     connect=lambda: TrackingStore(config.tracking_uri, config.experiment),
        ...     began_at=time.monotonic(),
        ... )
        >>> driven = drive.run()  # doctest: +SKIP
    """

    config: SweepConfig
    spec: WorkerSpec
    placement: Placement
    folder: Path
    observers: Sequence[Observer]
    loggers: Sequence[tuple[str, Observer]]
    requests: Requests
    connect: Callable[[], TrackingStore]
    began_at: float
    _token: str = field(default_factory=new_token)  # of the lease, which may be held from the time before

    def run(self) -> Driven:
        """Drive the sweep to its end, or until it is stopped.

        Raises:
            UserError: the study cannot be used; nothing was started.
            LeaseLost: another driver took the sweep over.
            SweepFailed: Ray failed, or the storage for longer than it is waited for.
        """
        while True:
            try:
                return self._while_storage_answers(self._with_time_left())
            except STORAGE_ERRORS as error:
                wait_for_storage(self.config.storage_url, error)

    def _with_time_left(self) -> SweepConfig:
        """The configuration with what is left of the time that its search may take."""
        if self.config.time_budget is None:
            return self.config
        searching = self.config.time_budget * (1 - self.config.kept_share)
        left = max(1.0, searching - (time.monotonic() - self.began_at))
        return self.config.model_copy(update={"time_budget": left})

    def _while_storage_answers(self, config: SweepConfig) -> Driven:
        from search.tracking.view import MlflowView  # loaded by now, beside Ray

        checkpoints = CheckpointStore(config.checkpoint_root)
        with open_study(config, make_policy(config), self._token) as (ledger, lease):
            checkpoints.claim(ledger.sweep_id)
            self.requests.carry_out(ledger)
            view = MlflowView(self.connect, config, ledger.sweep_id, lease.check)
            run_ids = _RunIds(ledger, view)
            named = [*make_loggers(config, ledger.sweep_id).items(), *self.loggers]
            loggers = [Background(name, logger, lease.check) for name, logger in named]
            followers: list[Observer] = [run_ids, view, *loggers, *map(Guarded, self.observers)]
            try:
                dispatcher = Dispatcher(ledger, config, checkpoints, slots(self.placement), followers)
                with stopped_by_signals(dispatcher):
                    run_tune(dispatcher, self.spec, self.folder)
            except BaseException:  # of any kind, a stop too: it is raised on
                # Whoever drives the sweep next brings the view up to date; this one may have lost its lease.
                view.abandon()
                for logger in loggers:
                    logger.abandon()
                raise
            until = time.monotonic() + max(1.0, current_ending().left_s - _LAST_S)
            for logger in loggers:
                logger.end()  # all catch up at the same time
            missing = view.close(*_end_of_view(dispatcher.stop), _WAIT_S, until - time.monotonic())
            lacking = [logger.close(_WAIT_S, max(0.0, until - time.monotonic())) for logger in loggers]
            for record in ledger.records():  # a trial may have ended before its run was there
                run_ids.trial_changed(record)
            return Driven(
                ledger.records(), dispatcher.stop, missing, [each for each in lacking if each], view.page
            )


class _RunIds:
    """Keeps the id of each trial's MLflow run in the study, once the view knows it."""

    def __init__(self, ledger: Ledger, view: MlflowView) -> None:
        self._ledger, self._view = ledger, view

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """The view has no run yet."""

    def trial_changed(self, record: TrialRecord) -> None:
        """Keep the id as soon as there is one."""
        run_id = self._view.run_id(record.number)
        if run_id and record.run_id != run_id:  # none yet, or one in another experiment
            self._ledger.set_run_id(record.number, run_id)


def _end_of_view(stop: Stop | None) -> tuple[str, str]:
    if stop is None:
        return "FINISHED", "complete"
    return ("FAILED", "failed") if stop is Stop.FAILURES else ("KILLED", stop.name.lower())
