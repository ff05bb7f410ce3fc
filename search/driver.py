"""`run_sweep`: launch and resume are the same thing. Knows nothing of what is trained."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import ray
from optuna.trial import TrialState
from ray import tune

from search.checkpoints import CheckpointStore
from search.config import CONFIG_FILE, SweepConfig
from search.dispatch import Dispatcher, Observer, Stop
from search.environment import describe_launch, launch_difference
from search.errors import LeaseLost, SweepFailed, UserError
from search.lease import Lease
from search.ledger import Ledger
from search.objective import Objective, load_objective
from search.placement import Placement, plan_placement
from search.pruning import LedgerScheduler, SweepStopper
from search.ray_session import ray_session
from search.records import TrialRecord, ranked
from search.searcher import LedgerSearcher
from search.storage import open_storage
from search.tracking.store import SweepPage, TrackingDown, TrackingStore
from search.tracking.view import MlflowView
from search.trial import WorkerSpec, make_trainable

_VIEW_WAIT_S = 60.0  # for the MLflow view to catch up at the end
_RESOURCES_AGE_S = 5.0  # how old the count of a cluster's resources may be

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepResult:
    """How a launch or resume ended."""

    config: SweepConfig
    records: list[TrialRecord]  # every trial of the sweep, by number
    stop: Stop | None  # why it ended before the sweep was done; None: it is done
    view_missing: str | None  # what the MLflow view lacks, in words; None: it is exact
    seconds: float  # wall time of this launch or resume
    page: SweepPage | None  # where MLflow shows the sweep, if the store answered

    @property
    def leaderboard(self) -> list[TrialRecord]:
        """The COMPLETE trials, best first."""
        return ranked(self.records, self.config.direction)

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial."""
        return next(iter(self.leaderboard), None)

    @property
    def succeeded(self) -> bool:
        """Whether this launch did what was asked: ended by itself or by its time budget, view exact."""
        all_failed = bool(self.records) and all(record.state is TrialState.FAIL for record in self.records)
        return self.stop in (None, Stop.TIME_BUDGET) and self.view_missing is None and not all_failed


def run_sweep(
    config: SweepConfig,
    objective: Objective | None = None,
    *,
    observers: Sequence[Observer] = (),
    retry_failed: bool = False,
) -> SweepResult:
    """Run a sweep until its trials are used up, from wherever it stands.

    Opens the study (creating it if it is new), takes on the trials that an earlier driver left
    unfinished, then asks for new ones. Ctrl-C and SIGTERM let running epochs end for a few seconds,
    then return; run it again to go on.

    Args:
        config: the sweep.
        objective: the training function, if it cannot be imported by `config.objective`.
        observers: told of every change of a trial.
        retry_failed: first enqueue the failed trials' parameters again.

    Raises:
        UserError: what was asked for cannot be done; nothing was started.
        LeaseLost: another driver took the sweep over.
        SweepFailed: Ray or the storage gave way; run it again to go on.
    """
    started = time.monotonic()
    objective = objective or load_objective(config.objective)
    with ThreadPoolExecutor(1) as pool, ray_session(config) as folder:
        tracking = pool.submit(TrackingStore, config.tracking_uri, config.experiment)
        placement = plan_placement(config, *_resources())
        checkpoints = CheckpointStore(config.checkpoints)
        with open_study(config) as ledger:
            connect = _connector(config, tracking, is_new=not ledger.records())
            if retry_failed:
                ledger.retry_failed()
            _note_launch(ledger)
            view = MlflowView(connect, config, ledger.sweep_id)
            followers: list[Observer] = [_RunIds(ledger, view), view, *observers]
            dispatcher = Dispatcher(ledger, config, checkpoints, _slots(placement), followers)
            spec = WorkerSpec(
                objective=objective,
                settings=config.settings,
                metric=config.metric,
                max_epochs=config.max_epochs,
                checkpoints=config.checkpoints,
                cpus=placement.cpus,
                gpus=placement.gpus,
            )
            try:
                with _stopped_by_signals(dispatcher):
                    _run_tune(dispatcher, spec, folder)
            except LeaseLost:
                view.abandon()
                raise
            finally:
                missing = view.close(*_end_of_view(dispatcher.stop), wait_s=_VIEW_WAIT_S)
    return SweepResult(
        config, dispatcher.records, dispatcher.stop, missing, time.monotonic() - started, view.page
    )


