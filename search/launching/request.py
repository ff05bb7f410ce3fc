"""What a person asks for: a sweep in plain words, from a command line or a file, yet unchecked.

Loads neither Optuna nor torch, so that `--help` stays quick.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from cifar_cnn.config import DataConfig
from search.config.finishing import Finishing
from search.config.goals import Direction
from search.config.method import MaxEpochs, Method
from search.config.model import Duration, one_line
from search.config.resources import Resources
from search.config.run_settings import Limits, Places
from search.config.size import Budget, Size
from search.errors import UserError
from search.training.settings import LightningSettings
from spaces.typed import value

if TYPE_CHECKING:
    from search.config.sweep_config import SweepConfig


_logger = logging.getLogger(__name__)


def _field(model: type[BaseModel], name: str) -> Any:
    """A field of another model: its rule, default and help."""
    return model.model_fields[name]


def named_texts(pairs: Sequence[str]) -> dict[str, str]:
    """`["lr=0.05"]` as a dictionary of names and texts.

    Raises:
        ValueError: one of them has no `=`, or a name comes twice.
    """
    texts: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"write {pair!r} as NAME=VALUE, such as lr=0.05")
        if name in texts:
            raise ValueError(f"{name} is {texts[name]!r} already; give it once")
        texts[name] = text
    return texts


def _arguments(given: Any) -> Any:
    if not isinstance(given, list):
        return given
    return {name: value(text) for name, text in named_texts(given).items()}


def _configuration(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {name: str(each) for name, each in given.items()}
    return named_texts(given.split(",")) if isinstance(given, str) else given


# A table, or texts such as group=true.
Arguments = Annotated[dict[str, Any], BeforeValidator(_arguments)]
# A table, or a text such as depth=3,lr=0.05; the space knows what its texts mean.
Configuration = Annotated[dict[str, str], BeforeValidator(_configuration)]


class SweepRequest(Places, Finishing, Limits, Resources, Method, Size):
    """A sweep as it is asked for, of CNNs or of a module of one's own; the defaults are the quickstart.

    >>> request = SweepRequest.of({"trials": "30", "sampler_args": ["group=true"], "enqueue": ["lr=0.05"]})
    >>> request.trials, request.sampler_args, request.enqueue
    (30, {'group': True}, [{'lr': '0.05'}])
    """

    name: str | None = Field(
        default=None, description="Name of the sweep; by default the sweep file's or the space's, numbered."
    )
    space: str = Field(
        default="quickstart", description="quickstart, baseline, fast, wide, resnet, or a Python file."
    )
    module: str | None = Field(
        default=None,
        description="A LightningModule of your own, as nets:Net in this folder or installed, or as "
        "path/to/nets.py:Net; by default the CNN.",
    )
    data: str | None = Field(
        default=None,
        description="Its LightningDataModule, named likewise; by default the module has its own loaders.",
    )
    callbacks: str | None = Field(
        default=None,
        description="A function that returns a list of Lightning callbacks, named likewise: each trial needs "
        "its own.",
    )
    trainer: Arguments = Field(
        default_factory=dict,
        description="NAME=VALUE for Lightning's Trainer, such as gradient_clip_val=1.0; repeatable.",
    )
    checkpoint_every_n_epochs: int = _field(LightningSettings, "checkpoint_every_n_epochs")
    checkpoint_every: Duration | None = _field(LightningSettings, "checkpoint_every")
    dataset: str = _field(DataConfig, "dataset")
    data_dir: Path = _field(DataConfig, "data_dir")
    train_size: int | None = _field(DataConfig, "train_size")
    val_size: int | None = _field(DataConfig, "val_size")
    skip_damaged: bool = _field(DataConfig, "skip_damaged")
    budget: Budget | None = Field(default="10x", description=Size.model_fields["budget"].description)
    max_epochs: MaxEpochs = 6
    direction: Direction | None = Field(  # type: ignore[assignment]  # None: the metric's name tells, later
        default=None, description=Method.model_fields["direction"].description
    )
    enqueue: list[Configuration] = Field(
        default_factory=list,
        description="NAME=VALUE,... to try first, such as a known good configuration; repeatable.",
    )
    around: list[Configuration] = Field(
        default_factory=list,
        description="NAME=VALUE,... believed to be good: some trials, half of them at first and ever "
        "fewer, are drawn near; repeatable.",
    )
    learn_from: list[str] = Field(
        default_factory=list,
        description="An earlier sweep whose best configurations are tried first, and drawn near like "
        "`around`; repeatable.",
    )
    sampler_args: Arguments = Field(
        default_factory=dict,
        description="NAME=VALUE for the sampler, such as group=true; repeatable.",
    )
    pruner_args: Arguments = Field(
        default_factory=dict, description="NAME=VALUE for the pruner, such as lower=0.1; repeatable."
    )
    sweeps_dir: Path = Field(default=Path("sweeps"), description="Folder that holds one folder per sweep.")

    @model_validator(mode="before")
    @classmethod
    def _size(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A budget that is left out has its default where no number of trials tells the size."""
        if given.get("budget") is not None:
            return given
        kept = {name: value for name, value in given.items() if name != "budget"}
        return {**kept, "budget": None} if given.get("trials") is not None else kept

    @model_validator(mode="after")
    def _check_what_is_trained(self) -> Self:
        """What is said of a module has one, and what is said of the CNN's images has the CNN."""
        other = IMAGES if self.module is not None else OWN
        for name in self.model_fields_set & set(other):
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                remedy = (
                    f"is of the CNN's images, and {self.module} is trained: leave it out, and give its own "
                    "data with `data`"
                    if self.module is not None
                    else "is of a LightningModule of your own: name it with `module`"
                )
                raise ValueError(f"`{name}` {remedy}")
        return self

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SweepRequest:
        """The request with these fields, as text or as what they mean, and defaults for the others.

        Raises:
            UserError: one of them is wrong.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise UserError(one_line(error)) from error

    def config(self, stem: str) -> SweepConfig:
        """The sweep, everything in it checked, the data decoded and cached.

        Args:
            stem: what it is called after, with a number, if it has no name.

        Raises:
            UserError: anything is wrong with the space, the data or a field. Nothing was started.
        """
        images = {name: getattr(self, name) for name in IMAGES}
        own = {name: getattr(self, name) for name in OWN}
        fields = {name: field for name, field in self if name not in (*IMAGES, *OWN, "name", "learn_from")}
        fields["name"] = self.name or self.fresh_name(stem)
        if self.module is None:
            from search.cifar.sweep import cifar_config, data_config

            config = cifar_config(data=data_config(**images), **fields)
        else:
            from search.lightning import named_sweep

            config = named_sweep(**own, **fields).config
        return self._having_learnt(config) if self.learn_from else config

    def _having_learnt(self, config: SweepConfig) -> SweepConfig:
        from search.launching.earlier import learn

        learnt = learn(config, self.learn_from, self.sweeps_dir)
        for line in learnt.lines:
            _logger.info(line)
        more = {"enqueue": [*config.enqueue, *learnt.enqueue], "prior": [*config.prior, *learnt.prior]}
        return config.model_copy(update={**more, "seed": self._fresh_seed(config.seed, learnt.seed)})

    def _fresh_seed(self, seed: int, fresh: int) -> int:
        """One that draws other configurations than the earlier sweeps did, unless somebody wants this one."""
        if fresh == seed:
            return seed
        if "seed" in self.model_fields_set:
            _logger.warning(
                "`seed=%d`: an earlier sweep drew with it, and this one may draw the same: %d is free",
                seed,
                fresh,
            )
            return seed
        _logger.info("seed %d: an earlier sweep drew with %d", fresh, seed)
        return fresh

    def fresh_name(self, stem: str) -> str:
        """A name with the first number that no sweep has.

        Raises:
            UserError: the storage does not answer.
        """
        from search.launching.launch import fresh_name

        return fresh_name(stem, self.sweeps_dir, self.storage)


IMAGES = ("dataset", "data_dir", "train_size", "val_size", "skip_damaged")
OWN = ("module", "data", "callbacks", "trainer", "checkpoint_every_n_epochs", "checkpoint_every")
# The fields by what they are about, in the order in which people are shown them.
GROUPS: Mapping[str, Sequence[str]] = {
    "What is trained": ("name", "space", *IMAGES),
    "A module of your own": OWN,
    "How the space is searched": (
        *Size.model_fields,
        *Method.model_fields,
        "enqueue",
        "around",
        "learn_from",
    ),
    "Resources of the trials": tuple(Resources.model_fields),
    "When the sweep or a trial is ended": tuple(Limits.model_fields),
    "What comes after the search": tuple(Finishing.model_fields),
    "Where things are": (*Places.model_fields, "sweeps_dir"),
}
