"""How many trials run at once, and on what: worked out from what is asked for and what there is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from search.config.resources import check_one_gpu
from search.config.sweep_config import SweepConfig
from search.errors import UserError

# More trials at a time than this gain little wall time, and each is sampled knowing less of the others.
_MOST_TRIALS_BY_DEFAULT = 8
_MOST_CPUS_PER_GPU_TRIAL = 4  # a trial on a GPU reads its data from GPU memory; more threads stay idle


@dataclass(frozen=True)
class Node:
    """A machine: this one, or one of a cluster. A trial runs on one of them.

    Example:
        >>> Node(cpus=8, gpus=1).gpus
        1
    """

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Placement:
    """What each trial gets, and how many may run at a time.

    Example:
        >>> Placement(cpus=2, gpus=0.5, concurrency=None).slots([Node(cpus=8, gpus=1)])
        2
    """

    cpus: float
    gpus: float
    concurrency: int | None  # the user's limit; None: as many as fit

    def slots(self, nodes: Sequence[Node]) -> int:
        """Trials that fit on these nodes at once, at least one while a node comes back."""
        fits = self.fits(nodes)
        return max(1, fits if self.concurrency is None else min(fits, self.concurrency))

    def fits(self, nodes: Sequence[Node]) -> int:
        """Trials that there is room for, whatever the user's limit."""
        return sum(self._fits_on(node) for node in nodes)

    def _fits_on(self, node: Node) -> int:
        fits = math.floor(node.cpus / self.cpus + 1e-9)
        return min(fits, _gpu_slots(self.gpus, node.gpus)) if self.gpus > 0 else fits

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.cpus:g} CPU{gpus} a trial"


def on_cluster(config: SweepConfig, nodes: Sequence[Node]) -> bool:
    """Whether trials may run on other machines: a caller may have joined a cluster before `run_sweep`."""
    return config.ray_address is not None or len(nodes) > 1


def plan_placement(config: SweepConfig, nodes: Sequence[Node]) -> Placement:
    """What each trial gets: one GPU if there are any, else a core group.

    Raises:
        UserError: a trial asks for more than a node has or it can use, or the concurrency cannot be held.
    """
    try:
        gpus = check_one_gpu(config.gpus_per_trial)
    except ValueError as error:
        raise UserError(f"`gpus_per_trial={config.gpus_per_trial:g}`: {error}") from error
    if gpus is None:
        gpus = 1.0 if any(node.gpus for node in nodes) else 0.0
    cpus = config.cpus_per_trial
    if cpus is None:
        cpus = _cpus_beside_gpus(gpus, nodes) if gpus else _core_group(config.concurrency, nodes)
    _check_amount("gpus_per_trial", gpus, "GPUs", [node.gpus for node in nodes], ", or 0 for CPUs")
    _check_amount("cpus_per_trial", cpus, "CPU cores", [node.cpus for node in nodes])
    placement = Placement(cpus, gpus, config.concurrency)
    total = f"{_total(n.cpus for n in nodes)} CPU cores and {_total(n.gpus for n in nodes)} GPUs"
    fits = placement.fits(nodes)
    if not fits:
        raise UserError(f"{placement}: no node has both, of {total} in all; ask for less a trial")
    # A cluster may grow; on one machine what does not fit now never will.
    if config.concurrency is not None and config.concurrency > fits and not on_cluster(config, nodes):
        raise UserError(
            f"`concurrency={config.concurrency}`: only {fits} at a time fit, with {placement}, on {total}; "
            "lower it, or what a trial gets"
        )
    return placement


def _check_amount(field: str, amount: float, what: str, held: Sequence[float], or_else: str = "") -> None:
    most = max(held, default=0.0)
    if amount > most:
        spread = f", {most:g} on one node at most" if len(held) > 1 else ""
        raise UserError(
            f"`{field}={amount:g}`: there are {_total(held)} {what}{spread}; "
            f"ask for {f'at most {most:g}' if most else 'none'}{or_else}"
        )


def _total(amounts: Iterable[float]) -> str:
    return f"{sum(amounts):g}"


def _cpus_beside_gpus(gpus: float, nodes: Sequence[Node]) -> float:
    """As many that every GPU of every node finds its cores, where that is possible."""
    shares = [node.cpus // slots for node in nodes if (slots := _gpu_slots(gpus, node.gpus))]
    return float(max(1, min([_MOST_CPUS_PER_GPU_TRIAL, *shares])))


def _core_group(concurrency: int | None, nodes: Sequence[Node]) -> float:
    """A share of all cores, that fits on a node."""
    share = sum(node.cpus for node in nodes) // (concurrency or _MOST_TRIALS_BY_DEFAULT)
    return float(max(1, min(share, max((node.cpus // 1 for node in nodes), default=1))))


def _gpu_slots(gpus: float, available: float) -> int:
    """A trial's share lies on one card: 0.4 fits twice on each, not five times on two."""
    return math.floor(1 / gpus + 1e-9) * math.floor(available)
