"""A Ray to run on: the caller's, a cluster's, or a local one that is gone without a trace afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import ray

from cifar_cnn.cores import usable_cores
from search.config.sweep_config import SweepConfig
from search.engine.scratch import SCRATCH, SOCKETS, delete, held_folder, sockets_parent, sweep_up
from search.engine.signals import current_ending, handlers_kept
from search.errors import SweepFailed, UserError, shortened
from search.ray_tune.token import own_token

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
_LAST_S = 2.0  # what Ray's helpers get to follow it by themselves
_WORKER_ENV = {"RAY_CHDIR_TO_TRIAL_DIR": "0"}  # relative paths mean the same in a worker as in the driver


@contextlib.contextmanager
def ray_session(config: SweepConfig, say: Callable[[str], None] = lambda _what: None) -> Iterator[Path]:
    """Connect to Ray and give a local folder for its files, both gone at the end.

    A Ray that the caller has started already is used as it is and left running.

    Args:
        config: the sweep.
        say: told what is being done, which takes seconds.

    Raises:
        UserError: no cluster answers at the address, it is one of `ray://`, or this machine does not reach
            itself.
    """
    # It reports each failed trial again at the end; the study has them, with their reasons.
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
    _refuse_client(config.ray_address)
    with _environment({**_DRIVER_ENV, **_WORKER_ENV}):
        started = not ray.is_initialized()
        ours = started and config.ray_address is None
        # A Ray of our own makes Unix sockets in here, and their paths may have some 100 letters at most.
        short = ours and os.path.isdir("/tmp")
        with (
            held_folder("ray-", "", Path("/tmp") if short else None, _end_orphans) as folder,
            current_ending().at_last(lambda: _kill(folder)),
            own_token(folder) if ours else contextlib.nullcontext(),
        ):
            try:
                if started:
                    address = config.ray_address
                    say("starting Ray" if address is None else f"joining Ray at {address}")
                    _connect(address, folder)
                yield folder
            finally:
                with current_ending().shielded():
                    if started:
                        _shut_down(folder)
                    delete(folder)
                    sweep_up(SCRATCH)  # of workers that were killed
                    sweep_up(SOCKETS, sockets_parent())


def _refuse_client(address: str | None) -> None:
    """Over `ray://` Tune runs in another process, in which the study is not."""
    if (address or "").startswith("ray://") or ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]
        raise UserError(
            "Ray is reached through ray://, and a sweep is driven from one of the cluster's nodes: "
            "run it there, with `ray_address=HEAD:6379`"
        )


def _connect(address: str | None, folder: Path) -> None:
    try:
        with handlers_kept():
            if address is None:
                _start(folder)
            else:
                _join(address)
    except SystemExit as error:
        # Meanwhile Ray has a handler of its own for SIGTERM, which makes this of it.
        raise KeyboardInterrupt from error


def _start(folder: Path) -> None:
    _check_loopback()
    try:
        ray.init(
            address="local",
            num_cpus=usable_cores(),  # Ray itself counts the machine's; none where the quota is below one
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
        )
    except Exception as error:  # raised bare by Ray if a busy machine does not start its processes in time
        raise SweepFailed(f"Ray did not start ({shortened(str(error))}): run it again to go on") from error


def _join(address: str) -> None:
    try:
        _knock(address)
        ray.init(
            address=address,
            runtime_env={"env_vars": _WORKER_ENV},
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        cause = shortened(str(error))
        raise UserError(f"no Ray cluster answers at {address!r} ({cause}): check `ray_address`") from error


def _check_loopback() -> None:
    """Where this machine does not reach itself, `ray.init` waits for its own processes, for minutes."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=_ANSWER_S).close()
    except OSError as error:
        raise UserError(
            f"this machine does not reach itself at 127.0.0.1 ({error.strerror or error}), over which Ray's "
            "processes talk: bring the loopback interface up (ip link set lo up)"
        ) from error


def _knock(address: str) -> None:
    """Where nothing listens at HOST:PORT, `ray.init` itself would try for minutes, and log each try."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()


def _shut_down(folder: Path) -> None:
    """End Ray; a local one that was interrupted as it started does not know all of its own processes."""
    if not ray.is_initialized():
        _kill(folder)
    processes = _processes(folder)  # whose children they are is known only as long as Ray is up
    ray.shutdown()
    for process in psutil.wait_procs(processes, timeout=_LAST_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _kill(folder: Path) -> None:
    """End the processes of a Ray in this folder at once, whatever state they are in, and delete it."""
    _end(lambda: _processes(folder))
    delete(folder)


def _end_orphans(folder: Path) -> None:
    """End what is left of a Ray in this folder whose driver is dead.

    A worker that is just starting does not notice, and would make the folder anew when it has been deleted.
    Ray names the folder in options; somebody who looks at its logs does not.
    """
    _end(lambda: [process for process in psutil.process_iter() if _names(process, folder, "--")])


def _end(find: Callable[[], list[psutil.Process]]) -> None:
    """End processes, and those that they start meanwhile."""
    processes: set[psutil.Process] = set()
    while new := set(find()) - processes:
        processes |= new
        for process in new:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()  # so that it starts no others while they are being found
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_LAST_S)


def _processes(folder: Path) -> list[psutil.Process]:
    """This process's children that name the folder in their command line, with all that they started.

    Beside them the one that ends Ray's processes when this one is killed, which names no folder.
    """
    processes = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if _names(child, folder) or _names(child, "ray_process_reaper"):
                processes += [child, *child.children(recursive=True)]
    return processes


def _names(process: psutil.Process, what: Path | str, kind: str = "") -> bool:
    """Whether it is in a word of this kind of a process's command line, if that may be looked at."""
    try:
        return any(str(what) in word and word.startswith(kind) for word in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


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
