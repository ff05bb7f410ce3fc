"""Tests leave nothing behind: no environment variable, no thread, no file in the repository."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_once import make_once

ROOT = Path(__file__).parents[1]
os.environ.setdefault("UV", "uv")  # the scripts tell what to type as if `uv run` had started them
# pytest's own, and what libraries set for good when they are first imported or started.
ENVIRONMENT_OF_OTHERS = (
    "_MLFLOW_TELEMETRY",
    "PYTEST_",
    "HYPOTHESIS_",
    "KMP_",
    "RAY_",
    "PL_",
    "PYTORCH_",
    "TORCHINDUCTOR_",
    "MLFLOW_",
)
CACHES = {".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache", "__pycache__", ".coverage", "uv.lock"}
THREADS_END_WITHIN_S = 3.0


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    make_once()
    environment, threads, files = dict(os.environ), set(threading.enumerate()), _files()
    yield
    changed = [
        name
        for name in sorted(environment.keys() | os.environ.keys())
        if environment.get(name) != os.environ.get(name) and not name.startswith(ENVIRONMENT_OF_OTHERS)
    ]
    for name in changed:  # mended, so that only the test that did it fails
        if name in environment:
            os.environ[name] = environment[name]
        else:
            del os.environ[name]
    left = {
        "environment variables": changed,
        "threads": [thread.name for thread in _still_running(threads)],
        "files in the repository's folder": sorted(_files() - files),
    }
    if any(left.values()):
        pytest.fail("; ".join(f"left {kind}: {', '.join(names)}" for kind, names in left.items() if names))


def _files() -> set[str]:
    return set(os.listdir(ROOT)) - CACHES


def _still_running(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads started since then that would keep the process from ending; ones about to end get time."""
    until = time.monotonic() + THREADS_END_WITHIN_S
    while left := [t for t in threading.enumerate() if t not in before and not t.daemon and t.is_alive()]:
        if time.monotonic() > until:
            return left
        gc.collect()  # a pool of threads that nothing refers to any more ends with its last reference
        time.sleep(0.02)
    return []
