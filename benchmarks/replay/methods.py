"""The search methods that are compared, by name."""

from __future__ import annotations

from optuna.pruners import MedianPruner
from optuna.samplers import GPSampler, TPESampler

from benchmarks.replay.peers import OptunaAlone, SyneTune, hyperband, successive_halving
from benchmarks.replay.project import Project
from benchmarks.replay.simulation import Method

METHODS: dict[str, Method] = {
    "default": Project({"sampler": "tpe", "pruner": "auto"}),
    "random": Project({"sampler": "random", "pruner": "none"}),
    "random + asha": Project({"sampler": "random", "pruner": "asha"}),
    "tpe + median": Project({"sampler": "tpe", "pruner": "median"}),
    "tpe + asha": Project({"sampler": "tpe", "pruner": "asha"}),
    "gp": Project({"sampler": "gp", "pruner": "auto"}),
    # Other tools.
    "optuna: tpe + hyperband": OptunaAlone(lambda seed: TPESampler(seed=seed), hyperband),
    "optuna: tpe + halving": OptunaAlone(lambda seed: TPESampler(seed=seed), successive_halving),
    "optuna: tpe + median": OptunaAlone(lambda seed: TPESampler(seed=seed), lambda _: MedianPruner()),
    "optuna: gp + hyperband": OptunaAlone(lambda seed: GPSampler(seed=seed), hyperband),
    "syne tune: asha": SyneTune("ASHA"),
    "syne tune: asha-cqr": SyneTune("ASHACQR"),
    "syne tune: asha-bore": SyneTune("ASHABORE"),
    "syne tune: bohb": SyneTune("BOHB"),
}
