"""Nodes of a real Ray cluster that are lost, that join, and that do not share the checkpoints."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from fault_tools import PYTHONPATH, Toll, driver, logged_sweep
from optuna.trial import TrialState
from processes import ROOT, Script
from ray.cluster_utils import Cluster

import search.ray_tune.shared_folder
from search.errors import UserError
from search.ray_tune.shared_folder import check_nodes_share

TRIALS, EPOCHS = 14, 5
# Ray's own thirty seconds to give a silent node up, shortened; one that is killed is noticed sooner.
NOTICING = {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "4"}
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head without CPUs, where nothing is trained, and no other node yet."""
    had_folder = Path("/tmp/ray").exists()
    for name, value in {**NOTICING, "PYTHONPATH": PYTHONPATH, "RAY_worker_niceness": "0"}.items():
        monkeypatch.setenv(name, value)
    running = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    session = Path(running.head_node.get_session_dir_path())
    yield running
    running.shutdown()
    shutil.rmtree(session, ignore_errors=True)
    if not had_folder:
        shutil.rmtree("/tmp/ray", ignore_errors=True)


def nodes_used(folder: Path) -> list[tuple[int, str]]:
    """Trial and node of every attempt so far."""
    found = [(int(file.name.split("-")[0]), file.read_text()) for file in folder.iterdir()]
    return sorted(found)


@pytest.mark.slow
def test_a_lost_nodes_trials_go_on_elsewhere_and_a_new_node_is_used(
    cluster: Cluster, tmp_path: Path, tracking_uri: str
) -> None:
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        objective="fault_objectives:tell_node",
        trials=TRIALS,
        max_epochs=EPOCHS,
        concurrency=None,
        ray_address=cluster.address,
        settings={"nodes": str(nodes), "epoch_s": 0.5},
    )
    stays, goes = cluster.add_node(**NODE), cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    toll = Toll(config)
    lost = goes.node_id

    def trains_there() -> bool:
        """A trial on the node that goes has epochs behind it, and most of them to come."""
        epochs = Counter(trial for trial, _ in toll.finished)
        return any(node == lost and 1 <= epochs[trial] <= 2 for trial, node in nodes_used(nodes))

    with driver(config, tmp_path) as script:
        script.until(lambda: len({node for _, node in nodes_used(nodes)}) == 2 and trains_there())
        cluster.remove_node(goes, allow_graceful=False)
        toll.note_fault()
        joins = cluster.add_node(**NODE)
        script.until(lambda: joins.node_id in {node for _, node in nodes_used(nodes)})
        assert script.wait() == 0, script.stderr
    records = toll.check(TRIALS, in_flight=1)
    assert all(record.state is TrialState.COMPLETE for record in records)
    moved = [trial for trial, node in nodes_used(nodes) if node == lost and records[trial].times_lost]
    assert len(moved) == 1, "the one that ran there"
    after = [node for trial, node in nodes_used(nodes) if trial == moved[0]]
    assert set(after) - {lost} <= {stays.node_id, joins.node_id}
    assert "worker lost" in script.stderr


CALLER = """
import os, sys
from pathlib import Path
import ray
import search.driver
from search.config.sweep_config import SweepConfig
from search.driver import run_sweep

ray.init(address=sys.argv[1], log_to_driver=False)
asked = search.driver.check_nodes_share
search.driver.check_nodes_share = lambda uri: print("asked", len(ray.nodes()), "nodes") or asked(uri)
config = SweepConfig.load("try", Path("sweeps"))
assert config.ray_address is None
result = run_sweep(config)
print([record.state.name for record in result.records])
assert ray.is_initialized()
"""


@pytest.mark.slow
def test_a_cluster_that_the_caller_has_joined_is_treated_as_one(
    cluster: Cluster, tmp_path: Path, tracking_uri: str
) -> None:
    (tmp_path / "nodes").mkdir()
    logged_sweep(
        tmp_path,
        tracking_uri,
        objective="fault_objectives:tell_node",
        trials=6,
        max_epochs=2,
        concurrency=5,  # more than fit now, but a cluster may grow
        settings={"nodes": str(tmp_path / "nodes"), "epoch_s": 0.5},
    )
    for _ in range(2):
        cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    (tmp_path / "caller.py").write_text(CALLER)
    with Script(
        tmp_path / "caller.py", cluster.address, cwd=tmp_path, PYTHONPATH=f"{ROOT}:{PYTHONPATH}"
    ) as script:
        assert script.wait() == 0, script.stderr
    assert script.stdout.splitlines() == ["asked 3 nodes", str(["COMPLETE"] * 6)]
    assert len({node for _, node in nodes_used(tmp_path / "nodes")}) == 2


@pytest.mark.usefixtures("local_ray")
def test_a_node_that_does_not_see_the_checkpoints_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    check_nodes_share(str(folder))

    @ray.remote(num_cpus=0)
    def sees_nothing(uri: str, mark: str) -> bool:
        return False

    monkeypatch.setattr(search.ray_tune.shared_folder, "_sees", sees_nothing)
    with pytest.raises(UserError, match=r"node \S+ does not see the checkpoints .*that all nodes share"):
        check_nodes_share(str(folder))

    @ray.remote(num_cpus=0)
    def cannot_look(uri: str, mark: str) -> bool:
        raise ModuleNotFoundError("No module named 'search'")

    monkeypatch.setattr(search.ray_tune.shared_folder, "_sees", cannot_look)
    with pytest.raises(UserError, match=r"node \S+ cannot look .*No module named 'search'"):
        check_nodes_share(str(folder))
    assert list(folder.iterdir()) == [], "the mark is gone"
