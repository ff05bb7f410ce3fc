"""LCBench (Zimmer et al. 2021, arXiv:2006.13799) by YAHPO Gym's surrogate: curves of any configuration."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, IntDistribution

from benchmarks.replay.tasks import Goal, Range, best_of_random, thinned, value_at
from cifar_cnn.files import write_atomically
from spaces.space import SearchSpace

MODEL = "lcbench.onnx"
_RECORDED = 51  # epochs 2 to 52; the first of 52 is a model before training
_BEGINS_AT = 2
# In the order of the surrogate's inputs.
_RANGES: dict[str, Range] = {
    "batch_size": IntDistribution(16, 512, log=True),
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "momentum": FloatDistribution(0.1, 0.99),
    "weight_decay": FloatDistribution(1e-5, 1e-1),
    "num_layers": IntDistribution(1, 5),
    "max_units": IntDistribution(64, 1024, log=True),
    "max_dropout": FloatDistribution(0.0, 1.0),
}
_SAMPLE = 4000  # random configurations from which the search for the best one begins
_HEAD = 5  # epochs that are asked for at first: most trials get no further
_WIDTHS = (0.15, 0.08, 0.04, 0.02, 0.01)  # of the steps around the best ones


class Surrogate:
    """A task of LCBench: error rate after each epoch, and its seconds.

    Args:
        folder: that holds the model and its encoding.
        instance: an OpenML task's id.
        epochs: of a whole training; curves are thinned to as many points. None: all that there are.
        cache: folder in which the best value known is kept, which takes seconds to find.
    """

    discrete = False

    def __init__(self, folder: Path, instance: str, epochs: int | None = None, *, cache: Path) -> None:
        self.name = f"lcbench:{instance}"
        self.epochs = epochs or _RECORDED
        self.space = SearchSpace(name="lcbench", description="LCBench's parameters.", parameters=_RANGES)
        self._model, self._code = _model(folder), _codes(folder)[instance]
        self.at = thinned(self.epochs, _RECORDED)
        file = cache / f"lcbench-{instance}.json"
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(self._explore()))
        known = json.loads(file.read_text())
        best = np.array(known["best"])[:, self.at]
        self.goal = Goal(
            best=float(best.min()),
            best_end=float(best[:, -1].min()),
            first=known["first"][int(self.at[0])],
            random_end=known["random_end"],
        )
        self._second = float(known["second"])

    def session(self) -> _SurrogateSession:
        """The task with nothing asked for yet."""
        return _SurrogateSession(self)

    def infer(self, rows: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
        """(rows, positions of epochs, [seconds so far, error rate])."""
        count, epochs = len(rows), at + _BEGINS_AT
        inputs = np.concatenate([np.tile(epochs, count)[:, None], np.repeat(rows, len(at), 0)], 1)
        code = np.full((len(inputs), 1), self._code, np.int32)
        feed = {"x_cat": code, "x_cont": inputs.astype(np.float32)}
        out = self._model.run(None, feed)[0]
        return np.stack([out[:, 0], 1 - out[:, 1] / 100], 1).reshape(count, len(at), 2).astype(np.float64)

    def seconds_of_epoch(self, first: float, last: float, epochs: int) -> float:
        """From the seconds after two epochs; the median configuration's is 1, extremes are cut."""
        return float(np.clip((last - first) / epochs / self._second, 0.1, 10.0))

    def _explore(self) -> dict[str, Any]:
        """The best curves that random search and narrowing steps around the best find, and typical values."""
        rng, end = np.random.default_rng(0), np.array([_RECORDED - 1])
        units = rng.random((_SAMPLE, len(_RANGES)))
        ends = self.infer(_rows(units), end)[:, 0, 1]
        random_end = best_of_random(ends)
        sample = self.infer(_rows(units[:300]), np.arange(_RECORDED))
        for width in _WIDTHS:
            best = np.repeat(units[np.argsort(ends)[:40]], 25, 0)
            near = np.clip(best + width * rng.standard_normal(best.shape), 0, 1)
            units, ends = np.concatenate([units, near]), np.r_[ends, self.infer(_rows(near), end)[:, 0, 1]]
        curves = self.infer(_rows(units[np.argsort(ends)[:40]]), np.arange(_RECORDED))[:, :, 1]
        seconds = (sample[:, -1, 0] - sample[:, 0, 0]) / (_RECORDED - 1)
        return {
            "best": np.concatenate([curves, sample[np.argsort(sample[:, :, 1].min(1))[:10], :, 1]]).tolist(),
            "first": np.median(sample[:, :, 1], 0).tolist(),
            "random_end": random_end,
            "second": float(np.median(np.maximum(seconds, 1e-6))),
        }


class _SurrogateSession:
    def __init__(self, task: Surrogate) -> None:
        self._task = task
        self._rows: dict[int, NDArray[np.float64]] = {}
        self._values: dict[int, NDArray[np.float64]] = {}  # of the first epochs, or of all
        self._ends: dict[int, float] = {}
        self._seconds: dict[int, float] = {}

    def had(self, number: int, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """The wish itself: any configuration is to be had."""
        if number not in self._rows:
            self._rows[number] = row = np.array([[float(wish[name]) for name in _RANGES]])
            out = self._task.infer(row, np.array([*self._task.at[:_HEAD], _RECORDED - 1]))[0]
            recorded = max(1, _RECORDED - 1 - int(self._task.at[0]))
            self._seconds[number] = self._task.seconds_of_epoch(out[0, 0], out[-1, 0], recorded)
            self._values[number], self._ends[number] = out[:-1, 1], float(out[-1, 1])
        return wish

    def value(self, number: int, epoch: int) -> float:
        """By the surrogate."""
        if epoch > len(self._values[number]):
            self._values[number] = self._task.infer(self._rows[number], self._task.at)[0, :, 1]
        return float(self._values[number][epoch - 1])

    def end(self, number: int) -> float:
        """By the surrogate."""
        return self._ends[number]

    def seconds(self, number: int) -> float:
        """The mean over the recorded epochs."""
        return self._seconds[number]


def instances(folder: Path) -> list[str]:
    """The OpenML tasks that a folder's surrogate was made for, by number; none without a surrogate."""
    if not (folder / MODEL).exists():
        return []
    space = json.loads((folder / "lcbench_config_space.json").read_text())
    tasks = next(each for each in space["hyperparameters"] if each["name"] == "OpenML_task_id")
    return sorted(tasks["choices"], key=int)


def _rows(units: NDArray[np.float64]) -> NDArray[np.float64]:
    ranges = list(_RANGES.values())
    return np.array([[value_at(each, at) for each, at in zip(ranges, row, strict=True)] for row in units])


@functools.cache
def _codes(folder: Path) -> dict[str, int]:
    codes: dict[str, int] = json.loads((folder / "lcbench_encoding.json").read_text())["OpenML_task_id"]
    return codes


@functools.cache
def _model(folder: Path) -> Any:
    import onnxruntime  # part of no other benchmark: `uv run --with onnxruntime`

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / MODEL), options)
