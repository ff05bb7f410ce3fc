"""Sweeps for agents: the tools of a server of the Model Context Protocol, which answer what `--json` writes.

Tools that look are apart from tools that act. What takes long is begun as a job, which outlives the server.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from scripts.answers import FLAG
from scripts.commands import error_text
from scripts.comparison_output import comparison
from scripts.documents.jobs import Job, JobOutput, Jobs
from scripts.documents.parts import WholeTrial
from scripts.documents.sweeps import Comparison, Listing, Stopped
from scripts.jobs import BackgroundJobs
from scripts.list_output import listing
from scripts.stop_trial import stopped
from search.config.credentials import hide_in
from search.errors import SweepFailed, UserError
from search.reader import open_sweep
from search.results.listing import list_sweeps

_INSTRUCTIONS = """Hyperparameter sweeps: look at them, launch and resume them, retrain and serve the best.

What takes longer than a moment is begun as a job: follow it with read_job, and a sweep with compare_trials.
A command that an answer advises is a tool: `resume_sweep.py night --trials 40` is resume_sweep with the
options ["--trials", "40"]. Launch with --dry-run first: it checks all and tells what the sweep will cost.
"""
_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_BEGINS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

Name = Annotated[str, Field(description="Name of the sweep.")]
Number = Annotated[int, Field(description="Of the job.")]
Options = Annotated[
    tuple[str, ...],
    Field(description='Of the command, a word each, such as ["--trials", "20"]; show_help tells them all.'),
]
Began = Literal["launch_sweep", "resume_sweep", "retrain_best", "serve_model"]


class Looking:
    """Tools that change nothing.

    Args:
        sweeps_dir: the folder of sweeps.
        jobs: what runs in the background for it.
    """

    def __init__(self, sweeps_dir: Path, jobs: BackgroundJobs) -> None:
        self._sweeps_dir, self._jobs = sweeps_dir, jobs

    def list_sweeps(self) -> Listing:
        """All sweeps: state, best trial, counts, when, size. Those that have changed last come first."""
        return listing(list_sweeps(self._sweeps_dir))

    def compare_trials(self, names: list[str], top: int = 10, all_trials: bool = False) -> Comparison:
        """The best trials of sweeps, which may be running, importances of parameters, what pruning saved.

        With all_trials also every trial with the metrics of each epoch, which may be long.
        """
        with _refusals():
            summaries = [open_sweep(name, self._sweeps_dir).summary for name in dict.fromkeys(names)]
            return comparison(summaries, top, all_trials)

    def show_trial(self, name: Name, trial: int) -> WholeTrial:
        """One trial of a sweep, by its number, with the metrics of each epoch."""
        with _refusals():
            whole = (
                comparison([open_sweep(name, self._sweeps_dir).summary], 0, True).sweeps[0].all_trials or []
            )
            for each in whole:
                if each.trial == trial:
                    return each
            raise UserError(
                f"sweep {name!r} has no trial {trial}; it has {len(whole)}, the first of which is 0"
            )

    def show_help(self, command: Began) -> str:
        """What a command does that is begun as a job, and its options."""
        script = Path(__file__).with_name(f"{command}.py")
        return subprocess.run(
            [sys.executable, script, "--help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def list_jobs(self) -> Jobs:
        """The jobs that were begun for these sweeps, the newest first."""
        return Jobs(jobs=self._jobs.all())

    def read_job(self, job: Number) -> JobOutput:
        """How far a job is, or what came of it."""
        with _refusals():
            return self._jobs.read(job)


class Acting:
    """Tools that begin and end things.

    Args:
        sweeps_dir: the folder of sweeps.
        jobs: what runs in the background for it.
    """

    def __init__(self, sweeps_dir: Path, jobs: BackgroundJobs) -> None:
        self._sweeps_dir, self._jobs = sweeps_dir, jobs

    def launch_sweep(self, name: Name, options: Options = ()) -> Job:
        """Launch a sweep: sample, train, prune and log trials. With --dry-run it is only planned."""
        return self._begin("launch_sweep", name, options)

    def resume_sweep(self, name: Name, options: Options = ()) -> Job:
        """Resume a sweep that was interrupted, or let a finished one grow with --trials."""
        return self._begin("resume_sweep", name, options)

    def retrain_best(self, name: Name, options: Options = ()) -> Job:
        """Confirm the best trials with fresh seeds, retrain the winner, test it once, register it."""
        return self._begin("retrain_best", name, options)

    def serve_model(self, options: Options = ()) -> Job:
        """Serve the champion, or the model that the options name, by HTTP until stop_job."""
        return self._jobs.begin("serve_model.py", *options, "--sweeps-dir", str(self._sweeps_dir))

    def stop_trial(self, name: Name, trial: int, fail: bool = False) -> Stopped:
        """Prune a trial, or fail it: it is trained no further. A driver at work stops it within an epoch."""
        with _refusals():
            return stopped(name, trial, fail, self._sweeps_dir)

    def stop_job(self, job: Number) -> Job:
        """Ask a job to end: epochs under way are finished first. Asked again it ends at once."""
        with _refusals():
            return self._jobs.stop(job)

    def _begin(self, command: Began, name: str, options: tuple[str, ...]) -> Job:
        return self._jobs.begin(f"{command}.py", name, "--sweeps-dir", str(self._sweeps_dir), FLAG, *options)


def server(sweeps_dir: Path, read_only: bool) -> MCPServer:
    """A server with the tools.

    Args:
        sweeps_dir: the folder of sweeps.
        read_only: leave out those that begin and end things.
    """
    made = MCPServer("cifar-sweep", instructions=_INSTRUCTIONS, log_level="WARNING")
    sweeps_dir = sweeps_dir.absolute()
    jobs = BackgroundJobs(sweeps_dir)

    def offer(hints: ToolAnnotations, *tools: Callable[..., object]) -> None:
        for tool in tools:
            made.add_tool(tool, annotations=hints)

    look = Looking(sweeps_dir, jobs)
    offer(_LOOKS, look.list_sweeps, look.compare_trials, look.show_trial)
    offer(_LOOKS, look.show_help, look.list_jobs, look.read_job)
    if not read_only:
        act = Acting(sweeps_dir, jobs)
        offer(_BEGINS, act.launch_sweep, act.resume_sweep, act.retrain_best, act.serve_model)
        offer(_ENDS, act.stop_trial, act.stop_job)
    return made


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What an agent can mend is told to it in a line; of a fault it hears only that there was one."""
    try:
        yield
    except (UserError, SweepFailed) as error:
        raise ToolError(hide_in(error_text(error))) from error
