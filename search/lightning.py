"""Sweep any LightningModule: the module, its data and a space are all that is needed.

    from search.lightning import lightning_sweep

    sweep = lightning_sweep(MyModule, MyData, space=SPACE, metric="val_acc", max_epochs=20, trials=40)
    sweep.run()

A training function of one's own, which builds the module as it likes, calls `fit_trial`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from pydantic import ValidationError

from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.errors import UserError
from search.objective.module import module_place
from search.objective.reference import objective_reference
from search.policy.rehearsal import rehearse
from search.policy.settling import settled
from search.training.arguments import check_arguments
from search.training.fitting import fit_trial
from search.training.gpus import check_gpus
from search.training.settings import KEY, LightningSettings
from search.training.trainer_options import reports
from spaces.nearest import unknown
from spaces.registry import load_space, space_source
from spaces.space import SearchSpace

__all__ = ["LightningSweep", "fit_trial", "lightning_sweep"]


@dataclass(frozen=True)
class LightningSweep:
    """A sweep of a LightningModule, checked and ready to run.

    Example:
        >>> from search.lightning import lightning_sweep
        >>> from optuna.distributions import FloatDistribution
        >>> def module(lr): ...
        >>> space = {"lr": FloatDistribution(1e-4, 1.0, log=True)}
        >>> sweep = lightning_sweep(module, space=space, metric="val_acc", max_epochs=20, trials=40)
        >>> sweep.config.name, sweep.config.max_epochs
        ('module', 20)
    """

    config: SweepConfig

    def run(self, **options: Any) -> SweepResult:
        """Run it until its size is used up, from wherever it stands: see `run_sweep`."""
        return run_sweep(self.config, **options)


def lightning_sweep(
    module: Callable[..., Any],
    data: Callable[..., Any] | None = None,
    *,
    space: SearchSpace | Mapping[str, BaseDistribution],
    metric: str,
    max_epochs: int,
    callbacks: Callable[[], Any] | None = None,
    trainer: Mapping[str, Any] | None = None,
    checkpoint_every_n_epochs: int = 1,
    checkpoint_every: float | str | None = None,
    name: str | None = None,
    **fields: Any,
) -> LightningSweep:
    """A sweep whose trials are trainings of a LightningModule.

    A trial's parameters go to the `__init__` of the module and of the data by name. Either may also ask for
    `seed` and `max_epochs`. One epoch of the sweep is one that Lightning validates; all that is logged is
    reported with it.

    Args:
        module: the LightningModule's class, or a function that returns one; at the top of its module.
        data: the same of a LightningDataModule; None: the module has its own loaders.
        space: what is searched; ranges by name will do.
        metric: what is optimised; the module logs it in its validation.
        max_epochs: epochs of a training that is not stopped.
        callbacks: a function that returns a list of Lightning callbacks, made anew for each trial.
        trainer: options of Lightning's Trainer, such as `{"gradient_clip_val": 1.0}`.
        checkpoint_every_n_epochs: validated epochs between checkpoints.
        checkpoint_every: seconds between checkpoints, or a text such as `30s`.
        name: of the sweep; by default the module's, in small letters.
        fields: further fields of `SweepConfig`: the sweep's size, methods, resources and places.

    Raises:
        UserError: a parameter that neither takes, an option that the sweep decides, or a wrong field.
    """
    called = getattr(module, "__name__", type(module).__name__)
    try:
        settings = LightningSettings(
            max_epochs=max_epochs,
            data=None if data is None else objective_reference(data),
            callbacks=None if callbacks is None else objective_reference(callbacks),
            trainer=dict(trainer or {}),
            checkpoint_every_n_epochs=checkpoint_every_n_epochs,
            checkpoint_every=checkpoint_every,  # type: ignore[arg-type]  # read by the field
        )
        if not isinstance(space, SearchSpace):
            space = SearchSpace(name=called, description=f"What is searched of {called}.", parameters=space)
        sampler = fields.get("sampler")
        fields = {"enqueue": space.enqueued([], sampler), "prior": space.believed([], sampler), **fields}
        config = SweepConfig(
            name=called.lower() if name is None else name,
            space=space,
            objective=module,  # type: ignore[arg-type]  # read by the field
            objective_place=module_place(module.__module__),
            settings={KEY: settings.model_dump(mode="json")},
            paths=places(data, callbacks),
            metric=metric,
            max_epochs=reports(max_epochs, settings.trainer),
            **fields,
        )
    except ValidationError as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:
        raise error if isinstance(error, UserError) else UserError(str(error)) from error
    check_arguments([module] if data is None else [module, data], config.space)
    check_gpus(config)
    return LightningSweep(config)


def places(*makers: Callable[..., Any] | None) -> dict[str, str]:
    """Where the modules of a sweep's makers lie, by their names: a resume finds them there."""
    named = {objective_reference(maker): maker.__module__ for maker in makers if maker is not None}
    places = {name: module_place(module) for name, module in named.items()}
    return {name: place for name, place in places.items() if place is not None}


def named_sweep(
    module: str,
    data: str | None,
    *,
    space: str,
    callbacks: str | None,
    enqueue: Sequence[Mapping[str, str]],
    around: Sequence[Mapping[str, str]],
    max_epochs: int,
    metric: str,
    **fields: Any,
) -> LightningSweep:
    """A sweep whose module, data, callbacks and space are named, as on a command line.

    Args:
        module: `nets:Net`, in this folder or installed, or `path/to/nets.py:Net`.
        data: of the data module, likewise.
        space: name of a shipped space, or path of a Python file.
        callbacks: of the function that makes them, likewise.
        enqueue: what is to be tried first, as it was typed.
        around: what is believed to be good, as it was typed.
        max_epochs: as of `lightning_sweep`.
        metric: as of `lightning_sweep`.
        fields: as of `lightning_sweep`.

    Raises:
        UserError: something named is not there, or as of `lightning_sweep`.
    """
    try:
        searched = load_space(space)
        tried_first = searched.enqueued(enqueue, fields.get("sampler"))
        prior = searched.believed(around, fields.get("sampler"))
    except ValueError as error:
        raise UserError(one_line(error)) from error
    sweep = lightning_sweep(
        found_maker(module),
        None if data is None else found_maker(data),
        space=searched,
        callbacks=None if callbacks is None else found_maker(callbacks),
        max_epochs=max_epochs,
        metric=metric,
        enqueue=tried_first,
        prior=prior,
        space_source=space_source(space),
        **fields,
    )
    config = settled(sweep.config)
    rehearse(config)
    return LightningSweep(config)


def found_maker(reference: str) -> Callable[..., Any]:
    """The class or function that `nets:Net` or `path/to/nets.py:Net` names.

    Raises:
        UserError: its module cannot be imported, or has no such name.
    """
    place, _, name = reference.rpartition(":")
    file = Path(place).absolute() if place.endswith(".py") else None
    folder, module_name = (str(Path.cwd()), place) if file is None else (str(file.parent), file.stem)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # of whatever kind a user's module raises as it is imported
        raise UserError(
            f"{reference}: its module cannot be imported ({type(error).__name__}: {one_line(error)}): "
            "name it as nets:Net in the folder that holds nets.py, or as path/to/nets.py:Net; or mend it"
        ) from error
    known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
    if name not in known:
        raise UserError(f"{reference}: its module has no {unknown(name, known)}")
    found: Callable[..., Any] = getattr(module, name)
    return found
