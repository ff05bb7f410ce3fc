"""How much of the slots' time stands idle in a sweep, with and without asking for its last trials together.

    uv run python -m benchmarks.tail --repeats 100

The real dispatcher hands out trials whose epochs take as long as their depth and width would have it, in
simulated time; two thirds of them end after one to three of their six epochs, as if they were pruned.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import tempfile
from pathlib import Path

import optuna
from optuna.storages import InMemoryStorage

from benchmarks.work import PARAMETERS
from search.config.sweep_config import SweepConfig
from search.engine import asking
from search.engine.dispatch import Dispatcher
from search.engine.messages import Message
from search.policy.making import make_policy
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import Epoch
from spaces.space import SearchSpace

SPACE = SearchSpace(name="tail", description="The work of the benchmarks.", parameters=PARAMETERS)
SIZES = ((16, 2), (60, 2), (60, 4), (60, 8), (200, 8))
EPOCHS = 6


def idle_share(trials: int, slots: int, seed: int, folder: Path) -> float:
    """Share of the slots' time, from the first trial's start to the last one's end, without a trial."""
    config = SweepConfig(
        name="tail",
        space=SPACE,
        objective="nobody:calls",
        max_epochs=EPOCHS,
        trials=trials,
        sampler="random",
        seed=seed,
        pruner="none",
        sweeps_dir=folder,
    )
    rng, now = random.Random(seed), 0.0
    dispatcher = Dispatcher(
        Ledger.open(config, InMemoryStorage(), make_policy(config)),
        config,
        CheckpointStore(str(folder)),
        lambda: slots,
        clock=lambda: now,
    )
    running: list[tuple[float, str, tuple[Epoch, ...]]] = []
    busy, count = 0.0, 0
    while not dispatcher.done:
        while (given := dispatcher.next(f"attempt-{count}")) is not None:
            cost = 0.3 + 0.7 * (given.params["width"] / 32) ** 1.3 * (0.55 + 0.45 * given.params["depth"])
            epochs = EPOCHS if rng.random() < 0.35 else rng.choice([1, 1, 2, 3])
            metrics = {"val_acc": 0.5, "epoch_s": cost}
            history = tuple(Epoch(n, metrics, 0, "host:1") for n in range(1, epochs + 1))
            heapq.heappush(running, (now + cost * epochs, f"attempt-{count}", history))
            busy += cost * epochs
            count += 1
        now, attempt, history = heapq.heappop(running)
        dispatcher.receive(attempt, Message(epochs=history))
        dispatcher.receive(attempt, Message(finished=True))
        dispatcher.ended(attempt)
    return 1 - busy / (slots * now)


def main() -> None:
    """Simulate each size both ways and print the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    together = asking.LAST_ROUNDS
    print("| trials, slots | one by one | the last together, longest first |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="tail-") as folder:
        for trials, slots in SIZES:
            means = []
            for rounds in (0, together):
                asking.LAST_ROUNDS = rounds
                shares = [idle_share(trials, slots, seed, Path(folder)) for seed in range(arguments.repeats)]
                means.append(f"{statistics.mean(shares):.1%}")
            print(f"| {trials}, {slots} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
