"""What `--finish` does and shows: the budgets before, the best confirmed and retrained, what was spent."""

from __future__ import annotations

import time

from scripts.answers import Answer
from scripts.commands import command
from scripts.consoles import err, out
from scripts.retrain_output import retrain_and_print
from scripts.waiting import waiting
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.errors import SweepFailed, UserError
from search.finalists.finishing import Time, plan_finish
from search.finalists.retrain import default_model_name
from search.finalists.spending import Spending, spending
from search.results.summary import summarise


def finish_and_print(result: SweepResult) -> Answer:
    """Confirm, retrain and register out of what is left of the sweep's budgets."""
    config, began = result.config, time.monotonic()
    summary = summarise(config.name, config.sweeps_dir)
    out.print()
    try:
        with waiting("looking at the images that the best is retrained on"):
            plan = plan_finish(summary, _time_left(result))
    except UserError as error:  # what was asked for was sound, and the search is done
        raise SweepFailed(str(error)) from error
    try:
        finished = retrain_and_print(
            summary,
            plan.finalists,
            confirmations=plan.confirmations,
            seeds=plan.retrainings,
            images=plan.images,
            model_name=default_model_name(config),
        )
    except SweepFailed:
        err.print(f"finishing goes on with:  {command('resume_sweep.py', config)}")
        raise
    seconds = result.seconds + time.monotonic() - began
    print_spending(spending(config, summary.records), config, seconds)
    return finished


def _time_left(result: SweepResult) -> Time | None:
    if result.config.time_budget is None:
        return None
    slots = 1 if result.utilisation is None else result.utilisation.slots
    return Time(result.config.time_budget - result.seconds, slots)


def print_spending(spent: Spending, config: SweepConfig, seconds: float) -> None:
    """What a sweep has spent of its budgets, what is left, and what was saved."""
    for heading, text in spent.lines(config, seconds):
        out.print(f"{heading}: {text}")
