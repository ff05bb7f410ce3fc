"""`run_sweep`: launch and resume are the same thing. Knows nothing of what is trained."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.config.sweep_config import SweepConfig
from search.drive import Drive, Requests
from search.engine.messages import WorkerSpec
from search.engine.observers import Observer, Stop
from search.engine.signals import ends_when_asked
from search.loggers.making import check_loggers
from search.objective.context import Objective
from search.objective.module import module_place
from search.objective.portable import PortableObjective
from search.objective.reference import load_objective
from search.policy.pruners import warn_of_no_bound
from search.policy.rehearsal import rehearse
from search.policy.settling import settled
from search.progress.live import Progress
from search.ray_tune.loop import nodes
from search.ray_tune.placement import Placement, on_cluster, plan_placement
from search.ray_tune.session import ray_session
from search.ray_tune.shared_folder import check_nodes_share
from search.results.digits import human_seconds, score
from search.results.leaderboard import outcomes
from search.results.outlook import check_stop_when
from search.results.summary import trial_row
from search.results.utilisation import Utilisation, utilisation
from search.study.records import Outcome, TrialRecord, ranked
from search.tracking.connection import TrackingConnection
from search.training.objective import LightningObjective, is_lightning

if TYPE_CHECKING:
    import pandas as pd  # half a second of imports

    from search.tracking.store import SweepPage


@dataclass(frozen=True, repr=False)
class SweepResult:
    """How a launch or resume ended.

    Example:
        >>> from optuna.trial import TrialState
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> record = TrialRecord(0, TrialState.COMPLETE, {"lr": 0.1}, value=0.8)
        >>> result = SweepResult(config, [record], None, None, seconds=60.0, page=None, utilisation=None)
        >>> result.best.value, result.succeeded
        (0.8, True)
        >>> result
        <SweepResult day: 1 complete, best trial-000 with val_acc=0.8000, 1 min 00 s>
        >>> result.dataframe()[["trial", "state", "val_acc"]]
           trial     state  val_acc
        0      0  complete      0.8
    """

    config: SweepConfig
    records: list[TrialRecord]  # every trial of the sweep, by number
    stop: Stop | None  # why it ended before the sweep was done; None: it is done
    view_missing: str | None  # what the MLflow view lacks, in words; None: it is exact
    seconds: float  # wall time of this launch or resume
    page: SweepPage | None  # where MLflow shows the sweep, if the store answered
    utilisation: Utilisation | None  # of the slots; None if no epoch was trained, or timed
    loggers_missing: list[str] = field(default_factory=list)  # what other loggers lack, in words

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
        """Whether this launch did what was asked: ended by itself or by a budget, all of it shown.

        A sweep of which all trials failed or diverged has found nothing.
        """
        fruitless = {Outcome.FAILED, Outcome.DIVERGED}
        in_vain = bool(self.records) and all(record.outcome in fruitless for record in self.records)
        shown = self.view_missing is None and not self.loggers_missing
        return self.stop in (None, Stop.TIME_BUDGET, Stop.HOURS, Stop.WORTHLESS) and shown and not in_vain

    def dataframe(self) -> pd.DataFrame:
        """A row for each trial, with the columns of an exported CSV."""
        import pandas as pd

        return pd.DataFrame([trial_row(self.config, record) for record in self.records])

    def __repr__(self) -> str:
        parts = [outcomes(self.records) or "no trials"]
        if self.best is not None:
            parts.append(f"best {self.best.key} with {self.config.metric}={score(self.best.value)}")
        parts += [f"stopped: {self.stop.value}"] if self.stop else []
        parts += ["MLflow is behind"] if self.view_missing else []
        parts += ["loggers are behind"] if self.loggers_missing else []
        return f"<SweepResult {self.config.name}: {', '.join(parts)}, {human_seconds(self.seconds)}>"


@ends_when_asked()
def run_sweep(
    config: SweepConfig,
    objective: Objective | None = None,
    *,
    progress: bool = True,
    observers: Sequence[Observer] = (),
    loggers: Sequence[Observer] = (),
    retry_failed: bool = False,
    skip: Sequence[int] = (),
) -> SweepResult:
    """Run a sweep until its trials are used up, from wherever it stands.

    Opens the study (creating it if it is new), takes on the trials that an earlier driver left
    unfinished, then asks for new ones. Ctrl-C, SIGTERM and SIGUSR1 give running epochs ten seconds to
    end, then return; run it again to go on. What has not ended 25 seconds after the signal, in whatever
    state, is ended by force, with exit code 130.

    Args:
        config: the sweep.
        objective: the training function, if it cannot be imported by `config.objective`.
        progress: show it, on stderr: as a live table in a terminal, and below the cell of a notebook, which
            keeps the best trials; anywhere else as lines, of what is waited for at the start and of each
            trial that ends. Why the first trial failed is logged at once, whether or not.
        observers: told of every change of a trial, at once and in the driver's thread: they must return at
            once. One that raises is told nothing more.
        loggers: your own, beside `config.loggers`: each is told the newest state of each trial in a thread of
            its own, where it may take its time. One that raises is told again later.
        retry_failed: first enqueue the failed trials' parameters again.
        skip: numbers of unfinished trials that are not to be trained any further: they end as failed.

    Raises:
        KeyboardInterrupt: such a signal while no trial ran: at the start, or at the very end.
        UserError: what was asked for cannot be done; nothing was started.
        LeaseLost: another driver took the sweep over.
        SweepFailed: Ray failed, or the storage for longer than it is waited for; run it again to go on.
    """
    started, started_ms = time.monotonic(), int(time.time() * 1000)
    config = settled(config)
    check_loggers(config.loggers)
    check_stop_when(config)
    with contextlib.ExitStack() as entered:
        shown = entered.enter_context(Progress(config)) if progress else None
        say = shown.waits_for if shown else lambda _what: None
        _check_policy(config)
        config, portable = _to_send(config, objective, say)
        tracking = entered.enter_context(TrackingConnection(config))
        folder = entered.enter_context(ray_session(config, say))
        available = nodes()
        placement = plan_placement(config, available)  # what cannot be placed leaves no store behind
        tracking.open()
        if on_cluster(config, available):
            check_nodes_share(config.checkpoint_root)
        say("opening the MLflow store")
        tracking.check()
        driven = Drive(
            config=config,
            spec=_worker_spec(config, portable, placement),
            placement=placement,
            folder=folder,
            observers=[*([shown] if shown else []), *observers],
            loggers=[(f"logger {type(each).__name__}", each) for each in loggers],
            requests=Requests(retry_failed, list(skip)),
            connect=tracking.connect,
            began_at=started,
        ).run()
        used = utilisation(driven.records, placement.slots(nodes()), started_ms)
    seconds = time.monotonic() - started
    return SweepResult(
        config=config,
        records=driven.records,
        stop=driven.stop,
        view_missing=driven.view_missing,
        loggers_missing=driven.loggers_missing,
        seconds=seconds,
        page=driven.page,
        utilisation=used,
    )


def _to_send(
    config: SweepConfig, objective: Objective | None, say: Callable[[str], None]
) -> tuple[SweepConfig, PortableObjective]:
    """The training function for the workers, and the configuration with the place that it is found in."""
    module = config.objective.partition(":")[0]
    if objective is None:
        if module not in sys.modules:
            say(f"importing {module}")
        if is_lightning(config):
            objective = LightningObjective.of(config)
        else:
            objective = load_objective(config.objective, config.objective_place)
    if module in sys.modules and (module != "__main__" or config.objective_place is None):
        config = config.model_copy(update={"objective_place": module_place(module)})
    return config, PortableObjective.of(objective)


def _check_policy(config: SweepConfig) -> None:
    """Refuse what sampler or pruner do not take, before anything is made; warn of one without a bound."""
    rehearse(config)
    warn_of_no_bound(config.pruner, config.goal, config.pruner_args, config.classes)


def _worker_spec(config: SweepConfig, objective: PortableObjective, placement: Placement) -> WorkerSpec:
    return WorkerSpec(
        objective=objective,
        settings=config.settings,
        paths=config.paths,
        metric=config.metric,
        max_epochs=config.max_epochs,
        checkpoints=config.checkpoint_root,
        cpus=placement.cpus,
        gpus=placement.gpus,
    )
