"""The sweep that the scripts launch: CIFAR-10 CNNs, from names on a command line to a `SweepConfig`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from pydantic import ValidationError

from cifar_cnn.config import DataConfig, TrainConfig
from search.config.definition import DatasetNote
from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.policy.rehearsal import rehearse
from search.policy.settling import settled
from search.study.creating import check_same_definition
from search.training.gpus import check_gpus
from spaces.registry import load_space, shipped_spaces, space_source
from spaces.space import SearchSpace

_logger = logging.getLogger(__name__)

OBJECTIVE = "search.cifar.objective:train_trial"
_PLACES = ("data_dir", "cache_dir")  # where images lie is no part of what they are
_SET_BY_SWEEP = ("max_epochs", "seed")  # the same for every trial, or its own; never searched


def data_config(
    dataset: str,
    data_dir: Path,
    train_size: int | None,
    val_size: int | None,
    skip_damaged: bool = False,
) -> DataConfig:
    """Which images a sweep trains on; the folder is made absolute, for workers run elsewhere.

    Raises:
        UserError: an unknown data set, a size that is not positive, or nothing that could be skipped.
    """
    try:
        return DataConfig.model_validate(
            {
                "dataset": dataset,
                "data_dir": data_dir.absolute(),
                "train_size": train_size,
                "val_size": val_size,
                "skip_damaged": skip_damaged,
            }
        )
    except ValidationError as error:
        raise UserError(one_line(error)) from error


def cifar_config(
    *,
    space: str,
    data: DataConfig,
    enqueue: Sequence[Mapping[str, str]] = (),
    around: Sequence[Mapping[str, str]] = (),
    **fields: Any,
) -> SweepConfig:
    """The configuration of a sweep of CNNs, everything in it checked, the data decoded and cached.

    Args:
        space: name of a shipped space, or path of a Python file.
        data: the images.
        enqueue: what is to be tried first, as it was typed.
        around: what is believed to be good, as it was typed.
        fields: further fields of `SweepConfig`.

    Raises:
        UserError: anything is wrong with the space, the data or a field. Nothing was started.
    """
    loaded = _load(space)
    _check_space(loaded)
    try:
        asked = SweepConfig(
            space=loaded,
            space_source=space_source(space),
            objective=OBJECTIVE,
            settings={"data": data_settings(data)},
            paths={"data": str(data.data_dir)},
            enqueue=loaded.enqueued(enqueue, fields.get("sampler")),
            prior=loaded.believed(around, fields.get("sampler")),
            **fields,
        )
    except ValidationError as error:
        raise UserError(one_line(error)) from error
    config = settled(asked)
    rehearse(config)
    check_gpus(config)
    return config.model_copy(update={"dataset": _note_at_launch(data)})


def data_settings(data: DataConfig) -> dict[str, Any]:
    """What the settings of a sweep of CNNs say of its images: all but where they lie."""
    settings = data.model_dump(mode="json", exclude=set(_PLACES))
    if not data.skip_damaged:
        del settings["skip_damaged"]  # sweeps from before there was a choice have the same definition
    return settings


def _note_at_launch(data: DataConfig) -> DatasetNote:
    from cifar_cnn.errors import DamagedImages

    try:
        return dataset_note(data)
    except UserError as error:
        if not isinstance(error.__cause__, DamagedImages):
            raise
        # Not so at a resume: what was launched without it cannot go on with it.
        raise UserError(
            f"{str(error).rstrip('.')}, or leave damaged images out with `skip_damaged`"
        ) from error


def data_of(config: SweepConfig) -> DataConfig:
    """The images that a sweep of CNNs trains on, where they lie on this machine.

    Raises:
        UserError: a folder cannot be called so.
    """
    try:
        return DataConfig(**config.settings["data"], data_dir=Path(config.paths["data"]))
    except ValidationError as error:
        raise UserError(one_line(error)) from error


def accelerator_of(config: SweepConfig) -> Literal["auto", "cpu"]:
    """Where this process evaluates a sweep's models: off the GPU if the sweep was kept off it."""
    return "cpu" if config.gpus_per_trial == 0 else "auto"


