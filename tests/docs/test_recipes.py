"""The how-to pages on KubeRay and spot machines, as far as they can be tried without either."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import yaml
from processes import ROOT

HOW_TO = ROOT / "docs" / "how_to"


def test_the_unit_of_a_spot_machine_launches_and_then_resumes(tmp_path: Path) -> None:
    page = (HOW_TO / "spot.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", page, re.MULTILINE)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nmkdir -p sweeps/night && touch sweeps/night/sweep.json\necho $1 $2\n")
    python.chmod(0o755)
    command = shlex.split(line.replace("\\\n", " "))  # as systemd joins lines
    for script in ("launch_sweep", "resume_sweep"):
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ran.stdout == f"scripts/{script}.py night\n"


def test_the_pods_of_kuberay_share_an_image_and_a_volume() -> None:
    page = (HOW_TO / "kuberay.md").read_text(encoding="utf-8")
    (manifest,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    cluster = yaml.safe_load(manifest)
    assert f"ray.io/cluster={cluster['metadata']['name']}," in page
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod in pods:
        names = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]} == names
