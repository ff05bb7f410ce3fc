"""What is told of commands that run in the background, begun for agents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from scripts.documents.parts import Document


class Job(Document):
    """A command in a process of its own: whoever began it may go."""

    job: int = Field(description="Its number, for `read_job` and `stop_job`.")
    state: Literal["running", "ended"] = Field(description="Of the process.")
    command: str = Field(description="What was started.")
    pid: int = Field(description="Of the process.")
    began: str = Field(description="ISO 8601 in UTC.")
    follow: str = Field(description="Shows its progress and warnings as they come, in a shell.")
    stop: str | None = Field(
        description="Ends it in a shell, as `stop_job` does: epochs that run are finished first. Null once "
        "it has ended, for its pid may be another's then."
    )


class Jobs(Document):
    """The commands that were begun for the sweeps of a folder."""

    jobs: list[Job] = Field(description="The newest first.")


class JobOutput(Document):
    """How far a command is, or what came of it."""

    job: Job = Field(description="The command.")
    document: dict[str, Any] | None = Field(
        description="What its `--json` wrote; null while it runs, of a server, and if it was ended by force."
    )
    log: list[str] = Field(description="The newest lines of its progress and warnings.")
