"""What to do next, by what is really left to do of a sweep: no advice that would do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.config.sweep_config import SweepConfig
from search.errors import Step
from search.results.cost import Cost
from search.results.size import hours_used_up, is_used_up
from search.study.records import Outcome, TrialRecord, not_retried


def go_on(config: SweepConfig, records: Sequence[TrialRecord]) -> Step | None:
    """How a sweep comes to more completed trials; None if it cannot, for its grid is exhausted."""
    trials, cost = not_retried(records), Cost.of(records)
    if hours_used_up(config, cost):
        return _more_hours(config, cost)
    if not is_used_up(config, records) or any(not record.state.is_finished() for record in trials):
        return Step("resume", config.name, config.sweeps_dir, "resume it")
    if any(record.outcome is Outcome.FAILED for record in trials):
        retry = {"retry_failed": True}
        return Step("resume", config.name, config.sweeps_dir, "train the failed ones again", retry)
    return _grow(config, len(trials))


def _more_hours(config: SweepConfig, cost: Cost | None) -> Step:
    """How a sweep that has taken its hours gets as many again."""
    assert cost is not None, "no hours are used up where none are known"
    taken = {"core_hours": cost.core_hours, "gpu_hours": cost.gpu_hours}
    limits = {name: getattr(config, name) for name in taken}
    fields = {name: float(f"{2 * max(limit, taken[name]):.2g}") for name, limit in limits.items() if limit}
    return Step("resume", config.name, config.sweeps_dir, "let it go on", fields)


def _grow(config: SweepConfig, trials: int) -> Step | None:
    """How a sweep that has used its size up, with so many trials, gets as much again."""
    fields: dict[str, Any] = {}
    if config.trials is not None:
        fields["trials"] = 2 * max(config.trials, trials)
    if isinstance(config.budget, str):
        fields["budget"] = f"{2 * int(config.budget.removesuffix('x'))}x"
    elif config.budget is not None:
        fields["budget"] = 2 * config.budget
    most = config.model_copy(update=fields).most_trials
    if trials >= most:  # a grid that is exhausted
        return None
    if "trials" in fields:
        fields["trials"] = most
    return Step("resume", config.name, config.sweeps_dir, "let it grow", fields)


def without_completion(config: SweepConfig, records: Sequence[TrialRecord]) -> tuple[str, list[Step]]:
    """What to do about a sweep of which no trial has completed, in one sentence, and the steps in it."""
    steps = [step for step in [go_on(config, records)] if step is not None]
    trials = not_retried(records)
    if not is_used_up(config, records) or any(record.outcome is Outcome.FAILED for record in trials):
        return str(steps[0]), steps
    other = "launch another sweep, with a gentler pruner or another space"
    return "; or ".join([*map(str, steps), other]), steps
