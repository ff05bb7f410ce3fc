"""The study itself: made with the sweep's definition, or opened if it was made with the same one."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.mirror import StudyMirror
from search.study.promotion import Promotion


@dataclass(frozen=True)
class Policy:
    """What a study's trials are asked of and judged by.

    Example:
        >>> from optuna.pruners import NopPruner
        >>> from optuna.samplers import RandomSampler
        >>> policy = Policy(RandomSampler(seed=0), NopPruner())
    """

    sampler: BaseSampler
    pruner: BasePruner
    promotion: Promotion | None = None  # freezes trials at rungs and thaws them; None: no trial is frozen


def create_or_open(
    config: SweepConfig, storage: BaseStorage, policy: Policy
) -> tuple[optuna.Study, StudyMirror]:
    """The sweep's study, held in memory; one that is new gets the trials that the sweep begins with.

    Args:
        config: the sweep.
        storage: where its study lies.
        policy: what its trials are asked of and judged by.

    Raises:
        UserError: the study was made with another definition; shows the difference.
    """
    optuna.create_study(
        study_name=config.name, storage=storage, load_if_exists=True, direction=config.direction
    )
    mirror = StudyMirror(storage, config.name, config.space.parameters)
    study = optuna.load_study(study_name=config.name, storage=mirror, pruner=policy.pruner)
    study.sampler = policy.sampler
    attrs = study.user_attrs
    if "definition" in attrs:
        check_same_definition(config, attrs["definition"])
    else:
        for params in config.enqueue:
            study.enqueue_trial(params, skip_if_exists=True)  # a driver killed right here does it again
        study.set_user_attr("sweep_id", uuid.uuid4().hex)
        study.set_user_attr("definition", config.definition().to_json())
    if study.metric_names is None:  # nor have the studies of earlier versions
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([config.metric])  # what Optuna's dashboard calls the value
    return study, mirror


def check_same_definition(config: SweepConfig, recorded: Mapping[str, Any]) -> None:
    """Refuse to go on with a study that was made with another definition.

    Raises:
        UserError: they differ; shows in what. Or the study's is of a later version.
    """
    lines = config.definition().difference(recorded)
    if lines:
        raise UserError(
            f"sweep {config.name!r} was launched with another definition ({'; '.join(lines)}): "
            "undo the change, or launch it as a new sweep under another name"
        )
