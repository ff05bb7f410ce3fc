"""`run_sweep`: launch and resume are the same thing. Knows nothing of what is trained."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.sweep_config import SweepConfig
from search.engine.dispatch import Dispatcher
from search.engine.ending import current_ending, ends_when_asked
from search.engine.interrupts import stopped_by_signals
from search.engine.messages import WorkerSpec
from search.engine.observers import Observer, Stop
from search.objective.context import Objective
from search.objective.module import module_place
from search.objective.portable import PortableObjective
from search.objective.reference import load_objective
from search.policy.making import make_policy
from search.policy.pruners import warn_of_no_bound
from search.policy.rehearsal import rehearse
from search.progress.live import Progress
from search.ray_tune.loop import nodes, run_tune, slots
from search.ray_tune.placement import Placement, on_cluster, plan_placement
from search.ray_tune.session import ray_session
from search.ray_tune.shared_folder import check_nodes_share
from search.results.utilisation import Utilisation, utilisation
from search.study.checkpoints import CheckpointStore
from search.study.database import STORAGE_ERRORS, wait_for_storage
from search.study.lease import new_token
from search.study.ledger import Ledger
from search.study.opening import open_study
from search.study.records import Outcome, TrialRecord, ranked
from search.tracking.connection import TrackingConnection

if TYPE_CHECKING:
    from search.tracking.store import SweepPage, TrackingStore
    from search.tracking.view import MlflowView

_VIEW_WAIT_S = 60.0  # for the MLflow view to catch up at the end
_LAST_S = 8.0  # of the time that a stop has, for what comes after the view: Ray's end, the report


@dataclass(frozen=True)
class SweepResult:
    """How a launch or resume ended."""

    config: SweepConfig
    records: list[TrialRecord]  # every trial of the sweep, by number
    stop: Stop | None  # why it ended before the sweep was done; None: it is done
    view_missing: str | None  # what the MLflow view lacks, in words; None: it is exact
    seconds: float  # wall time of this launch or resume
    page: SweepPage | None  # where MLflow shows the sweep, if the store answered
    utilisation: Utilisation | None  # of the slots; None if no epoch was trained, or timed

    @property
    def leaderboard(self) -> list[TrialRecord]:
        """The COMPLETE trials, best first."""
        return ranked(self.records, self.config.goal)

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial."""
        return next(iter(self.leaderboard), None)

    @property
    def succeeded(self) -> bool:
        """Whether this launch did what was asked: ended by itself or by its time budget, view exact.

        A sweep of which all trials failed or diverged has found nothing.
        """
        fruitless = {Outcome.FAILED, Outcome.DIVERGED}
        in_vain = bool(self.records) and all(record.outcome in fruitless for record in self.records)
        return self.stop in (None, Stop.TIME_BUDGET) and self.view_missing is None and not in_vain


