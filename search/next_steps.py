"""What to type next, by what is really left to do of a sweep: no advice that would do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.commands import resume_command
from search.config.sweep_config import SweepConfig
from search.study.records import Outcome, TrialRecord, not_retried


@dataclass(frozen=True)
class Step:
    """Something to do."""

    what: str  # in words that a command may follow
    command: str


def go_on(config: SweepConfig, records: Sequence[TrialRecord]) -> Step | None:
    """How a sweep comes to more completed trials; None if it cannot, for its grid is exhausted."""
    trials, resume = not_retried(records), resume_command(config)
    if len(trials) < config.budget or any(not record.state.is_finished() for record in trials):
        return Step("go on with", resume)
    if any(record.outcome is Outcome.FAILED for record in trials):
        return Step("train the failed ones again with", f"{resume} --retry-failed")
    return grow(config)


def grow(config: SweepConfig) -> Step | None:
    """How a sweep that has used its trials up gets as many again; None if its grid is exhausted."""
    more = config.model_copy(update={"trials": 2 * config.budget})
    if more.budget == config.budget:
        return None
    return Step("let it grow with", f"{resume_command(config)} --trials {more.budget}")


def without_completion(config: SweepConfig, records: Sequence[TrialRecord]) -> str:
    """What to do about a sweep of which no trial has completed, in one sentence."""
    step = go_on(config, records)
    told = "" if step is None else f"{step.what} `{step.command}`"
    trials = not_retried(records)
    if len(trials) < config.budget or any(record.outcome is Outcome.FAILED for record in trials):
        return told
    other = "launch_sweep.py begins another sweep, with a gentler --pruner or another space"
    return f"{told}; or {other}" if told else other
