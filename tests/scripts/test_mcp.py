"""Agents by the Model Context Protocol: an official client looks at a sweep, begins jobs, and is refused."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE_S, ROOT
from script_runs import run_script
from sweep_fixtures import scripted_sweep

from scripts.documents.jobs import Job
from scripts.documents.parts import WholeTrial
from scripts.documents.sweeps import Comparison, Listing, Stopped
from scripts.jobs import BackgroundJobs
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.policy.making import make_policy
from search.study.opening import open_study
from search.study.records import Epoch

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from scripts.mcp_tools import server

PAGE = (ROOT / "docs" / "how_to" / "agents.md").read_text(encoding="utf-8")
LOOKING, ACTING = PAGE.split("## Tools that act")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    """A sweep with a complete and an unfinished trial, in the folder that the server works in."""
    monkeypatch.chdir(tmp_path)
    config = scripted_sweep(name="night", sweeps_dir=tmp_path / "sweeps", max_epochs=1)
    with open_study(config, make_policy(config)) as (ledger, _):
        for number, value in enumerate((0.9, 0.1)):
            ledger.start(ledger.ask().number)
            ledger.report(number, Epoch(1, {"val_acc": value}, 1000, "host:1"))
        ledger.complete(0)
    return config


def with_client(
    talk: Callable[[Client], Awaitable[None]], connected: AbstractAsyncContextManager[Client]
) -> None:
    """Talk to a server until all is said."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE_S), connected as client:
            await talk(client)

    asyncio.run(whole())


def here(config: SweepConfig, *, read_only: bool = False) -> Client:
    """A client of a server in this process."""
    return Client(server(config.sweeps_dir, read_only))


