"""What defines a sweep and how it is run, in one frozen value that is saved beside the sweep."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from optuna.trial import FixedTrial
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from search.config import folder_file
from search.config.credentials import HIDDEN, hide, hide_in
from search.config.folder_file import CONFIG_FILE, URL_OPTIONS
from search.config.goals import VERBS, Direction, direction_of
from search.config.names import check_experiment, check_metric, check_tags
from search.config.places import absolute, absolute_place, absolute_url
from search.errors import UserError
from search.objective.reference import objective_reference
from search.text import unencodable
from spaces.space import SearchSpace

_logger = logging.getLogger(__name__)

NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEFINITION_VERSION = 1  # goes up when a key is added that may not be left out, or a default changes


def _space(value: Any) -> Any:
    return SearchSpace.from_json(value) if isinstance(value, dict) else value


# Training functions that studies of earlier versions know under another name.
_MOVED_OBJECTIVES = {"search.repeats:train_repeat": "search.finalists.repeats:train_repeat"}


def _reference(value: Any) -> Any:
    return objective_reference(value) if callable(value) else _MOVED_OBJECTIVES.get(value, value)


SpaceField = Annotated[
    InstanceOf[SearchSpace],
    BeforeValidator(_space),
    PlainSerializer(lambda space: space.to_json(), return_type=dict[str, Any]),
]


class DatasetNote(BaseModel):
    """What the trials are trained on, as far as the sweep needs to know: changed data is another sweep."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the data set, shown in MLflow's Dataset column.")
    digest: str = Field(description="Digest of its contents.")
    sizes: dict[str, int] = Field(description="Number of images by split.")
    classes: int = Field(description="Number of classes.")