def dataset_note(data: DataConfig) -> DatasetNote:
    """Prepare the data and say what they are.

    Raises:
        UserError: they are missing, damaged, or fewer than asked for.
    """
    from cifar_cnn.errors import DataError
    from cifar_cnn.prepare import prepare_data  # loads numpy and pillow, which --help does without

    try:
        info = prepare_data(data)
    except DataError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(one_line(error)) from error
    sizes = {str(split): count for split, count in info.sizes.items()}
    digest = f"{info.fingerprint}-{info.split_digest}"
    return DatasetNote(name=info.dataset, digest=digest, sizes=sizes, classes=info.num_classes)


def check_unchanged(config: SweepConfig) -> None:
    """Before a resume: the space's file and the data must still be what the sweep was launched with.

    Raises:
        UserError: one of them has changed; shows the difference.
    """
    changes: dict[str, Any] = {}
    source = config.space_source
    if source is not None and source not in shipped_spaces() and not Path(source).exists():
        _logger.warning("space file %s is gone: continuing with the space as stored in the study", source)
    elif source is not None:
        changes["space"] = _load(source)
    if config.objective == OBJECTIVE:
        changes["dataset"] = _dataset_there(config)
    check_same_definition(config.model_copy(update=changes), config.definition().to_json())


def _dataset_there(config: SweepConfig) -> DatasetNote:
    try:
        return dataset_note(data_of(config))
    except UserError as error:
        raise UserError(
            f"{str(error).rstrip('.')}. If the images are elsewhere on this machine, give their folder "
            "with `data_dir`"
        ) from error


def sampled_configs(config: SweepConfig, count: int) -> list[TrainConfig]:
    """Configurations drawn at random from a sweep's space, for measuring what a typical trial costs."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=RandomSampler(seed=config.seed))
    drawn = (dict(config.space.suggest(study.ask())) for _ in range(count))
    return [_configuration(config.space, values, config.max_epochs) for values in drawn]


def largest_configs(space: SearchSpace, max_epochs: int) -> list[TrainConfig]:
    """Configurations with every number at its largest, one for each optimizer of the space."""
    largest = {name: max(_ends(space, name), key=_size) for name in space.parameters}
    if "optimizer" not in space.parameters:
        return [_configuration(space, largest, max_epochs)]
    optimizers = _ends(space, "optimizer")
    return [_configuration(space, {**largest, "optimizer": name}, max_epochs) for name in optimizers]


def _load(reference: str) -> SearchSpace:
    try:
        return load_space(reference)
    except ValueError as error:
        raise UserError(one_line(error)) from error


def _check_space(space: SearchSpace) -> None:
    known = [name for name in TrainConfig.model_fields if name not in _SET_BY_SWEEP]
    try:
        space.validate(known)
    except ValueError as error:
        raise UserError(one_line(error)) from error
    # What TrainConfig would refuse in the middle of a sweep is refused now: each end of each range.
    first = {name: _ends(space, name)[0] for name in space.parameters}
    for name in space.parameters:
        for value in _ends(space, name):
            _configuration(space, {**first, name: value}, max_epochs=1)
    largest_configs(space, max_epochs=1)  # what each allows may not go together


def _configuration(space: SearchSpace, values: dict[str, Any], max_epochs: int) -> TrainConfig:
    try:
        return TrainConfig(**{**space.fixed, **values, "max_epochs": max_epochs})
    except ValidationError as error:
        raise UserError(f"space {space.name!r} goes where no network can: {one_line(error)}") from error


def _ends(space: SearchSpace, name: str) -> list[Any]:
    distribution = space.parameters[name]
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return [distribution.low, distribution.high]


def _size(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
