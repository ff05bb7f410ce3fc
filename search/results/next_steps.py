"""What to do next, by what is really left to do of a sweep: no advice that would do nothing."""

from __future__ import annotations

from collections.abc import Sequence

from search.config.sweep_config import SweepConfig
from search.errors import Step
from search.study.records import Outcome, TrialRecord, not_retried


def go_on(config: SweepConfig, records: Sequence[TrialRecord]) -> Step | None:
    """How a sweep comes to more completed trials; None if it cannot, for its grid is exhausted."""
    trials = not_retried(records)
    if len(trials) < config.most_trials or any(not record.state.is_finished() for record in trials):
        return Step("resume", config.name, config.sweeps_dir, "resume it")
    if any(record.outcome is Outcome.FAILED for record in trials):
        retry = {"retry_failed": True}
        return Step("resume", config.name, config.sweeps_dir, "train the failed ones again", retry)
    return grow(config)


def grow(config: SweepConfig) -> Step | None:
    """How a sweep that has used its trials up gets as many again; None if its grid is exhausted."""
    more = config.model_copy(update={"trials": 2 * config.most_trials})
    if more.most_trials == config.most_trials:
        return None
    return Step("resume", config.name, config.sweeps_dir, "let it grow", {"trials": more.most_trials})


def without_completion(config: SweepConfig, records: Sequence[TrialRecord]) -> tuple[str, list[Step]]:
    """What to do about a sweep of which no trial has completed, in one sentence, and the steps in it."""
    steps = [step for step in [go_on(config, records)] if step is not None]
    trials = not_retried(records)
    unfinished = len(trials) < config.most_trials
    if unfinished or any(record.outcome is Outcome.FAILED for record in trials):
        return str(steps[0]), steps
    other = "launch another sweep, with a gentler pruner or another space"
    return "; or ".join([*map(str, steps), other]), steps
