"""What tests of whole sweeps share: one local Ray, one MLflow store, and configurations."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from search.config.sweep_config import SweepConfig
from spaces.space import SearchSpace

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when MLflow is first used; tests need no network

GPUS = 4  # logical ones: Ray counts them and hands them out, nobody touches a card
CURVES = SearchSpace(
    name="curves",
    description="What scripted learning curves depend on.",
    parameters={"rate": FloatDistribution(1e-3, 1.0, log=True), "depth": IntDistribution(1, 4)},
    fixed={"optimizer": "sgd"},
)
EXAMPLES = Path(__file__).parents[2] / "examples"
# Workers find the objectives, and are not starved by whatever else a busy machine does.
FOR_WORKERS = {"PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{EXAMPLES}", "RAY_worker_niceness": "0"}
MakeSweep = Callable[..., SweepConfig]


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray with four CPUs and four logical GPUs, which `run_sweep` finds started."""
    import ray

    if ray.is_initialized():
        yield
        return
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets in it: the path has to be short
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FOR_WORKERS.items():
            patch.setenv(name, value)
        ray.init(
            address="local",
            num_cpus=4,
            num_gpus=GPUS,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An MLflow store for all tests: a fresh one takes seconds to make, and sweeps tell theirs by an id."""
    return f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'mlflow.db'}"


@pytest.fixture
def make_sweep(tmp_path: Path, tracking_uri: str, local_ray: None) -> MakeSweep:
    """Configurations of scripted sweeps in `tmp_path`, to be run on the local Ray."""
    return functools.partial(scripted_sweep, sweeps_dir=tmp_path / "sweeps", tracking_uri=tracking_uri)


def scripted_sweep(**fields: Any) -> SweepConfig:
    """A sweep of 6 trials of 4 epochs, one after another; all of that can be given otherwise."""
    defaults: dict[str, Any] = {
        "name": "try",
        "space": CURVES,
        "objective": "scripted:learn",
        "max_epochs": 4,
        "trials": 6,
        "sampler": "random",
        "pruner": "none",
        "cpus_per_trial": 1,
        "gpus_per_trial": 0,
        "concurrency": 1,
    }
    return SweepConfig(**{**defaults, **fields})
