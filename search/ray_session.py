"""A Ray to run on: the caller's, a cluster's, or a local one that is gone without a trace afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray

from cifar_cnn.cores import usable_cores
from search.config import SweepConfig
from search.errors import UserError

# How Ray Tune behaves here; each would otherwise do something that the study does better, or print
# what nobody can act on.
_DRIVER_ENV = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the driver's own handler knows the resume command
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": str(10**9),  # Ray's experiment snapshot is never read
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",  # the dispatcher limits; Ray's 1 would start workers one by one
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # they are in the study, the view and the summary
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_ANSWER_S = 10.0  # a cluster that accepts no connection within it is taken for absent
_WORKER_ENV = {"RAY_CHDIR_TO_TRIAL_DIR": "0"}  # relative paths mean the same in a worker as in the driver


@contextlib.contextmanager
def ray_session(config: SweepConfig) -> Iterator[Path]:
    """Connect to Ray and give a local folder for its files, both gone at the end.

    A Ray that the caller has started already is used as it is and left running.

    Raises:
        UserError: no cluster answers at the address.
    """
    # It reports each failed trial again at the end; the study has them, with their reasons.
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
    with _environment({**_DRIVER_ENV, **_WORKER_ENV}):
        started = not ray.is_initialized()
        # A Ray of our own makes Unix sockets in here, and their paths may have some 100 letters at most.
        short = started and config.ray_address is None and os.path.isdir("/tmp")
        folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp" if short else None))
        try:
            if started:
                _connect(config.ray_address, folder)
            yield folder
        finally:
            if started:
                ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def _connect(address: str | None, folder: Path) -> None:
    if address is None:
        ray.init(
            address="local",
            num_cpus=usable_cores(),  # Ray itself counts the machine's; none where the quota is below one
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
        )
        return
    try:
        _knock(address)
        ray.init(
            address=address,
            runtime_env={"env_vars": _WORKER_ENV},
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        raise UserError(f"no Ray cluster answers at {address!r} ({cause}): check --ray-address") from error


def _knock(address: str) -> None:
    """Where nothing listens at HOST:PORT, `ray.init` itself would try for minutes, and log each try."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