class SweepConfig(BaseModel):
    """Everything that defines a sweep.

    The fields named in `DEFINITION` decide what the trials are: they are kept in the study and may
    not change when the sweep is resumed. All others say how the sweep is run here and now.

    Places are made absolute from the folder that the value is made in; URLs may carry passwords, which
    nothing shows: see `search/config/places.py` and `search/config/credentials.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(description="Name of the sweep, its study and its MLflow parent run.")
    space: SpaceField = Field(description="The search space that trials are sampled from.")
    space_source: str | None = Field(
        default=None, description="What the space was loaded from, so that a resume notices an edited file."
    )
    objective: Annotated[str, BeforeValidator(_reference)] = Field(
        description="The training function, or its name as `package.module:function`."
    )
    objective_place: str | None = Field(
        default=None,
        description="Folder that the training function's module is imported from, or the script that holds "
        "it; filled in when the sweep runs. None: it is installed.",
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Plain JSON handed to the objective unchanged: data set, precision."
    )
    dataset: DatasetNote | None = Field(
        default=None, description="The data the objective trains on, where whoever wrote it says so."
    )
    metric: str = Field(default="val_acc", description="The reported metric that is optimised.")
    direction: Direction = Field(
        default=None,
        validate_default=True,
        description="Whether a larger metric is better; None: as the metric's name tells.",
    )
    max_epochs: int = Field(ge=1, description="Epochs that an unpruned trial trains.")
    sampler: str = Field(default="tpe", description="Name of the sampler; TPE is Optuna's own default.")
    sampler_args: dict[str, Any] = Field(default_factory=dict, description="Arguments of the sampler.")
    enqueue: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Values of some or all parameters to try first, a trial each, such as a known good "
        "configuration; what is left out is sampled.",
    )
    pruner: str = Field(default="auto", description="Name of the pruner; `auto` goes by max_epochs.")
    pruner_args: dict[str, Any] = Field(default_factory=dict, description="Arguments of the pruner.")
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed of the sampler; trial n trains with seed + n."
    )

    trials: int = Field(ge=1, description="Trials the sweep ends with, pruned and failed ones included.")
    cpus_per_trial: float | None = Field(
        default=None, gt=0, description="CPU cores of a trial, and its torch threads; None: see placement."
    )
    gpus_per_trial: float | None = Field(
        default=None, ge=0, description="GPUs of a trial; 0.5 lets two share one. None: one if there are any."
    )
    concurrency: int | None = Field(
        default=None, ge=1, description="Most trials at a time; None: as many as the resources hold."
    )
    time_budget_s: float | None = Field(
        default=None, gt=0, description="Seconds after which this launch or resume ends; None: no limit."
    )
    trial_timeout_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds without a report after which a trial's worker is killed; None: never. Give it "
        "several times an epoch, for the first report includes a worker's start.",
    )
    cleanup_time_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a training function gets to clean up after its trial was pruned or the "
        "sweep stops; then its worker is killed and a new one started.",
    )
    ray_address: str | None = Field(
        default=None, description="Address of a running Ray cluster; None starts a local one."
    )
    storage: str | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy URL of the study; None: SQLite in the sweep's folder.",
    )
    tracking_uri: str = Field(
        default="sqlite:///mlflow.db", validate_default=True, repr=False, description="MLflow tracking store."
    )
    experiment: str = Field(default="cifar-sweep", description="MLflow experiment.")
    kind: Literal["sweep", "confirm", "retrain"] = Field(
        default="sweep", description="What the trials are for; a tag of the MLflow runs."
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        description="Further tags of the MLflow parent run: what a confirmation or retraining belongs to.",
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Where things lie on the machines that train, handed to the objective by name: the data. "
        "Unlike `settings` they may differ when the sweep is resumed elsewhere.",
    )
    sweeps_dir: Path = Field(
        default=Path("sweeps"), validate_default=True, description="Folder that holds one folder per sweep."
    )
    checkpoint_uri: str | None = Field(
        default=None,
        repr=False,
        description="Folder or pyarrow URI that every worker can write, in which the sweep gets a folder of "
        "its name; None: the sweep's own folder.",
    )
    keep_checkpoints: int = Field(
        default=3, ge=1, description="Finished trials whose newest checkpoint is kept: the finalists."
    )
    max_attempts: int = Field(
        default=3, ge=1, description="Starts a trial gets when its worker is lost; faults of nodes are rare."
    )
    first_failures: int = Field(
        default=3,
        ge=0,
        description="Stop a launch or resume whose first so many trials all fail: the fault is not in the "
        "parameters then; 0: never. A trial that diverged has not failed.",
    )
    max_failed_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of a launch's or resume's ended trials above which failed ones stop it; 1: never.",
    )
    share_after: int = Field(
        default=6, ge=1, description="Ended trials before the share of failed ones means something."
    )

    @field_validator("*")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        plain = value.model_dump() if isinstance(value, BaseModel) else value
        if unencodable(str(plain) if isinstance(plain, Path) else plain) is not None:
            raise ValueError("text with NUL, or with bytes that are no UTF-8, cannot be stored: give another")
        return value

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not NAME_RULE.fullmatch(name):
            raise ValueError(
                "a name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit"
            )
        return name

    @field_validator("direction", mode="before")
    @classmethod
    def _by_name(cls, direction: Any, info: ValidationInfo) -> Any:
        metric = info.data.get("metric")
        if direction is not None or metric is None:  # without a metric, that is told first
            return direction
        found = direction_of(metric)
        if metric != cls.model_fields["metric"].default:
            _logger.info("%s %s: so its name tells, direction= says otherwise", VERBS[found], metric)
        return found

    @field_validator("metric")
    @classmethod
    def _check_metric(cls, name: str) -> str:
        return check_metric(name)

    @field_validator("experiment")
    @classmethod
    def _check_experiment(cls, name: str) -> str:
        return check_experiment(name)

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        return check_tags(tags)

    @field_validator("sweeps_dir")
    @classmethod
    def _absolute_folder(cls, folder: Path) -> Path:
        return absolute(folder)

    @field_validator("storage", "tracking_uri", "checkpoint_uri")
    @classmethod
    def _absolute_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        if HIDDEN in url and HIDDEN in hide(url):
            raise ValueError(f"{HIDDEN} stands for a password that is not shown: give the whole URL")
        return absolute_url(url) if info.field_name == "storage" else absolute_place(url)

    @field_validator("paths")
    @classmethod
    def _absolute_paths(cls, paths: dict[str, str]) -> dict[str, str]:
        return {name: absolute_place(path) for name, path in paths.items()}

    @field_validator("cpus_per_trial", "gpus_per_trial")
    @classmethod
    def _check_fraction(cls, amount: float | None) -> float | None:
        if amount is not None and amount > 1 and not math.isclose(amount, round(amount)):
            raise ValueError("above 1 only whole numbers can be placed; below 1 any fraction can")
        return amount

    @field_validator("enqueue")
    @classmethod
    def _check_enqueued(cls, enqueued: list[dict[str, Any]], info: ValidationInfo) -> list[dict[str, Any]]:
        if enqueued and info.data.get("sampler") == "grid":
            raise ValueError("a grid tries everything there is: leave it out")
        if "space" in info.data:  # else the space is wrong, which is told first
            for params in enqueued:
                info.data["space"].check_some(params)
        return enqueued

    @property
    def folder(self) -> Path:
        """The sweep's own folder."""
        return self.sweeps_dir / self.name

    @property
    def classes(self) -> int | None:
        """Classes among which the metric, an accuracy, tells; None: it is another, or nobody has said."""
        return self.dataset.classes if self.dataset and "acc" in self.metric.lower() else None

    @property
    def storage_url(self) -> str:
        """URL of the study's storage, with the default filled in."""
        return self.storage or f"sqlite:///{self.folder / 'study.db'}"

    @property
    def checkpoints(self) -> str:
        """Where the trials' checkpoints lie, with the default filled in; never shared with another sweep."""
        if self.checkpoint_uri is None:
            return str(self.folder / "checkpoints")
        place, mark, options = self.checkpoint_uri.partition("?")  # s3://bucket?endpoint_override=...
        return f"{place.rstrip('/')}/{self.name}{mark}{options}"

    @property
    def budget(self) -> int:
        """Trials the sweep ends with; a grid ends when it is exhausted."""
        size = self.space.size() if self.sampler == "grid" else None
        return self.trials if size is None else min(self.trials, size)

    def configuration(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's whole configuration: its sampled parameters and the space's fixed values."""
        return dict(self.space.suggest(FixedTrial(dict(params))))

    def definition(self) -> dict[str, Any]:
        """The part that a resume may not change, as plain JSON."""
        return self.model_dump(mode="json", include=set(DEFINITION))

    def shown(self) -> dict[str, Any]:
        """The whole configuration as plain JSON, without passwords: for others to read."""
        fields = self.model_dump(mode="json")
        return fields | {field: hide(fields[field]) for field in URL_OPTIONS if fields[field] is not None}

    def save(self, study_id: str | None = None) -> None:
        """Write the configuration into the sweep's folder, whole or not at all.

        Args:
            study_id: identity of its study, once that is made: a resume goes on with no other.
        """
        # sweeps_dir is where the file is found, so writing it down would only break a moved folder.
        folder_file.write(self.folder, self.model_dump(mode="json", exclude={"sweeps_dir"}), study_id)

    @classmethod
    def load(cls, name: str, sweeps_dir: Path, given: Collection[str] = ()) -> SweepConfig:
        """Read the configuration of a sweep that exists.

        Args:
            name: of the sweep.
            sweeps_dir: where it lies.
            given: fields that are about to be replaced: their passwords need not be found.

        Raises:
            UserError: there is no such sweep, or its file cannot be read; names the sweeps there are.
        """
        path = sweeps_dir / name / CONFIG_FILE
        if not NAME_RULE.fullmatch(name) or not path.is_file():
            there = ", ".join(sweep_names(sweeps_dir)) or "none"
            raise UserError(
                f"no sweep {name!r} in {sweeps_dir} (there: {there}): check NAME and --sweeps-dir"
            )
        try:
            fields = folder_file.read(absolute(path.parent), given)
            return cls.model_validate({**fields, "sweeps_dir": sweeps_dir})
        except UserError:
            raise
        except (AttributeError, OSError, TypeError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({one_line(error)}): restore the file") from error


DEFINITION = (
    "space",
    "objective",
    "settings",
    "dataset",
    "metric",
    "direction",
    "max_epochs",
    "sampler",
    "sampler_args",
    "enqueue",
    "pruner",
    "pruner_args",
    "seed",
)


def sweep_names(sweeps_dir: Path) -> list[str]:
    """Names of the sweeps in a folder, sorted."""
    return sorted(path.parent.name for path in sweeps_dir.glob(f"*/{CONFIG_FILE}"))


def definition_difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two definitions, a readable line each; empty if they agree.

    A key that one of them lacks is from before there was such a thing: it means the default.
    """
    old, new = _whole(old), _whole(new)
    lines = []
    for key in dict.fromkeys([*DEFINITION, *old, *new]):
        if key == "space" and key in old:
            before, after = SearchSpace.from_json(old[key]), SearchSpace.from_json(new[key])
            lines += [f"space: {line}" for line in before.difference(after)]
        elif old.get(key) != new.get(key):
            lines.append(f"{key}: {old.get(key)!r} -> {new.get(key)!r}")
    return lines


def _whole(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with the defaults of what it lacks, and without its version."""
    defaults = {
        key: field.get_default(call_default_factory=True)
        for key, field in SweepConfig.model_fields.items()
        if key in DEFINITION and not field.is_required()
    } | {"direction": "maximize"}  # of earlier versions; it now goes by the metric's name
    whole = {**defaults, **{key: value for key, value in definition.items() if key != "version"}}
    return whole | {"objective": _reference(whole.get("objective"))}


def one_line(error: Exception) -> str:
    """An error's message on one line, without passwords; of a validation error, its first field."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":  # its input is all that is there
            return f"{place} is missing"
        return hide_in(f"{place}={first['input']!r}: {first['msg'].removeprefix('Value error, ')}")
    return hide_in(" ".join(str(error).split()))
