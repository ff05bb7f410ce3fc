"""What a sweep will do and cost, worked out before anything starts."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil  # type: ignore[import-untyped]

from cifar_cnn.cores import usable_cores
from search.cifar.sweep import largest_configs, sampled_configs
from search.config.definition import DatasetNote
from search.config.finishing import MOST_TRAININGS
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.finishing import shared_out
from search.ray_tune.placement import Node, Placement, on_cluster, plan_placement
from search.results.digits import human_seconds

_PROBED_CONFIGS = 3  # sampled configurations whose speed is measured
_FORWARD_SHARE = 1 / 3  # of a training step; what validating an image costs


@dataclass(frozen=True)
class Cost:
    """What a sweep of CNNs costs, measured on this machine.

    Example:
        >>> Cost(900.0, seconds=120.0, largest_bytes=1, available_bytes=2).seconds
        120.0
    """

    images_per_s: float  # of one trial, mean over sampled configurations
    seconds: float  # wall time of the whole sweep: of its budget of epochs, or if no trial is pruned
    largest_bytes: int  # what training the largest model takes, without data and libraries
    available_bytes: int | None  # None: it is the cluster's nodes' memory, which is not known here

    def lines(self, config: SweepConfig) -> list[tuple[str, str]]:
        """The cost as headings and texts to print."""
        free = "an unknown amount" if self.available_bytes is None else _gigabytes(self.available_bytes)
        if_whole = "" if config.trials is None else " if nothing is pruned"
        return [
            ("memory", f"{_gigabytes(self.largest_bytes)} for the largest model, {free} free"),
            ("speed", f"about {self.images_per_s:,.0f} images/s a trial, measured here"),
            ("time", f"about {human_seconds(self.seconds)}{if_whole}, and some 15 s of start"),
        ]


@dataclass(frozen=True)
class Plan:
    """A sweep's plan.

    Example:
        >>> placement = Placement(cpus=2, gpus=0, concurrency=None)
        >>> plan = Plan(placement, 4, Cost(900.0, seconds=120.0, largest_bytes=1, available_bytes=2))
        >>> f"{plan.slots} at a time, {plan.placement}"
        '4 at a time, 2 CPU a trial'
    """

    placement: Placement
    slots: int
    cost: Cost | None  # None: of a module that this project does not know

    def lines(self, config: SweepConfig) -> list[tuple[str, str]]:
        """The plan as headings and texts to print."""
        space = [f"{name}: {text}" for name, text in config.space.describe()]
        return [
            ("sweep", f"{config.name}: {config.size_text}"),
            *budgets(config),
            ("trains", _trained(config)),
            ("sampler", config.sampler),
            ("pruner", config.pruner),
            *zip(["space"] + [""] * (len(space) - 1), space, strict=True),
            *_seeds(config),
            *_headed("first", config.enqueue),
            *_headed("near", config.prior),
            ("placement", f"{self.slots} at a time, {self.placement}"),
            *(self.cost.lines(config) if self.cost else []),
        ]


def budgets(config: SweepConfig) -> list[tuple[str, str]]:
    """What a sweep may take besides its size, and what is kept back to finish, as headings and texts."""
    share = config.kept_share
    given: list[tuple[str, str]] = []  # the whole of each budget, and the part that is kept back
    if config.finish and config.whole_epochs is not None:
        given.append((f"{config.whole_epochs} epochs", f"{config.kept_epochs} epochs"))
    for hours, unit in ((config.core_hours, "core-hours"), (config.gpu_hours, "GPU-hours")):
        if hours is not None:
            given.append((f"{hours:g} {unit}", f"{share * hours:.3g} {unit}"))
    if (time := config.time_budget) is not None:
        given.append((human_seconds(time), human_seconds(share * time)))
    whole, kept = (", ".join(texts) for texts in zip(*given, strict=True)) if given else ("", "nothing")
    lines = [("budget", whole)] if given else []
    if config.finish:
        trainings = config.kept_epochs // config.max_epochs if config.kept_epochs else MOST_TRAININGS
        finalists, confirmations, again = shared_out(trainings)
        confirm = f"confirm {finalists} finalists with up to {confirmations} seeds, " if confirmations else ""
        lines.append(("kept back", f"{kept}, to {confirm}retrain x {again} at most"))
    return lines


def plan_sweep(config: SweepConfig) -> Plan:
    """Check placement and, of CNNs, memory; measure the speed of a few of these, and work the time out.

    On a cluster placement goes by its resources, memory is not checked, and speed is this machine's.

    Raises:
        UserError: a trial, or all that run at once, do not fit.
    """
    nodes = _nodes(config)
    placement = plan_placement(config, nodes)
    slots = min(placement.slots(nodes), config.most_trials)
    cost = None if config.dataset is None else _cost(config, config.dataset, placement, slots, nodes)
    return Plan(placement, slots, cost)


def _cost(
    config: SweepConfig, dataset: DatasetNote, placement: Placement, slots: int, nodes: list[Node]
) -> Cost:
    from cifar_cnn.model import estimate_memory_bytes
    from cifar_cnn.probe import training_images_per_s

    classes = dataset.classes
    largest = max(estimate_memory_bytes(c, classes) for c in largest_configs(config.space, config.max_epochs))
    available = None if on_cluster(config, nodes) else _check_memory(config, placement, slots, largest)
    measure = partial(
        training_images_per_s,
        num_classes=classes,
        threads=max(1, int(placement.cpus)),
        accelerator="auto" if placement.gpus else "cpu",
    )
    speed = statistics.harmonic_mean(map(measure, sampled_configs(config, _PROBED_CONFIGS)))
    images = dataset.sizes["train"] + _FORWARD_SHARE * dataset.sizes["val"]
    epochs = min(config.budget_epochs or math.inf, config.max_epochs * config.most_trials)
    return Cost(speed, images / speed * epochs / slots, largest, available)


def _seeds(config: SweepConfig) -> list[tuple[str, str]]:
    """That a small space is drawn from more than once; a grid is not."""
    size = config.space.size()
    if size is None or config.sampler == "grid" or config.most_trials <= size:
        return []
    return [("", f"{size} configurations: one that is drawn again is another seed of it")]


def _trained(config: SweepConfig) -> str:
    if config.dataset is None:
        return config.objective
    sizes = ", ".join(f"{count:,} {split}" for split, count in config.dataset.sizes.items())
    return f"CNNs on {config.dataset.name}: {sizes} (a sweep does not read test)"


def _check_memory(config: SweepConfig, placement: Placement, slots: int, largest: int) -> int | None:
    """The memory that trials share, on the GPU or the host, having checked that the largest model fits.

    None if it is not known: a Ray that the caller has started may count GPUs that are not there.
    """
    sharing: float = slots
    available: int | None = _host_bytes()
    if placement.gpus:
        sharing, available = 1 / placement.gpus, _gpu_bytes()
    if available is None:
        return None
    if largest * sharing > available:
        raise UserError(
            f"space {config.space.name!r}: its largest model takes {_gigabytes(largest)} to train, "
            f"{sharing:g} share {_gigabytes(available)}: "
            "narrow its width, depth or batch_size, or run fewer at a time"
        )
    return available


def _nodes(config: SweepConfig) -> list[Node]:
    """This machine, or the cluster that the sweep is to run on, which the caller may have joined already."""
    ray = sys.modules.get("ray")
    if config.ray_address is None and not (ray and ray.is_initialized()):
        import torch

        return [Node(usable_cores(), torch.cuda.device_count())]
    from search.ray_tune.loop import nodes
    from search.ray_tune.session import ray_session

    with ray_session(config):
        return nodes()


def _host_bytes() -> int:
    """Memory that could be had now, the page cache's included."""
    return int(psutil.virtual_memory().available)


def _gpu_bytes() -> int | None:
    import torch

    if not torch.cuda.is_available():
        return None
    free, _ = torch.cuda.mem_get_info(0)
    return int(free)


def _headed(heading: str, configurations: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [("" if n else heading, _described(params)) for n, params in enumerate(configurations)]


def _described(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size > 1e8 else f"{size / 1e6:.0f} MB"
