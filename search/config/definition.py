"""What the trials of a sweep are: kept in the study, and never changed by a resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from optuna.trial import FixedTrial
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from search.config.goals import Goal
from search.config.method import Method
from search.errors import UserError
from search.objective.reference import objective_reference
from spaces.space import SearchSpace

VERSION = 2  # goes up when a key is added that may not be left out, or a default changes
# Of earlier versions: a direction now goes by the metric's name, a sampler by the sweep's size.
_DEFAULTS_OF_THEN = {"direction": "maximize", "sampler": "tpe"}
# Training functions that studies of earlier versions know under another name.
_MOVED_OBJECTIVES = {
    "search.repeats:train_repeat": "search.finalists.repeats:train_repeat",
    "cifar_cnn.objective:train_trial": "search.cifar.objective:train_trial",
}


def _space(value: Any) -> Any:
    return SearchSpace.from_json(value) if isinstance(value, dict) else value


def _reference(value: Any) -> Any:
    return objective_reference(value) if callable(value) else _MOVED_OBJECTIVES.get(value, value)


SpaceField = Annotated[
    InstanceOf[SearchSpace],
    BeforeValidator(_space),
    PlainSerializer(lambda space: space.to_json(), return_type=dict[str, Any]),
]


class DatasetNote(BaseModel):
    """What the trials are trained on, as far as the sweep needs to know: changed data is another sweep.

    Example:
        >>> DatasetNote(name="digits", digest="0a1b", sizes={"train": 1150, "val": 287}, classes=10).classes
        10
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the data set, shown in MLflow's Dataset column.")
    digest: str = Field(description="Digest of its contents.")
    sizes: dict[str, int] = Field(description="Number of images by split.")
    classes: int = Field(description="Number of classes.")


class Definition(Method):
    """What the trials of a sweep are. Its JSON has a version: see `VERSION`.

    >>> from spaces.registry import load_space
    >>> launched = Definition(space=load_space("quickstart"), objective="package.module:train", max_epochs=6)
    >>> launched.model_copy(update={"max_epochs": 9}).difference(launched.to_json())
    ['max_epochs: 6 -> 9']
    """

    space: SpaceField = Field(description="The search space that trials are sampled from.")
    objective: Annotated[str, BeforeValidator(_reference)] = Field(
        description="The training function, or its name as `package.module:function`."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Plain JSON handed to the objective unchanged: data set, precision."
    )
    dataset: DatasetNote | None = Field(
        default=None, description="The data the objective trains on, if that is known."
    )
    enqueue: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Values of some or all parameters to try first, a trial each, such as a known good "
        "configuration; what is left out is sampled.",
    )

    prior: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Values of some or all parameters that are believed to be good, the best first: some "
        "trials, half of them at first and ever fewer, are drawn near one of these.",
    )

    @field_validator("enqueue", "prior")
    @classmethod
    def _check_values(cls, given: list[dict[str, Any]], info: ValidationInfo) -> list[dict[str, Any]]:
        if given and info.data.get("sampler") == "grid":
            raise ValueError("a grid tries everything there is: leave it out")
        if "space" in info.data:  # else the space is wrong, which is told first
            for params in given:
                info.data["space"].check_some(params)
        return given

    @property
    def goal(self) -> Goal:
        """What is optimised, and which way."""
        return Goal(self.metric, self.direction)

    @property
    def classes(self) -> int | None:
        """Classes among which the metric, an accuracy, tells; None: it is another, or nobody has said."""
        return self.dataset.classes if self.dataset and "acc" in self.metric.lower() else None

    @property
    def validation_images(self) -> int | None:
        """How many images the metric, an accuracy, is of; None: it is another, or nobody has said."""
        return self.dataset.sizes["val"] if self.dataset and self.classes else None

    def configuration(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's whole configuration: its sampled parameters and the space's fixed values."""
        return dict(self.space.suggest(FixedTrial(dict(params))))

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the study and in the sweep's file, with its version."""
        return {"version": VERSION, **self.model_dump(mode="json")}

    def difference(self, recorded: Mapping[str, Any]) -> list[str]:
        """What differs from a definition that was kept, a readable line each; empty if they agree.

        Args:
            recorded: as `to_json` gives it, here or in an earlier version.

        Raises:
            UserError: it is of a later version.
        """
        old, new = migrated(recorded), self.model_dump(mode="json")
        lines = []
        for key in dict.fromkeys(["space", *new, *old]):
            if key == "space" and key in old:
                lines += [f"space: {line}" for line in SearchSpace.from_json(old[key]).difference(self.space)]
            elif old.get(key) != new.get(key):
                lines.append(f"{key}: {old.get(key)!r} -> {new.get(key)!r}")
        return lines


def migrated(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a definition that was kept, in the words of this version.

    What it lacks is from before there was such a thing: it means the default of then. `auto` is what it
    stood for then: since version 2 the names themselves are kept.

    Raises:
        UserError: it is of a later version.
    """
    version = recorded.get("version", 0)
    if type(version) is not int or version > VERSION:
        raise UserError(
            f"the sweep has a definition of version {version!r}, written by a later version of this program; "
            f"this one reads up to {VERSION}: use the later one"
        )
    defaults = {
        key: field.get_default(call_default_factory=True)
        for key, field in Definition.model_fields.items()
        if not field.is_required()
    } | _DEFAULTS_OF_THEN
    whole = {**defaults, **{key: value for key, value in recorded.items() if key != "version"}}
    if version < 2 and whole["pruner"] == "auto" and type(whole.get("max_epochs")) is int:
        whole["pruner"] = _pruner_of_then(whole["max_epochs"])
    return whole | {"objective": _reference(whole.get("objective"))}


def _pruner_of_then(max_epochs: int) -> str:
    if max_epochs < 3:
        return "none"
    return "asha" if max_epochs < 27 else "hyperband"
