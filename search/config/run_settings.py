"""How a sweep is carried out here and now: what may differ when it is resumed.

Places are made absolute from the folder that the value is made in; URLs may carry passwords, which nothing
shows: see `search/config/places.py` and `search/config/credentials.py`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationInfo, field_validator

from search.config.credentials import HIDDEN, hide
from search.config.finishing import Finishing
from search.config.model import Duration, Room, Settings
from search.config.names import check_experiment
from search.config.places import absolute, absolute_place, absolute_url
from search.config.resources import Resources
from search.config.size import Size

# Fields that had another name in earlier versions, which is still taken.
RENAMED = {
    "checkpoint_uri": "checkpoints",
    "time_budget_s": "time_budget",
    "trial_timeout_s": "trial_timeout",
    "cleanup_time_s": "cleanup_time",
}
# Fields that may carry a password.
URL_FIELDS = ("storage", "tracking_uri", "checkpoints")
_RATE = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d+)?/h")
LoggerName = Literal["tensorboard", "wandb"]


class Limits(Settings):
    """When a sweep or a trial is ended.

    >>> Limits(time_budget="90s", cleanup_time=5).time_budget
    90.0
    """

    time_budget: Duration | None = Field(
        default=None,
        gt=0,
        validation_alias=AliasChoices("time_budget", "time_budget_s"),
        description="End this launch or resume after this time, such as 90s, 30m or 2h; what still runs can "
        "be resumed. By default there is no limit.",
    )
    core_hours: float | None = Field(
        default=None,
        gt=0,
        description="End the sweep once its epochs have taken so many hours, times the cores that each trial "
        "had, over all its launches; what still runs can be resumed with more. By default there is no limit.",
    )
    gpu_hours: float | None = Field(
        default=None, gt=0, description="The same for hours times the GPUs, or shares of one."
    )
    stop_when: str | None = Field(
        default=None,
        description="End the sweep once another hour would probably bring too little: less than a rate of "
        "the metric such as 0.001/h, or 'worthless': less than half of what seeds differ by, which is known "
        "of accuracies. By default it is only told.",
    )
    trial_timeout: Duration | None = Field(
        default=None,
        gt=0,
        validation_alias=AliasChoices("trial_timeout", "trial_timeout_s"),
        description="Kill and restart the worker of a trial that reports nothing for this long, such as 30m; "
        "several times an epoch, for the first report includes a worker's start. By default never.",
    )
    cleanup_time: Duration = Field(
        default=60.0,
        gt=0,
        validation_alias=AliasChoices("cleanup_time", "cleanup_time_s"),
        description="Time that a training function gets to clean up after its trial was pruned or the sweep "
        "stops, such as 60s; then its worker is killed and a new one started.",
    )

    @field_validator("stop_when")
    @classmethod
    def _check_stop_when(cls, stop_when: str | None) -> str | None:
        if stop_when is None or stop_when == "worthless":
            return stop_when
        if not _RATE.fullmatch(stop_when) or not 0 < float(stop_when.removesuffix("/h")) < math.inf:
            raise ValueError("neither 'worthless' nor a gain an hour above 0: write it as 0.001/h")
        return stop_when

    max_attempts: int = Field(
        default=3,
        ge=1,
        description="Starts that a trial gets when its worker is lost; faults of nodes are rare.",
    )
    first_failures: int = Field(
        default=3,
        ge=0,
        description="Stop if this many trials have ended and all have failed: the fault is not in the "
        "parameters then; 0: never. A trial that diverged has not failed.",
    )
    max_failed_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Stop if a larger share of the ended trials has failed; 1: never.",
    )
    share_after: int = Field(
        default=6, ge=1, description="Ended trials before the share of failed ones means something."
    )


class Stores(Settings):
    """Where checkpoints and MLflow's view are.

    Example:
        >>> Stores(tracking_uri="http://mlflow:5000").checkpoints is None
        True
    """

    tracking_uri: str = Field(
        default="sqlite:///mlflow.db", validate_default=True, repr=False, description="MLflow tracking store."
    )
    checkpoints: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("checkpoints", "checkpoint_uri"),
        description="Folder or URI (s3://...) that every worker can write, in which the sweep gets a folder "
        "of its name; by default the sweep's own folder.",
    )

    @field_validator("storage", "tracking_uri", "checkpoints", check_fields=False)
    @classmethod
    def _absolute_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        if HIDDEN in url and HIDDEN in hide(url):
            raise ValueError(f"{HIDDEN} stands for a password that is not shown: give the whole URL")
        return absolute_url(url) if info.field_name == "storage" else absolute_place(url)


class Places(Stores):
    """Where the study, checkpoints and MLflow's view are.

    Example:
        >>> Places(tracking_uri="http://mlflow:5000").experiment
        'cifar-sweep'
    """

    experiment: str = Field(default="cifar-sweep", description="MLflow experiment.")
    loggers: list[LoggerName] = Field(
        default_factory=list,
        description="Where trials are shown beside MLflow: tensorboard, in the sweep's folder, or wandb, "
        "online or offline as WANDB_MODE says; repeatable.",
    )
    storage: str | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy URL of the study's database; by default SQLite in the sweep's folder.",
    )
    keep_checkpoints: int = Field(
        default=3, ge=1, description="Finished trials whose newest checkpoint is kept: the finalists."
    )
    keep_frozen: int = Field(
        default=50,
        ge=0,
        description="Frozen trials whose checkpoint is kept, the best ones; the others start again from "
        "their first epoch when they are thawed.",
    )
    keep_frozen_size: Room | None = Field(
        default=None,
        description="Most room for the checkpoints of frozen trials, such as 10GB; by default there is no "
        "limit.",
    )

    @field_validator("loggers")
    @classmethod
    def _check_loggers(cls, names: list[LoggerName]) -> list[LoggerName]:
        return list(dict.fromkeys(names))

    @field_validator("experiment")
    @classmethod
    def _check_experiment(cls, name: str) -> str:
        return check_experiment(name)


class RunSettings(Places, Finishing, Limits, Resources, Size):
    """Everything that may differ when a sweep is resumed.

    Example:
        >>> RunSettings(trials=20, time_budget="2h").time_budget
        7200.0
    """

    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Where things lie on the machines that train, handed to the objective by name: the data. "
        "Unlike `settings` they may differ when the sweep is resumed elsewhere.",
    )
    sweeps_dir: Path = Field(
        default=Path("sweeps"), validate_default=True, description="Folder that holds one folder per sweep."
    )
    space_source: str | None = Field(
        default=None, description="What the space was loaded from, so that a resume notices an edited file."
    )
    objective_place: str | None = Field(
        default=None,
        description="Folder that the training function's module is imported from, or the script that holds "
        "it; filled in when the sweep runs. None: it is installed.",
    )

    @field_validator("sweeps_dir")
    @classmethod
    def _absolute_folder(cls, folder: Path) -> Path:
        return absolute(folder)

    @field_validator("paths")
    @classmethod
    def _absolute_paths(cls, paths: dict[str, str]) -> dict[str, str]:
        return {name: absolute_place(path) for name, path in paths.items()}
