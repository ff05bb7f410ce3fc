"""The how-to page on Slurm: its batch script, with programs in the place of Slurm's and of the sweep."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import ROOT

PAGE = (ROOT / "docs" / "how_to" / "slurm.md").read_text(encoding="utf-8")
SCRIPT, SEVERAL_NODES = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STOPPED = "exit 130"  # what a stopped sweep does
# A sweep: it notes its command, and takes the signals that the driver takes.
SWEEP = """#!/bin/bash
echo "uv $*" >> calls
mkdir -p sweeps/night && touch sweeps/night/sweep.json
trap 'echo USR1 >> calls; {then}' USR1
trap 'echo TERM >> calls; {then}' TERM
touch ready
for _ in {{1..200}}; do sleep 0.05; done
"""
NOTES = '#!/bin/bash\necho "${0##*/} $*" >> calls\n'


def batch(script: str, folder: Path, then: str = STOPPED, *numbers: signal.Signals) -> int:
    """Run a batch script in a folder, send it these signals once the sweep runs, and give its exit code."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name, source in {"uv": SWEEP.format(then=then), "scontrol": NOTES, "srun": NOTES}.items():
        (programs / name).write_text(source)
        (programs / name).chmod(0o755)
    (folder / "ready").unlink(missing_ok=True)
    job_of_four = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "4"}
    environment = {**os.environ, **job_of_four, "PATH": f"{programs}:{os.environ['PATH']}"}
    with subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment) as job:
        deadline = time.monotonic() + 20
        while not (folder / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for number in numbers:
            job.send_signal(number)
        return job.wait(20)


def calls(folder: Path) -> list[str]:
    """What was called, and which signals came."""
    return [line.strip() for line in (folder / "calls").read_text().splitlines()]


def test_a_job_whose_time_is_over_is_requeued_and_then_resumes(tmp_path: Path) -> None:
    assert batch(SCRIPT, tmp_path, STOPPED, signal.SIGUSR1) == 130
    launched, *rest = calls(tmp_path)
    assert launched.startswith("uv run scripts/launch_sweep.py night --space baseline")
    assert rest == ["USR1", "scontrol requeue 7"]
    batch(SCRIPT, tmp_path, STOPPED, signal.SIGUSR1)
    assert calls(tmp_path)[3:] == ["uv run scripts/resume_sweep.py night", "USR1", "scontrol requeue 7"]


def test_a_sweep_that_is_done_in_the_last_minute_is_not_run_again(tmp_path: Path) -> None:
    assert batch(SCRIPT, tmp_path, "exit 0", signal.SIGUSR1) == 0
    assert calls(tmp_path)[1:] == ["USR1"]


def test_a_job_that_is_cancelled_ends_in_order_and_stays_cancelled(tmp_path: Path) -> None:
    assert batch(SCRIPT, tmp_path, STOPPED, signal.SIGTERM) == 130
    assert calls(tmp_path)[1:] == ["TERM"]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_where_preemption_cancels_both_signals_requeue(tmp_path: Path, number: signal.Signals) -> None:
    script = re.sub(r"^trap .* TERM$\n", "", SCRIPT, flags=re.MULTILINE).replace("' USR1\n", "' USR1 TERM\n")
    assert batch(script, tmp_path, STOPPED, number) == 130
    assert calls(tmp_path)[-1] == "scontrol requeue 7"


def test_on_several_nodes_the_sweep_joins_a_ray_of_the_job(tmp_path: Path) -> None:
    script = SCRIPT.replace("again=\n", SEVERAL_NODES.replace("sleep 30", "wait") + "again=\n", 1)
    assert batch(script, tmp_path, "exit 0", signal.SIGTERM) == 0
    head = os.uname().nodename
    sweep, _, on_head, on_others = sorted(calls(tmp_path), key=lambda line: (line[0] != "u", line))
    assert sweep.endswith(f"--ray-address {head}:6379")
    assert on_head.endswith(f"uv run ray start --head --node-ip-address={head} --port=6379 --block")
    assert (
        on_others
        == f"srun --nodes=3 --ntasks=3 --exclude={head} uv run ray start --address={head}:6379 --block"
    )
