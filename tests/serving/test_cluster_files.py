"""What the container files and the guide start is reached by those who need it, and by nobody else."""

from __future__ import annotations

import http.client
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from browsers import free_port, serving

ROOT = Path(__file__).parents[2]
FILE = ROOT / "dockerfiles" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
GUIDE = (ROOT / "docs" / "how_to" / "cluster.md").read_text()


def test_ports_are_published_to_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"mlflow": ["127.0.0.1:5000:5000"], "api": ["127.0.0.1:8000:8000"]}
    assert not any("network_mode" in service for service in SERVICES.values())


def test_no_password_is_in_a_file_or_on_a_command_line() -> None:
    secret = [line for line in FILE.read_text().splitlines() if re.search("password", line, re.IGNORECASE)]
    for line in secret:
        assert line.startswith("#") or "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}" in line
    assert not any("PASSWORD" in str(service.get("command")) for service in SERVICES.values())
    assert "/.env" not in (ROOT / ".dockerignore").read_text()
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("file", ["train.Dockerfile", "api.Dockerfile"])
def test_containers_run_as_a_user_who_can_write_where_he_must(file: str) -> None:
    final = (ROOT / "dockerfiles" / file).read_text().rpartition("\nFROM ")[2]
    assert "\nUSER 1000\n" in final
    assert re.search(r"^ENV .*\bHOME=/tmp\b", final, re.MULTILINE)
    owned = " ".join(re.findall(r"chown sweeper ([^\n&]*)", final)).split()
    for service in SERVICES.values():
        if "build" in service and service["build"]["dockerfile"].endswith(file):
            for volume in service.get("volumes", []):
                assert volume.partition(":")[2] in owned, "a new volume would be root's"


def server_arguments(origin: str) -> list[str]:
    """The arguments of `mlflow server`, as the compose file or the guide has them."""
    if origin == "compose":
        command = SERVICES["mlflow"]["command"]
    else:
        found = re.search(r"^(mlflow server (?:.*\\\n)*.*)$", GUIDE, re.MULTILINE)
        assert found is not None
        command = found[1].replace("\\\n", " ")
    program, *arguments = shlex.split(command)
    assert program == "mlflow"
    return arguments


def put(arguments: list[str], option: str, value: str) -> None:
    """Give an option that is there another value."""
    arguments[arguments.index(option) + 1] = value


@pytest.fixture(scope="module", params=["compose", "guide"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a real server with those arguments, but for the machine and the store."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    arguments = server_arguments(request.param)
    put(arguments, "--host", "127.0.0.1")
    put(arguments, "--port", str(port))
    put(arguments, "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}")
    put(arguments, "--artifacts-destination", str(folder / "artifacts"))
    environment = {
        name: value for name, value in SERVICES["mlflow"]["environment"].items() if name.startswith("MLFLOW_")
    }
    health = f"http://127.0.0.1:{port}/health"
    with serving([sys.executable, "-m", "mlflow", *arguments], environment, health, folder):
        yield port


def status(port: int, host: str) -> int:
    """What a request gets that was sent to this name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_mlflow_server_answers_to_its_name_and_to_no_other(port: int) -> None:
    for host in ("mlflow:5000", "localhost:5000", "127.0.0.1:5000"):
        assert status(port, host) == 200, host
    for host in ("evil.example", "evil.example:5000", "mlflow.evil.example:5000", "10.evil.example"):
        assert status(port, host) == 403, host
