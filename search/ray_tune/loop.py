"""Ray Tune's loop, run until the dispatcher has nothing more to hand out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import ray
from ray import tune

from search.engine.dispatch import Dispatcher
from search.engine.messages import WorkerSpec
from search.engine.worker import make_trainable
from search.errors import SweepFailed
from search.ray_tune.placement import Node, Placement
from search.ray_tune.scheduler import LedgerScheduler, SweepStopper
from search.ray_tune.searcher import LedgerSearcher

# Ray keeps every trial it has seen, and goes through them again and again (ray#64231); a fresh Tuner
# forgets them, for the seconds that the slots take to run dry and the workers to start anew.
TRIALS_A_TUNER = 1000
_NODES_AGE_S = 5.0  # how old the list of a cluster's nodes may be


def run_tune(dispatcher: Dispatcher, spec: WorkerSpec, folder: Path) -> None:
    """Run trials until the dispatcher is done.

    Raises:
        SweepFailed: Ray failed.
        Exception: whatever went wrong in the dispatcher.
    """
    while not dispatcher.done:
        tuner = _tuner(dispatcher, spec, folder)
        try:
            tuner.fit()
        except Exception as error:  # of any kind: it is raised on, as what it was
            # Ray wraps whatever its callbacks raise, in text; the dispatcher remembers the real one, which
            # has a cause of its own.
            if dispatcher.fault:
                raise dispatcher.fault  # noqa: B904
            raise SweepFailed(f"Ray failed: {' '.join(str(error).split())}") from error
        if dispatcher.fault:
            raise dispatcher.fault
        if dispatcher.abandon:
            return
        if dispatcher.busy:
            raise SweepFailed("Ray stopped by itself with trials running")


def nodes() -> list[Node]:
    """What Ray knows of now: the nodes that are up, with their CPU cores and GPUs."""
    up = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Node(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in up]


def slots(placement: Placement) -> Callable[[], int]:
    """How many trials fit at the moment; looked up now and then, for nodes come and go."""
    known, looked_at = placement.slots(nodes()), time.monotonic()

    def count() -> int:
        nonlocal known, looked_at
        if time.monotonic() - looked_at > _NODES_AGE_S:
            known, looked_at = placement.slots(nodes()), time.monotonic()
        return known

    return count


def _tuner(dispatcher: Dispatcher, spec: WorkerSpec, folder: Path) -> tune.Tuner:
    scheduler = LedgerScheduler(dispatcher)
    return tune.Tuner(
        tune.with_resources(make_trainable(spec), {"cpu": spec.cpus, "gpu": spec.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(dispatcher, scheduler, TRIALS_A_TUNER),
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            stop=SweepStopper(dispatcher, scheduler),
            failure_config=tune.FailureConfig(max_failures=0),  # the dispatcher hands lost trials out again
            # Silent; the one that Ray takes in a notebook clears what the cell has shown.
            verbose=0,
            progress_reporter=tune.CLIReporter(),
        ),
    )