@ends_when_asked()
def run_sweep(
    config: SweepConfig,
    objective: Objective | None = None,
    *,
    progress: bool = True,
    observers: Sequence[Observer] = (),
    retry_failed: bool = False,
    skip: Sequence[int] = (),
) -> SweepResult:
    """Run a sweep until its trials are used up, from wherever it stands.

    Opens the study (creating it if it is new), takes on the trials that an earlier driver left
    unfinished, then asks for new ones. Ctrl-C and SIGTERM give running epochs ten seconds to end,
    then return; run it again to go on. What has not ended 25 seconds after the signal, in whatever state,
    is ended by force, with exit code 130.

    Args:
        config: the sweep.
        objective: the training function, if it cannot be imported by `config.objective`.
        progress: show it, on stderr: as a live table in a terminal, and below the cell of a notebook, which
            keeps the best trials; as a line for each trial that ends anywhere else.
        observers: told of every change of a trial.
        retry_failed: first enqueue the failed trials' parameters again.
        skip: numbers of unfinished trials that are not to be trained any further: they end as failed.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM while no trial ran: at the start, or at the very end.
        UserError: what was asked for cannot be done; nothing was started.
        LeaseLost: another driver took the sweep over.
        SweepFailed: Ray failed, or the storage for longer than it is waited for; run it again to go on.
    """
    started, started_ms = time.monotonic(), int(time.time() * 1000)
    _check_policy(config)
    config, portable = _to_send(config, objective)
    with (
        Progress(config) if progress else contextlib.nullcontext() as shown,
        TrackingConnection(config) as tracking,
        ray_session(config) as folder,
    ):
        followers = [*([shown] if shown else []), *observers]
        there = nodes()
        placement = plan_placement(config, there)  # what cannot be placed leaves no store behind
        tracking.open()
        spec = WorkerSpec(
            objective=portable,
            settings=config.settings,
            paths=config.paths,
            metric=config.metric,
            max_epochs=config.max_epochs,
            checkpoints=config.checkpoint_root,
            cpus=placement.cpus,
            gpus=placement.gpus,
        )
        if on_cluster(config, there):
            check_nodes_share(config.checkpoint_root)
        tracking.check()
        drive = functools.partial(
            _drive, spec=spec, placement=placement, folder=folder, connect=tracking.connect
        )
        token = new_token()
        requests = _Requests(retry_failed, list(skip))
        while True:
            left = _with_time_left(config, started)
            try:
                driven = drive(left, followers, token, requests)
            except STORAGE_ERRORS as error:
                wait_for_storage(config.storage_url, error)
            else:
                break
        used = utilisation(driven.records, placement.slots(nodes()), started_ms)
    seconds = time.monotonic() - started
    return SweepResult(config, driven.records, driven.stop, driven.view_missing, seconds, driven.page, used)


@dataclass(frozen=True)
class _Driven:
    """What one drive of a sweep leaves."""

    records: list[TrialRecord]
    stop: Stop | None
    view_missing: str | None
    page: SweepPage | None


@dataclass
class _Requests:
    """What is to be done with trials that there are: once a run, however often its storage goes away."""

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


def _to_send(config: SweepConfig, objective: Objective | None) -> tuple[SweepConfig, PortableObjective]:
    """The training function for the workers, and the configuration with the place that it is found in."""
    if objective is None:
        objective = load_objective(config.objective, config.objective_place)
        place = module_place(config.objective.partition(":")[0])
        config = config.model_copy(update={"objective_place": place})
    return config, PortableObjective.of(objective)


def _check_policy(config: SweepConfig) -> None:
    """Refuse what sampler or pruner do not take, before anything is made; warn of one without a bound."""
    rehearse(config)
    warn_of_no_bound(config.pruner, config.goal, config.pruner_args, config.classes)


def _with_time_left(config: SweepConfig, started: float) -> SweepConfig:
    """The configuration with what is left of its time budget, should the storage have gone away meanwhile."""
    if config.time_budget is None:
        return config
    left = max(1.0, config.time_budget - (time.monotonic() - started))
    return config.model_copy(update={"time_budget": left})


def _drive(
    config: SweepConfig,
    observers: Sequence[Observer],
    token: str,
    requests: _Requests,
    *,
    spec: WorkerSpec,
    placement: Placement,
    folder: Path,
    connect: Callable[[], TrackingStore],
) -> _Driven:
    """Drive the sweep for as long as its storage answers."""
    from search.tracking.view import MlflowView  # loaded by now, beside Ray

    checkpoints = CheckpointStore(config.checkpoint_root)
    with open_study(config, make_policy(config), token) as (ledger, lease):
        checkpoints.claim(ledger.sweep_id)
        requests.carry_out(ledger)
        view = MlflowView(connect, config, ledger.sweep_id, lease.check)
        run_ids = _RunIds(ledger, view)
        followers: list[Observer] = [run_ids, view, *observers]
        try:
            dispatcher = Dispatcher(ledger, config, checkpoints, slots(placement), followers)
            with stopped_by_signals(dispatcher):
                run_tune(dispatcher, spec, folder)
        except BaseException:
            # Whoever drives the sweep next brings the view up to date; this one may have lost its lease.
            view.abandon()
            raise
        wait_s = max(1.0, min(_VIEW_WAIT_S, current_ending().left_s - _LAST_S))
        missing = view.close(*_end_of_view(dispatcher.stop), wait_s=wait_s)
        for record in ledger.records():  # a trial may have ended before its run was there
            run_ids.trial_changed(record)
        return _Driven(ledger.records(), dispatcher.stop, missing, view.page)


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
