"""The sampler and the pruner of a sweep, made from its configuration."""

from __future__ import annotations

from optuna.pruners import NopPruner

from search.config.sweep_config import SweepConfig
from search.policy.curves.prediction import CurvePredictor
from search.policy.freezing import Freezing
from search.policy.promotion import CappedPromotion
from search.policy.pruners import make_pruner
from search.policy.racing import RACE, Race, RaceSampler, Racing
from search.policy.samplers import make_sampler
from search.study.creating import Policy


def make_policy(config: SweepConfig) -> Policy:
    """What a sweep asks its trials of and judges them by.

    Raises:
        UserError: an unknown name or argument.
    """
    if config.kind == "confirm" and config.sampler == RACE:
        race = Race.of(config)
        return Policy(RaceSampler(race), NopPruner(), Racing(race))
    sampler = make_sampler(
        config.sampler,
        config.space,
        config.seed,
        config.max_epochs,
        args=config.sampler_args,
        prior=config.prior,
    )
    pruner = make_pruner(config.pruner, config.max_epochs, config.goal, config.pruner_args, config.classes)
    if not isinstance(pruner, Freezing):
        return Policy(sampler, pruner)
    predictor = None
    if config.sampler == "curves":
        predictor = CurvePredictor(config.space, config.max_epochs, config.goal)
    return Policy(sampler, pruner, CappedPromotion(pruner, config.max_epochs, config.goal, predictor))
