"""How many trials run at once, and on what: worked out from what is asked for and what there is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search.config import SweepConfig
from search.errors import UserError

# More trials at a time than this gain little wall time, and each is sampled knowing less of the others.
_MOST_TRIALS_BY_DEFAULT = 8
_MOST_CPUS_PER_GPU_TRIAL = 4  # a trial on a GPU reads its data from GPU memory; more threads stay idle


@dataclass(frozen=True)
class Placement:
    """What each trial gets, and how many may run at a time."""

    cpus: float
    gpus: float
    concurrency: int | None  # the user's limit; None: as many as fit

    def slots(self, total_cpus: float, total_gpus: float) -> int:
        """Trials that fit into these resources at once, at least one while a node comes back."""
        fits = math.floor(total_cpus / self.cpus + 1e-9)
        if self.gpus > 0:
            fits = min(fits, _gpu_slots(self.gpus, total_gpus))
        return max(1, fits if self.concurrency is None else min(fits, self.concurrency))

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.cpus:g} CPU{gpus} a trial"


def plan_placement(config: SweepConfig, total_cpus: float, total_gpus: float) -> Placement:
    """What each trial gets: one GPU if there are any, else a core group.

    Raises:
        UserError: a trial asks for more than there is, or the concurrency cannot be held.
    """
    gpus = config.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if total_gpus else 0.0
    cpus = config.cpus_per_trial
    if cpus is None:
        cpus = _default_cpus(total_cpus, _gpu_slots(gpus, total_gpus) if gpus else 0, config.concurrency)
    if gpus > total_gpus:
        raise UserError(
            f"--gpus-per-trial {gpus:g}: there are {total_gpus:g} GPUs; ask for at most that, or 0 for CPUs"
        )
    if cpus > total_cpus:
        raise UserError(
            f"--cpus-per-trial {cpus:g}: there are {total_cpus:g} CPU cores; ask for at most that"
        )
    placement = Placement(cpus, gpus, config.concurrency)
    fits = Placement(cpus, gpus, None).slots(total_cpus, total_gpus)
    # A cluster may grow; on one machine what does not fit now never will.
    if config.concurrency is not None and config.concurrency > fits and config.ray_address is None:
        raise UserError(
            f"--concurrency {config.concurrency}: only {fits} at a time fit, with {placement}, on "
            f"{total_cpus:g} CPU cores and {total_gpus:g} GPUs; lower it, or what a trial gets"
        )
    return placement


def _default_cpus(total_cpus: float, gpu_trials: int, concurrency: int | None) -> float:
    if gpu_trials:
        return float(max(1, min(_MOST_CPUS_PER_GPU_TRIAL, total_cpus // gpu_trials)))
    return float(max(1, total_cpus // (concurrency or _MOST_TRIALS_BY_DEFAULT)))


def _gpu_slots(gpus: float, total_gpus: float) -> int:
    """A trial's share lies on one card: 0.4 fits twice on each, not five times on two."""
    if gpus < 1:
        return math.floor(1 / gpus + 1e-9) * math.floor(total_gpus)
    return math.floor(total_gpus / gpus)
