"""Whether the nodes of a cluster can do what a sweep needs of them, asked before it starts."""

from __future__ import annotations

import uuid

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.errors import UserError
from search.study.checkpoints import CheckpointStore

_ANSWER_S = 60.0  # a node's first task starts a worker, which takes seconds


def check_nodes_share(uri: str) -> None:
    """Have every node look for a mark that this process makes among the checkpoints.

    A folder that merely has the same path on each node would lose a trial's checkpoints with its node.

    Raises:
        UserError: a node does not see it; names the node.
    """
    store, mark = CheckpointStore(uri), f".mark-{uuid.uuid4().hex}"
    store.make_mark(mark)
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        answers = [
            _sees.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(uri, mark)
            for node in nodes
        ]
        for node, answer in zip(nodes, answers, strict=True):
            host = node["NodeManagerHostname"]
            if not _answer(host, answer):
                raise UserError(
                    f"node {host} does not see the checkpoints {uri}: give `checkpoints` a folder or URI "
                    "that all nodes share"
                )
    finally:
        store.delete_mark(mark)


def _answer(host: str, answer: ray.ObjectRef[bool]) -> bool:
    try:
        return bool(ray.get(answer, timeout=_ANSWER_S))
    except (RayError, TimeoutError) as error:
        last = str(error).strip().splitlines()[-1:]
        raise UserError(
            f"node {host} cannot look for the checkpoints ({''.join(last)}): check that it has this "
            "project installed and what it needs to reach them"
        ) from error


@ray.remote(num_cpus=0)
def _sees(uri: str, mark: str) -> bool:
    return CheckpointStore(uri).has_mark(mark)
