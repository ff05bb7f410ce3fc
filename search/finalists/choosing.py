"""Which trials of a sweep are trained again: the best configurations, or the one that was asked for."""

from __future__ import annotations

import warnings

from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.configurations import configurations
from search.results.freezing import best_unfinished, best_unfinished_text
from search.results.next_steps import without_completion
from search.results.summary import SweepSummary
from search.study.records import TrialRecord


def choose_finalists(summary: SweepSummary, top: int, number: int | None = None) -> list[TrialRecord]:
    """The best distinct configurations of a sweep, one trial each, or the one that was asked for.

    A configuration that was tried more than once is one finalist, ranked by the mean of its trials. One that
    somebody added to the study with values that the space does not hold is none, for it cannot be trained.

    Raises:
        UserError: no trial has completed, or there is no such trial, or the space does not hold it.
    """
    if number is not None:
        by_number = {record.number: record for record in summary.records}
        if number not in by_number:
            existing = f"trials 0 to {max(by_number)}" if by_number else "no trials yet"
            raise UserError(f"`trial={number}`: sweep {summary.config.name!r} has {existing}")
        if problem := _not_held(summary.config, by_number[number]):
            raise UserError(f"`trial={number}`: {problem}; choose another")
        return [by_number[number]]
    held = [record for record in summary.leaderboard if not _not_held(summary.config, record)]
    if not held:
        how, steps = without_completion(summary.config, summary.records)
        raise UserError(
            f"sweep {summary.config.name!r} has no completed trial yet: {how}, or name a `trial`"
            f"{_so_far(summary)}",
            *steps,
        )
    return [each.best for each in configurations(held, summary.config.goal)][:top]


def _so_far(summary: SweepSummary) -> str:
    """The trial to name where none has completed: the one that has trained furthest."""
    furthest = best_unfinished(summary.records, summary.config.goal)
    if furthest is None:
        return ""
    return f", such as the best so far, {best_unfinished_text(furthest, summary.config.max_epochs)}"


def _not_held(config: SweepConfig, record: TrialRecord) -> str | None:
    """Why a trial of the study is none of the space, if it is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a value out of range, which is refused below
            config.space.check_values(config.configuration(record.params))
    except ValueError as error:
        return one_line(error)
    return None
