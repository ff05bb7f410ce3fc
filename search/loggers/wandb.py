"""Weights & Biases: a run for each trial, in the group of its sweep, which goes by the same id for ever.

What is W&B's own is said in its own way, by `wandb login` and variables of the environment: the mode (online
or offline), the project, the entity, the server.

Online a run grows as its trial does; after a crash the server tells which epochs it has. Offline nobody
tells which part of a run has been synchronised, and W&B would send the rest as new: there a trial's run is
written at the trial's end, at one go, and never again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import wandb
from optuna.trial import TrialState
from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.loggers.trial_logs import Row, TrialLog, TrialLogs, rows_of
from search.results.leaderboard import cause
from search.study.records import TrialRecord

FOLDER = "wandb"  # in the sweep's own, unless W&B is told otherwise
_FINISH_S = 60.0  # to upload the last of a run


def check_login() -> None:
    """Refuse to begin where W&B would ask for a key in the middle of the sweep.

    Raises:
        UserError: it is online, and has no key.
    """
    if wandb.run is None and not _is_offline() and not _has_key():
        raise UserError(
            "`loggers=wandb`: W&B has no API key: run `wandb login`, or set WANDB_MODE=offline to send the "
            "runs later"
        )


def _has_key() -> bool:
    """Silent, for to say who is logged in it would ask the server, and wait for one that does not answer."""
    settings = wandb.setup().settings
    before, settings.silent = settings.silent, True
    try:
        return bool(wandb.login(prompt=False, verify=False))
    finally:
        settings.silent = before


def wandb_logs(config: SweepConfig, sweep_id: str) -> TrialLogs:
    """The runs of a sweep's trials."""

    def begin(record: TrialRecord) -> TrialLog:
        run = _Run(config, sweep_id, record.number)
        return OfflineLog(run) if _is_offline() else OnlineLog(run, record)

    return TrialLogs(begin, config.folder / FOLDER / "whole.txt")


class OnlineLog:
    """A run that is sent to the server as its trial goes on.

    Args:
        run: of the trial.
        record: the trial as it is now.

    Example:
        >>> log = OnlineLog(run, record)  # doctest: +SKIP
        >>> log.write(record)  # doctest: +SKIP
    """

    def __init__(self, run: _Run, record: TrialRecord) -> None:
        self._rows = _Rows(run.start(record, resume="allow"))

    def write(self, record: TrialRecord) -> None:
        """Add what the server lacks of the trial's epochs."""
        self._rows.add(record)

    def end(self, record: TrialRecord) -> None:
        """Say how the trial ended, or that it is frozen, and wait until all of it is sent."""
        _finish(self._rows.run, record)

    def close(self) -> None:
        """Let the run go: it is found again by its id."""
        self._rows.run.finish()


class OfflineLog:
    """A run that is written at its trial's end, to be synchronised by hand.

    Args:
        run: of the trial.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> log = OfflineLog(_Run(config, sweep_id="0a1b", number=0))
        >>> log.write(TrialRecord(0, TrialState.RUNNING, {}))  # which writes nothing
    """

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._started: wandb.Run | None = None

    def write(self, record: TrialRecord) -> None:
        """Nothing yet."""

    def end(self, record: TrialRecord) -> None:
        """Write all of a trial that has ended; one that is frozen may go on."""
        if record.frozen or self._run.is_synchronised():
            return
        self._run.delete()
        self._started = self._run.start(record, resume=None)
        _Rows(self._started).add(record)
        _finish(self._started, record)

    def close(self) -> None:
        """Let go of a run that could not be written; it is begun anew."""
        if self._started is not None:
            self._started.finish()


class _Run:
    """What a trial's run is called, and where it lies."""

    def __init__(self, config: SweepConfig, sweep_id: str, number: int) -> None:
        self._config = config
        self._id = f"{sweep_id}-{number}"
        self._folder = Path(os.environ.get("WANDB_DIR", config.folder))

    def start(self, record: TrialRecord, resume: Literal["allow"] | None) -> wandb.Run:
        config = self._config
        self._folder.mkdir(parents=True, exist_ok=True)
        with _service_anew():
            run = wandb.init(
                project=wandb.setup().settings.project or _project(config.experiment),
                group=config.name,
                job_type=config.kind,
                id=self._id,
                name=record.key,
                config=config.configuration(record.params),
                dir=str(self._folder),
                resume=resume,
                reinit="create_new",
                settings=_settings(),
            )
            run.define_metric("*", step_metric="epoch", step_sync=False)
            return run

    def is_synchronised(self) -> bool:
        return any((folder / f"run-{self._id}.wandb.synced").exists() for folder in self._folders())

    def delete(self) -> None:
        """What a driver has left that was killed while it wrote."""
        for folder in self._folders():
            shutil.rmtree(folder)

    def _folders(self) -> list[Path]:
        return list((self._folder / "wandb").glob(f"offline-run-*-{self._id}"))


def _settings() -> wandb.Settings:
    return wandb.Settings(
        silent=True,
        console="off",  # the driver's screen is its own
        stop_fn=lambda: None,  # to stop a run in the browser would interrupt the driver
        finish_timeout=_FINISH_S,
        finish_timeout_raises=True,
        # Of the driver: its command line may hold a password, and its load is not the trials'.
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
        disable_git=True,
        disable_code=True,
    )


class _Rows:
    """The rows of a run: W&B's own step counts them, and what charts go by is a column, epoch or step."""

    def __init__(self, run: wandb.Run) -> None:
        self.run = run
        self._known = max(0, run.starting_step - 1)  # that the server has; they are counted from 1
        self._count = self._epochs = 0
        self._by_step: set[str] = set()

    def add(self, record: TrialRecord) -> None:
        """Send what was not sent yet."""
        for row in rows_of(record.epochs[self._epochs :]):
            self._count += 1
            if self._count > self._known:
                self._send(row)
        self._epochs = len(record.epochs)

    def _send(self, row: Row) -> None:
        if row.of == "step":
            for name in row.metrics.keys() - self._by_step:
                self._by_step.add(name)
                self.run.define_metric(name, step_metric="step", step_sync=False)
        when = {row.of: row.number, "_timestamp": row.timestamp_ms / 1000}
        self.run.log({**when, **row.metrics}, step=self._count, commit=True)


def _finish(run: wandb.Run, record: TrialRecord) -> None:
    told: dict[str, Any] = {"state": str(record.outcome)}
    if record.stop_reason is not None:
        told["stop_reason"] = str(record.stop_reason)
    if record.error is not None:
        told["error"] = cause(record.error)
    run.summary.update(told)
    run.finish(exit_code=1 if record.state is TrialState.FAIL else 0)


@contextlib.contextmanager
def _service_anew() -> Iterator[None]:
    """A process of W&B's own does its work; if that has died, it is started anew the next time."""
    try:
        yield
    except (ConnectionError, HandleAbandonedError, MailboxClosedError) as error:
        with contextlib.suppress(Exception):  # it tells again that the process has died
            wandb.teardown()
        raise ConnectionError("W&B's own process has died, and is started anew") from error


def _is_offline() -> bool:
    return wandb.setup().settings.mode not in ("online", "run", "shared")


def _project(experiment: str) -> str:
    """The experiment's name, without what W&B's names may not hold."""
    return re.sub(r"[/\\#?%:]+", "-", experiment).strip("-")[:128]
