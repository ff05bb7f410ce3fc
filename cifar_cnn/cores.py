"""How many CPU cores this process may use: not how many the machine has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self")


def usable_cores(proc: Path = _PROC) -> int:
    """The least of the cores it is pinned to and its containers' CPU quotas, whole and at least one.

    A quota below one core still runs everything that one core does, only slower.

    Args:
        proc: this process's folder in /proc; elsewhere than on Linux there is none, and no quota.
    """
    quotas = list(_quotas(proc))
    return max(1, min([_pinned(), *(math.floor(quota + 1e-9) for quota in quotas)]))


def _pinned() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS pins no process to cores


def _quotas(proc: Path) -> Iterator[float]:
    """The quota, in cores, of each control group that this process is in: they nest, and each one binds."""
    for mounted, root, kind, options in _mounts(proc):
        unified = kind == "cgroup2"
        if not unified and (kind != "cgroup" or "cpu" not in options):
            continue
        group = mounted / _group(proc, unified).removeprefix(root).strip("/")
        while True:
            quota = _unified_quota(group) if unified else _legacy_quota(group)
            if quota is not None:
                yield quota
            if group == mounted:
                break
            group = group.parent


def _mounts(proc: Path) -> Iterator[tuple[Path, str, str, list[str]]]:
    """Where file systems are mounted, the part of each that is, its kind and its options."""
    for line in _lines(proc / "mountinfo"):
        place, _, source = line.partition(" - ")
        fields, (kind, *_, options) = place.split(), source.split()
        yield Path(fields[4]), fields[3], kind, options.split(",")


def _group(proc: Path, unified: bool) -> str:
    """The path of this process's control group: in version 2, or that of version 1's `cpu`."""
    for line in _lines(proc / "cgroup"):
        _, controllers, path = line.split(":", 2)
        # What lies outside of a container's own view begins with `/..`: of that only the top can be seen.
        if controllers == "" if unified else "cpu" in controllers.split(","):
            return "/" if path.startswith("/..") else path
    return "/"


def _unified_quota(group: Path) -> float | None:
    """Version 2: `max 100000`, or microseconds of CPU time and of the period."""
    for quota, period in (line.split() for line in _lines(group / "cpu.max")):
        return None if quota == "max" else float(quota) / float(period)
    return None


def _legacy_quota(group: Path) -> float | None:
    """Version 1: the same in two files, where -1 means no limit."""
    quota, period = (next(_lines(group / f"cpu.cfs_{name}_us"), None) for name in ("quota", "period"))
    return None if quota is None or period is None or float(quota) < 0 else float(quota) / float(period)


def _lines(file: Path) -> Iterator[str]:
    """A file's lines; none if it is not there, as where a system has no such limits."""
    try:
        yield from file.read_text().splitlines()
    except OSError:
        return
