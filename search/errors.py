"""The errors a user can cause or mend, by what the scripts make of them, and what to do about them.

In the text of an error or a warning a field or an argument stands in backticks, as `trials` or `trials=20`: a
command line shows its option in that place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Step:
    """Something to do about a sweep, in words; a command line knows what is typed for it.

    >>> str(Step("resume", "night", Path("sweeps"), "let it grow", {"trials": 40}))
    'let it grow with `trials=40`'
    """

    action: Literal["resume", "retrain", "sync"]  # to resume is `run_sweep` again
    name: str  # of the sweep
    sweeps_dir: Path
    purpose: str  # in words, as "resume it"
    fields: Mapping[str, Any] = field(default_factory=dict)  # what to give with it

    def __str__(self) -> str:
        given = " and ".join(f"`{name}={value}`" for name, value in self.fields.items())
        return f"{self.purpose} with {given}" if given else self.purpose


class UserError(ValueError):
    """A mistake in what was asked for: one line with the value, the rule and the remedy. Exit code 2.

    Args:
        text: the line.
        steps: what it advises to do, each of which it holds as text.
    """

    def __init__(self, text: str, *steps: Step) -> None:
        super().__init__(text)
        self.steps = steps


class SweepFailed(RuntimeError):
    """The sweep cannot continue, though what was asked for was sound. Exit code 1."""


class LeaseLost(SweepFailed):
    """Another driver has taken this sweep over: this one must not write any more."""


class SweepInterrupted(SweepFailed):
    """Ctrl-C or SIGTERM stopped what a larger command was in the middle of; run again, it continues."""


class TrackingDown(RuntimeError):
    """The tracking store does not answer, or refuses what is written."""


class TrackingRefused(TrackingDown):
    """The tracking store answers, and will not take what is written however often it is tried again."""


def shortened(text: str, most: int = 1000) -> str:
    """Another program's message on one line, cut between words if it is long: half an address is none."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most + 1].rpartition(' ')[0]} ..."
