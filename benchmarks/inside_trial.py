"""Images a second within one trial: as a sweep trains, a plain PyTorch loop, and as tutorials teach it.

    uv run python -m benchmarks.inside_trial --data-dir images

All three train the same network on the same images in one process, in turn, and each comes first once in
three repeats; each one's first epoch, which allocates and picks kernels, does not count. Ratios are taken
within a repeat, for a machine's speed drifts: their median, and from four repeats on their quartiles. How far
the tutorial is behind depends on the network: the smaller it is, the larger is the input pipeline's share. So
there are three, from the sweep's own space. `--networks recipe` is that of `spaces/fast.py`, which no
tutorial has.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks import raw
from benchmarks.peers import tutorial
from benchmarks.recipe import RECIPE
from benchmarks.work import Work
from cifar_cnn.data import prepare_data
from search.cifar.objective import train_reporting
from search.objective.context import TrialContext

EPOCHS = 3


class _Clock(pl.Callback):
    """Seconds of each epoch's training, without its validation."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.seconds.append(time.perf_counter() - self._began)


def by_trial(work: Work, params: dict[str, Any], threads: int) -> list[float]:
    """Images a second of each epoch in a trial of this project."""
    speeds = []
    with tempfile.TemporaryDirectory(prefix="inside-trial-") as scratch:
        context = TrialContext(
            max_epochs=EPOCHS,
            scratch=Path(scratch),
            on_report=lambda epoch, metrics, *_: speeds.append(metrics["images_per_s"]),
            settings={"data": work.data.model_dump(mode="json", exclude={"data_dir"})},
            paths={"data": work.data_dir},
            cpus=threads,
        )
        train_reporting(work.config(params), context)
    return speeds


def by_loop(work: Work, params: dict[str, Any], threads: int) -> list[float]:
    """The same in the plain loop."""
    torch.set_num_threads(threads)
    return [work.train_size / seconds for seconds, _ in raw.train(work.config(params), work.data, EPOCHS)]


def by_tutorial(work: Work, params: dict[str, Any], threads: int) -> list[float]:
    """The same as tutorials teach it."""
    clock = _Clock()
    with contextlib.redirect_stdout(sys.stderr):  # Lightning prints a summary of the model
        tutorial.fit(work, params, [clock], threads)
    return [work.train_size / seconds for seconds in clock.seconds]


WAYS: dict[str, Callable[[Work, dict[str, Any], int], list[float]]] = {
    "plain loop": by_loop,
    "trial": by_trial,
    "tutorial": by_tutorial,
}


def main() -> None:
    """Measure and print medians, spreads and the ratios to the plain loop and the tutorial."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--networks", nargs="+", default=["1x16", "2x32", "3x32"], help="DEPTHxWIDTH, or recipe"
    )
    parser.add_argument("--train-size", type=int, default=4000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inside-trial-") as folder:
        work = Work(
            str(arguments.data_dir.absolute()),
            folder,
            epochs=EPOCHS,
            train_size=arguments.train_size,
            val_size=arguments.train_size // 8,
        )
        prepare_data(work.data)
        print(
            "| network | threads | way | images/s (median, range) | of the plain loop | times the tutorial |"
        )
        print("|---|---|---|---|---|---|")
        for network in arguments.networks:
            for threads in arguments.threads:
                compare(network, work, threads, arguments.repeats)


def compare(network: str, work: Work, threads: int, repeats: int) -> None:
    """Measure one network at one number of threads and print a row for each way."""
    if network == "recipe":
        params, ways_of_it = dict(RECIPE), {name: WAYS[name] for name in ("plain loop", "trial")}
    else:
        depth, width = map(int, network.split("x"))
        params, ways_of_it = {"depth": depth, "width": width, "lr": 0.05}, WAYS
    measured: dict[str, list[float]] = {way: [] for way in ways_of_it}
    for repeat in range(repeats):
        print(f"{network}, {threads} threads, repeat {repeat}", file=sys.stderr, flush=True)
        ways = deque(ways_of_it.items())
        ways.rotate(repeat)  # what runs after another finds the processor warmer
        for way, measure in ways:
            measured[way].append(statistics.median(measure(work, params, threads)[1:]))
    for way, values in measured.items():
        of_tutorial = _ratio(values, measured["tutorial"]) if "tutorial" in measured else ""
        print(
            f"| {network} | {threads} | {way} "
            f"| {statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f}) | "
            f"{_ratio(values, measured['plain loop'])} | {of_tutorial} |",
            flush=True,
        )


def _ratio(speeds: list[float], others: list[float]) -> str:
    """Median of the ratios within the repeats, with their quartiles where these are of any use."""
    ratios = [speed / other for speed, other in zip(speeds, others, strict=True)]
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.2f}"
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{median:.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    main()
