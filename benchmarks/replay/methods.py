"""The search methods that are compared, by name."""

from __future__ import annotations

from optuna.pruners import MedianPruner
from optuna.samplers import GPSampler, TPESampler

from benchmarks.replay.earlier import Earlier
from benchmarks.replay.peers import OptunaAlone, SyneTune, hyperband, successive_halving
from benchmarks.replay.project import Project
from benchmarks.replay.simulation import Method

METHODS: dict[str, Method] = {
    "default": Project("tpe", None),  # before trials could be frozen
    "random": Project("random", "none"),
    "random + asha": Project("random", "asha"),
    "tpe + median": Project("tpe", "median"),
    "tpe + asha": Project("tpe", "asha"),
    "gp": Project("gp", None),
    "cmaes": Project("cmaes", None),
    "auto": Project("auto", "auto", told_budget=True),
    "auto, learning": Project("auto", "auto", told_budget=True, earlier=Earlier(sweeps=3)),
    "auto, learning from all": Project("auto", "auto", told_budget=True, earlier=Earlier(sweeps=None)),
    "auto, misled": Project("auto", "auto", told_budget=True, earlier=Earlier(sweeps=3, misleading=True)),
    "random + promotion": Project("random", "promotion", told_budget=True),
    "tpe + promotion": Project("tpe", "promotion", told_budget=True),
    "curves + promotion": Project("curves", "promotion", told_budget=True),
    "curves + hyperband": Project("curves", "hyperband", told_budget=True),
    "curves + asha": Project("curves", "asha", told_budget=True),
    "default, told its budget": Project("tpe", None, told_budget=True),
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
