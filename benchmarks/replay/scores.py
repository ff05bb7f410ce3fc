"""What a sweep was worth: regret along its budget, and how methods compare over tasks and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.replay.simulation import Run
from benchmarks.replay.tasks import Task

GRID = 100  # equal parts of the budget after which regret is kept
POINTS = (5, 20, 50, 100)  # per cent of the budget that tables show
_REPEATS = 2000  # of the bootstrap

Regrets = NDArray[np.float64]  # (tasks, seeds, GRID)


def score(task: Task, run: Run, *, workers: int, trainings: float) -> dict[str, Any]:
    """Regret after each part of the budget, as plain JSON.

    `seen` is that of the best value so far; `end` that of the last epoch of the configuration whose newest
    value is best; `complete` that of the best trial trained to its end, which is what a sweep returns. Those
    with `_s` go by time: the budget has as much of it as its epochs take if each takes the median.
    """
    values = np.where(np.isfinite(run.value), run.value, np.inf)
    whole = np.minimum.accumulate(np.where(np.array(run.epoch) == task.epochs, values, np.inf))
    kinds = {
        "seen": [task.goal.regret(v, end=False) for v in np.minimum.accumulate(values)],
        "end": [task.goal.regret(v, end=True) for v in _ends(run, values)],
        "complete": [task.goal.regret(v, end=True) for v in whole],
    }
    budget = round(trainings * task.epochs)
    by_epochs = np.minimum(np.ceil(np.arange(1, GRID + 1) * budget / GRID).astype(int), len(values)) - 1
    clock = np.arange(1, GRID + 1) / GRID * budget / workers
    by_time = np.searchsorted(run.clock, clock, side="right") - 1
    scores: dict[str, Any] = {}
    for kind, regrets in kinds.items():
        at = np.array(regrets)
        scores[kind] = at[by_epochs].round(6).tolist()
        scores[f"{kind}_s"] = np.where(by_time < 0, 1.0, at[by_time]).round(6).tolist()
    decisions, reports = 1e3 * np.array(run.decisions_s), 1e3 * np.array(run.reports_s)
    return scores | {
        "random_end": task.goal.regret(task.goal.random_end, end=True),
        "trials": len(run.ends),
        "complete_trials": int((np.array(run.epoch) == task.epochs).sum()),
        "diverged": int(np.isnan(run.value).sum()),
        "decision_ms": [round(float(np.quantile(decisions, q)), 3) for q in (0.5, 0.99)],
        "report_ms": [round(float(np.quantile(reports, q)), 3) for q in (0.5, 0.99)],
    }


def _ends(run: Run, values: NDArray[np.float64]) -> list[float]:
    """After each epoch: the end of the configuration whose newest value is best."""
    newest: dict[int, float] = {}
    ends = []
    for trial, value in zip(run.trial, values, strict=True):
        newest[trial] = float(value)
        ends.append(run.ends[min(newest, key=newest.__getitem__)])
    return ends


def budget_to_reach(ours: Regrets, goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the budget after which a method's mean regret is a goal's (tasks), by task; inf: never."""
    reached = ours.mean(1) <= goal[:, None] + 1e-9
    return np.where(reached.any(1), (reached.argmax(1) + 1) / GRID, np.inf)


def mean_ranks(regrets: dict[str, Regrets], point: int) -> dict[str, float]:
    """Each method's mean rank over tasks and seeds after `point` per cent of the budget, ties shared."""
    stacked = np.stack([each[:, :, point - 1] for each in regrets.values()])
    ranks = rankdata(stacked, axis=0).mean((1, 2))
    return {name: float(rank) for name, rank in zip(regrets, ranks, strict=True)}


def share_worse(ours: Regrets, base: Regrets) -> float:
    """Share of the tasks on which a method ends worse than the base by more than its seeds' noise.

    By more than noise: the 95% interval of the mean difference over seeds, drawn again, lies above 0.
    """
    rng, paired = np.random.default_rng(0), ours[:, :, -1] - base[:, :, -1]
    seeds = paired.shape[1]
    means = paired[:, rng.integers(seeds, size=(_REPEATS, seeds))].mean(2)
    return float((np.quantile(means, 0.025, axis=1) > 0).mean())


def difference(ours: Regrets, base: Regrets) -> tuple[float, float, float]:
    """Mean difference in regret at the end and its 95% interval, tasks and seeds within them drawn again."""
    rng, paired = np.random.default_rng(0), ours[:, :, -1] - base[:, :, -1]
    tasks, seeds = paired.shape
    means = [
        paired[rng.integers(tasks, size=tasks)][:, rng.integers(seeds, size=seeds)].mean()
        for _ in range(_REPEATS)
    ]
    return float(paired.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
