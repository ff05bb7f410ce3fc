"""The cores that a process may use: pinned, or held to a quota by any of the containers around it."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifar_cnn.cores import usable_cores

MACHINE = 16
LEGACY = Path("/sys/fs/cgroup/cpu")


@pytest.fixture(autouse=True)
def _pinned_to_sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MACHINE)), raising=False)


def system(folder: Path, group: str, quotas: dict[str, str], root: str = "/", version: int = 2) -> Path:
    """A process's folder in /proc, in this group, with these groups' quotas by path below the mount."""
    proc, mounted = folder / "proc", folder / "cgroup"
    proc.mkdir()
    mounted.mkdir()
    for path, quota in quotas.items():
        (mounted / path).mkdir(parents=True, exist_ok=True)
        if version == 2:
            (mounted / path / "cpu.max").write_text(f"{quota}\n")
        else:
            for name, value in zip(("quota", "period"), quota.split(), strict=True):
                (mounted / path / f"cpu.cfs_{name}_us").write_text(f"{value}\n")
    kind, options = ("cgroup2", "rw") if version == 2 else ("cgroup", "rw,cpu,cpuacct")
    other = f"30 23 0:29 / {folder}/memory rw,relatime - cgroup cgroup rw,memory\n"
    tmpfs = f"31 23 0:28 / {folder} rw,relatime shared:9 - tmpfs tmpfs rw,mode=755\n"
    ours = f"41 31 0:38 {root} {mounted} rw,relatime shared:8 master:2 - {kind} {kind} {options}\n"
    (proc / "mountinfo").write_text(tmpfs + other + ours)
    (proc / "cgroup").write_text(
        f"4:memory:/elsewhere\n1:cpu,cpuacct:{group}\n0::/\n" if version == 1 else f"0::{group}\n"
    )
    return proc


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("50000 100000", 1),  # half a core runs
        ("1000 100000", 1),
        ("100000 100000", 1),
        ("250000 100000", 2),  # two and a half hold two trials of a core each
        ("299999 100000", 2),
        ("150000 50000", 3),
        ("6400000 100000", MACHINE),
    ],
)
def test_a_quota_counts_in_whole_cores_and_one_at_least(
    tmp_path: Path, version: int, quota: str, cores: int
) -> None:
    assert usable_cores(system(tmp_path, "/", {"": quota}, version=version)) == cores


@pytest.mark.parametrize(("version", "none"), [(1, "-1 100000"), (2, "max 100000")])
@pytest.mark.parametrize("tightest", ["", "pod", "pod/container"])
def test_of_nested_groups_the_tightest_binds(tmp_path: Path, version: int, none: str, tightest: str) -> None:
    quotas = {"": none, "pod": none, "pod/container": "1200000 100000", "neighbour": "100000 100000"}
    quotas[tightest] = "400000 100000"
    assert usable_cores(system(tmp_path, "/pod/container", quotas, version=version)) == 4


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_sees_its_own_part_of_the_groups(tmp_path: Path, version: int) -> None:
    """Without a view of its own, its mount begins at the group whose whole path /proc names."""
    quotas = {"": "800000 100000", "inner": "300000 100000"}
    proc = system(tmp_path, "/docker/abc/inner", quotas, root="/docker/abc", version=version)
    assert usable_cores(proc) == 3


@pytest.mark.parametrize("group", ["/../..", "/gone"])
def test_a_group_that_cannot_be_seen_leaves_the_top_one(tmp_path: Path, group: str) -> None:
    assert usable_cores(system(tmp_path, group, {"": "500000 100000"})) == 5


def test_where_there_are_no_groups_pinning_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores(tmp_path / "no-proc") == MACHINE
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7})
    assert usable_cores(system(tmp_path, "/", {"": "800000 100000"})) == 2


def test_where_no_process_is_pinned_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has no such call."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, cores in ((6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert usable_cores(tmp_path / "no-proc") == cores


@contextlib.contextmanager
def real_group(quota: int) -> Iterator[Path]:
    """A control group of version 1 in the one that this machine has; skips where none can be made."""
    group = LEGACY / f"test-{uuid.uuid4().hex}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        (group / "cpu.cfs_quota_us").write_text(str(quota))
        (group / "inner").mkdir()
        yield group / "inner"
    finally:
        for folder in (group / "inner", group):
            if folder.is_dir():
                folder.rmdir()


def test_a_real_quota_is_seen_from_a_group_within() -> None:
    code = "from cifar_cnn.cores import usable_cores; print(usable_cores())"
    with real_group(quota=50_000) as group:
        join = f"echo $$ > {group}/cgroup.procs && exec {sys.executable} -c '{code}'"
        answer = subprocess.run(["sh", "-c", join], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout == "1\n"