def there(folder: Path) -> Client:
    """A client of a server that is started as the page says, but for uv."""
    (settings,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    words = json.loads(settings)["mcpServers"]["sweeps"]["args"]
    assert words[:2] == ["run", "--directory"]
    variables = {name: os.environ[name] for name in ("PYTHONPATH", "TMPDIR") if name in os.environ}
    return Client(
        StdioServerParameters(
            command=sys.executable, args=[str(ROOT / words[3])], env={**variables, "UV": "there"}, cwd=folder
        )
    )


async def answer(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    return str(getattr(content, "text", ""))


async def until_ended(client: Client, number: int) -> Any:
    while (told := await answer(client, "read_job", job=number))["job"]["state"] == "running":
        await asyncio.sleep(0.1)
    return told


def test_looking_is_told_from_acting_and_the_page_knows_both(night: SweepConfig) -> None:
    async def talk(client: Client) -> None:
        tools = (await client.list_tools()).tools
        looking = {each.name for each in tools if each.annotations and each.annotations.read_only_hint}
        assert looking == set(re.findall(r"^\| `(\w+)`", LOOKING, re.MULTILINE))
        acting = {
            name for row in re.findall(r"^\| (`.*?) \|", ACTING, re.MULTILINE) for name in row.split(", ")
        }
        assert {f"`{each.name}`" for each in tools} - {f"`{name}`" for name in looking} == acting
        assert all(each.description and each.output_schema for each in tools)

    async def reads(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert all(each.annotations and each.annotations.read_only_hint for each in tools)
        assert "Unknown tool" in await refusal(client, "stop_trial", name="night", trial=1)

    with_client(talk, here(night))
    with_client(reads, here(night, read_only=True))


def test_what_is_answered_is_what_commands_write(night: SweepConfig) -> None:
    async def talk(client: Client) -> None:
        (listed,) = Listing.model_validate(await answer(client, "list_sweeps")).sweeps
        assert (listed.sweep, listed.state) == ("night", "interrupted")
        compared = await answer(client, "compare_trials", names=["night"], all_trials=True)
        assert compared == json.loads(run_script("compare", "night", "--all", "--json").stdout)
        (summary,) = Comparison.model_validate(compared).sweeps
        shown = WholeTrial.model_validate(await answer(client, "show_trial", name="night", trial=1))
        assert [shown] == (summary.all_trials or [])[1:]
        stopped = Stopped.model_validate(await answer(client, "stop_trial", name="night", trial=1))
        assert (stopped.trial.state, stopped.driver) == ("pruned", None)
        told = await answer(client, "show_help", command="retrain_best")
        assert told["result"].startswith("Usage: retrain_best.py")

    with_client(talk, here(night))


def test_a_refusal_is_the_line_that_commands_print(night: SweepConfig) -> None:
    async def talk(client: Client) -> None:
        for tool, arguments, script in (
            ("compare_trials", {"names": ["day"]}, ("compare", "day")),
            ("stop_trial", {"name": "night", "trial": 0}, ("stop", "night", 0)),
        ):
            line = (
                run_script(*script, "--sweeps-dir", night.sweeps_dir).stderr.strip().removeprefix("error: ")
            )
            assert await refusal(client, tool, **arguments) == f"Error executing tool {tool}: {line}"
        assert "it has 2" in await refusal(client, "show_trial", name="night", trial=7)
        assert "there are: none" in await refusal(client, "read_job", job=3)

    with_client(talk, here(night))


def test_a_job_is_found_again_by_the_next_server(night: SweepConfig, digits_dir: Path) -> None:
    """Over stdin and stdout, of which the first line that is not the protocol's would be the end."""
    began: list[Job] = []

    async def begins(client: Client) -> None:
        words = ["--data-dir", str(digits_dir)]
        began.append(Job.model_validate(await answer(client, "launch_sweep", name="night", options=words)))

    async def finds(client: Client) -> None:
        (job,) = (await answer(client, "list_jobs"))["jobs"]
        assert Job.model_validate({**job, "state": "running"}) == began[0]
        told = await until_ended(client, job["job"])
        assert told["document"]["kind"] == "usage"
        assert "sweep 'night' exists: resume it with" in told["log"][-1]
        assert told["document"]["next"][0].endswith("resume_sweep.py night")

    with_client(begins, there(night.sweeps_dir.parent))
    with_client(finds, there(night.sweeps_dir.parent))


def test_a_job_ends_when_it_is_stopped(tmp_path: Path) -> None:
    jobs = BackgroundJobs(tmp_path / "sweeps")
    job = jobs.begin("launch_sweep.py", "night", "--sweeps-dir", str(tmp_path / "sweeps"), "--json")
    deadline = time.monotonic() + PATIENCE_S
    while jobs.stop(job.job).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert jobs.stop(job.job).state == "ended"
    assert not (tmp_path / "sweeps" / "night").exists()
    with pytest.raises(UserError, match="there is no job 2; there are: 1"):
        jobs.stop(2)


def test_another_process_of_the_same_id_is_no_job(tmp_path: Path) -> None:
    folder = tmp_path / ".jobs" / "1"
    folder.mkdir(parents=True)
    note = {"command": "launch_sweep.py", "pid": os.getpid(), "created": 1.0}
    (folder / "job.json").write_text(json.dumps(note))
    job = BackgroundJobs(tmp_path).stop(1)
    assert (job.state, job.stop) == ("ended", None), "nobody is told to kill another's"


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mcp", "mcp.server"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "scripts.mcp_tools")
    told = run_script("mcp")
    assert told.exit_code == 2
    assert "install the extra `mcp`: `pip install '.[mcp]'`" in told.stderr
    assert "or `uv sync`" in told.stderr


@pytest.mark.slow
def test_a_sweep_outlives_the_server_and_is_stopped_by_another(tmp_path: Path, digits_dir: Path) -> None:
    words = ["--trials=9", "--max-epochs=99", "--train-size=200", "--concurrency=1", "--cleanup-time=1s"]

    async def begins(client: Client) -> None:
        words.extend(("--data-dir", str(digits_dir)))
        await answer(client, "launch_sweep", name="night", options=words)
        while not (await answer(client, "list_sweeps"))["sweeps"][:1]:
            await asyncio.sleep(0.5)

    async def stops(client: Client) -> None:
        while (await answer(client, "list_sweeps"))["sweeps"][0]["state"] != "running":
            await asyncio.sleep(0.5)
        await answer(client, "stop_job", job=1)
        told = await until_ended(client, 1)
        assert told["document"]["stop"] == "interrupted"
        assert (await answer(client, "list_sweeps"))["sweeps"][0]["state"] == "interrupted"

    with_client(begins, there(tmp_path))
    with_client(stops, there(tmp_path))