@contextlib.contextmanager
def open_study(config: SweepConfig) -> Iterator[Ledger]:
    """Hold the sweep's lease and its study, with the configuration written beside it.

    Raises:
        UserError: the folder or storage cannot be used, another driver is at work, or the definition changed.
    """
    try:
        config.folder.mkdir(parents=True, exist_ok=True)
        storage = open_storage(config.storage_url)
        with Lease.hold(storage.engine, config.name):
            if not (config.folder / CONFIG_FILE).exists():
                config.save()  # first of all: from here on the sweep can be resumed
            ledger = Ledger.open(config, storage)
            config.save()
            try:
                yield ledger
            finally:
                storage.remove_session()
        storage.engine.dispose()
    except OSError as error:
        raise UserError(
            f"sweep folder {config.folder}: {error.strerror or error}; check --sweeps-dir"
        ) from error


def _run_tune(dispatcher: Dispatcher, spec: WorkerSpec, folder: Path) -> None:
    """Ray Tune's loop, until the dispatcher has nothing more to hand out."""
    scheduler = LedgerScheduler(dispatcher)
    tuner = tune.Tuner(
        tune.with_resources(make_trainable(spec), {"cpu": spec.cpus, "gpu": spec.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(dispatcher),
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            stop=SweepStopper(dispatcher),
            failure_config=tune.FailureConfig(max_failures=0),  # the dispatcher hands lost trials out again
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except Exception as error:
        # Ray wraps whatever its callbacks raise, in text; the dispatcher remembers the real one.
        raise (
            dispatcher.fault or SweepFailed(f"Ray Tune gave way: {' '.join(str(error).split())}")
        ) from error
    if dispatcher.fault:
        raise dispatcher.fault


def _resources() -> tuple[float, float]:
    """CPU cores and GPUs that Ray knows of now."""
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there.get("CPU", 0.0), there.get("GPU", 0.0)


def _slots(placement: Placement) -> Callable[[], int]:
    """How many trials fit at the moment; looked up now and then, for nodes come and go."""
    known, looked_at = placement.slots(*_resources()), time.monotonic()

    def slots() -> int:
        nonlocal known, looked_at
        if time.monotonic() - looked_at > _RESOURCES_AGE_S:
            known, looked_at = placement.slots(*_resources()), time.monotonic()
        return known

    return slots


def _connector(
    config: SweepConfig, opening: Future[TrackingStore], is_new: bool
) -> Callable[[], TrackingStore]:
    """How the view gets at its store; a new sweep is refused if that does not answer, an old one goes on."""
    try:
        store = opening.result()
    except TrackingDown as error:
        if is_new:
            raise UserError(f"{error}: check --tracking-uri and its server") from error
        _logger.warning("%s; the sweep goes on, MLflow follows when it can", error)
        return lambda: TrackingStore(config.tracking_uri, config.experiment)
    return lambda: store


class _RunIds:
    """Keeps the id of each trial's MLflow run in the study, once the view knows it."""

    def __init__(self, ledger: Ledger, view: MlflowView) -> None:
        self._ledger, self._view = ledger, view

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Nothing is to be kept of trials that have ended."""

    def trial_changed(self, record: TrialRecord) -> None:
        """Keep the id while the trial runs: Optuna lets nobody add to one that has ended."""
        run_id = self._view.run_id(record.number)
        if run_id and record.run_id is None and record.state is TrialState.RUNNING:
            self._ledger.set_run_id(record.number, run_id)


def _note_launch(ledger: Ledger) -> None:
    now = describe_launch()
    before = ledger.append_launch(now)
    changed = launch_difference(before, now) if before else []
    if changed:
        _logger.warning("not what this sweep was last run with: %s", "; ".join(changed))


@contextlib.contextmanager
def _stopped_by_signals(dispatcher: Dispatcher) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for a stop; a second one does not wait for running epochs."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if dispatcher.stop is not None:
            raise KeyboardInterrupt
        _logger.warning("stopping: running epochs get a few seconds to end; once more to stop at once")
        dispatcher.request_stop(Stop.INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        _logger.warning("stopped at once")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_of_view(stop: Stop | None) -> tuple[str, str]:
    if stop is None:
        return "FINISHED", "complete"
    return ("FAILED", "failed") if stop is Stop.FAILURES else ("KILLED", stop.name.lower())
