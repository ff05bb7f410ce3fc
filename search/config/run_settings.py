"""How a sweep is carried out here and now: what may differ when it is resumed.

Places are made absolute from the folder that the value is made in; URLs may carry passwords, which nothing
shows: see `search/config/places.py` and `search/config/credentials.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from search.config.credentials import HIDDEN, hide
from search.config.model import Duration, Settings
from search.config.names import check_experiment
from search.config.places import absolute, absolute_place, absolute_url

# Fields that had another name in earlier versions, which is still taken.
RENAMED = {
    "checkpoint_uri": "checkpoints",
    "time_budget_s": "time_budget",
    "trial_timeout_s": "trial_timeout",
    "cleanup_time_s": "cleanup_time",
}
# Fields that may carry a password.
URL_FIELDS = ("storage", "tracking_uri", "checkpoints")


_EPOCHS_OR_TRAININGS = re.compile(r"[1-9][0-9]*x?")


def _budget(given: Any) -> Any:
    match = _EPOCHS_OR_TRAININGS.fullmatch(str(given).strip())
    if match is None:
        raise ValueError("write epochs, such as 540, or whole trainings, such as 20x")
    return match[0] if match[0].endswith("x") else int(match[0])


def _room(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(given)
    except ValidationError as error:
        raise ValueError("write a number and a unit, such as 500MB or 10GB") from error


# Epochs; a text such as `20x` says whole trainings.
Budget = Annotated[int | str, BeforeValidator(_budget)]
# Bytes; a text says its unit.
Room = Annotated[ByteSize, WrapValidator(_room)]


class Size(Settings):
    """How much is trained; of two limits the one that is used up first ends the sweep.

    >>> Size(budget="540").budget, Size(budget="20x").budget
    (540, '20x')
    """

    trials: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Trials in all, pruned and failed ones included; by default as many as the budget of "
        "epochs is for.",
    )
    budget: Budget | None = Field(
        default=None,
        description="Epochs to train in all, such as 540, or whole trainings, such as 20x; with a number of "
        "trials too, what is used up first ends the sweep.",
    )

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        if self.trials is None and self.budget is None:
            raise ValueError(
                "how large the sweep is nobody says: give `trials=30`, or `budget=20x` for the epochs of 20 "
                "whole trainings"
            )
        return self


def sized(fields: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """These fields with those that are given; a size that is given takes the place of the whole one before.

    >>> sized({"trials": 60, "seed": 7}, {"budget": "20x"})
    {'trials': None, 'seed': 7, 'budget': '20x'}
    """
    size = Size.model_fields.keys()
    before = dict.fromkeys(size & fields.keys()) if any(given.get(name) for name in size) else {}
    return {**fields, **before, **given}


STORED = "stored"
"""Context for validating what a sweep was launched with, by rules that may have been others then."""


def check_one_gpu(amount: float | None) -> float | None:
    """GPUs of a trial, as many as it can use.

    Raises:
        ValueError: it has more than one.
    """
    if amount is not None and amount > 1:
        raise ValueError("a trial trains on one device, and would leave the others idle: give 1 or less")
    return amount


class Resources(Settings):
    """Resources of the trials.

    Example:
        >>> Resources(cpus_per_trial=2).concurrency is None
        True
    """

    cpus_per_trial: float | None = Field(
        default=None,
        gt=0,
        description="CPU cores of a trial, and its torch threads; by default the cores are shared out.",
    )
    gpus_per_trial: float | None = Field(
        default=None,
        ge=0,
        description="GPUs of a trial, one at most; 0.5 lets two share one, 0 trains and tests on the CPU. By "
        "default one if there are any.",
    )
    concurrency: int | None = Field(
        default=None, ge=1, description="Most trials at a time; by default as many as fit."
    )
    ray_address: str | None = Field(
        default=None, description="Address of a running Ray cluster; by default this machine alone."
    )

    @field_validator("cpus_per_trial")
    @classmethod
    def _check_fraction(cls, amount: float | None) -> float | None:
        if amount is not None and amount > 1 and not math.isclose(amount, round(amount)):
            raise ValueError("above 1 only whole numbers can be placed; below 1 any fraction can")
        return amount

    @field_validator("gpus_per_trial")
    @classmethod
    def _check_one_gpu(cls, amount: float | None, info: ValidationInfo) -> float | None:
        # What earlier versions have stored is read as it is, and refused when it is to run.
        return amount if info.context == STORED else check_one_gpu(amount)


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

    @field_validator("experiment")
    @classmethod
    def _check_experiment(cls, name: str) -> str:
        return check_experiment(name)


class RunSettings(Places, Limits, Resources, Size):
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
