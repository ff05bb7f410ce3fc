"""What launching and resuming show: progress while a sweep runs, and how it ended."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts import cli
from scripts.answers import Answer
from scripts.commands import command, in_options, installed, step_command
from scripts.consoles import err, out, stdout_for_results
from scripts.documents.parts import Document
from scripts.documents.sweeps import SweepEnd
from scripts.finish_output import finish_and_print, print_spending
from scripts.screen import leaderboard, print_links, run_links
from scripts.waiting import waiting
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.engine.ending import INTERRUPTED
from search.engine.observers import Stop
from search.errors import Step, TrackingDown
from search.finalists.spending import spending
from search.launching.plan import budgets
from search.results.configurations import repeated_text
from search.results.cost import Cost
from search.results.digits import human_seconds
from search.results.freezing import best_unfinished, best_unfinished_text
from search.results.influence import by_influence
from search.results.leaderboard import cause, counts, failure_text
from search.results.next_steps import go_on, without_completion
from search.results.outlook import outlook
from search.results.summary import SweepSummary, summarise, trial_json
from search.study.records import Outcome, TrialRecord, not_retried

_UNFINISHED = (Stop.INTERRUPTED, Stop.FAILURES)
_TOP = 5  # rows of the leaderboard that ends a sweep


def run_and_print(config: SweepConfig, retry_failed: bool = False, skip: Sequence[int] = ()) -> Answer:
    """Run a sweep with its progress shown, print how it ended and, if it is asked for, finish it."""
    for heading, text in budgets(config):
        err.print(f"{heading}: {text}")
    with stdout_for_results():
        result = run_sweep(config, retry_failed=retry_failed, skip=skip)
    finishes = config.finish and result.stop not in _UNFINISHED and result.best is not None
    print_result(result, finishes=finishes)
    code = cli.DONE if result.succeeded and finishes == config.finish else cli.FAILED
    code = INTERRUPTED if result.stop is Stop.INTERRUPTED else code
    if not finishes:
        return Answer(lambda: sweep_end(result), code=code)
    finished = finish_and_print(result)
    print_report(result)
    return Answer(lambda: sweep_end(result, finished.document()), code=code or finished.code)


def go_on_finishing(summary: SweepSummary) -> Answer:
    """Finish a sweep whose search was ended by time, as the launch had begun to when it was stopped."""
    result = SweepResult(summary.config, summary.records, None, None, 0.0, None, None)
    finished = finish_and_print(result)
    print_report(result)
    return Answer(lambda: sweep_end(result, finished.document()), code=finished.code)


def print_result(result: SweepResult, *, finishes: bool = False) -> None:
    """The last screen of a sweep: leaderboard, cost, where to look, what to type next.

    Args:
        result: how it ended.
        finishes: what is next, is done at once.
    """
    config = result.config
    trials = not_retried(result.records)
    summary = counts(trials)
    left, frozen = summary[Outcome.RUNNING], summary[Outcome.FROZEN]
    unfinished = f", {left} unfinished" if left else ""
    of = len(trials) if config.trials is None else config.most_trials
    waiting = f"{frozen} frozen, " if frozen else ""
    diverged = f", {summary[Outcome.DIVERGED]} diverged" if summary[Outcome.DIVERGED] else ""
    if result.leaderboard:
        order = by_influence(config, result.records)
        out.print(leaderboard([(config, record) for record in result.leaderboard[:_TOP]], config, order))
    if repeated := repeated_text(config, result.records):
        out.print(repeated)
    out.print(
        f"{summary[Outcome.COMPLETE]} complete, {waiting}{summary[Outcome.PRUNED]} pruned{diverged}, "
        f"{summary[Outcome.FAILED]} failed{unfinished} of {of} trials"
    )
    out.print(_this_run(result, finishes))
    print_spending(spending(config, result.records), config, result.seconds)
    if ahead := outlook(config, result.records):
        out.print(str(ahead))
    for record in trials:
        if record.outcome is Outcome.FAILED:
            err.print(f"{record.key} {failure_text(record)}")
    _print_page(result)
    interrupted = result.stop is Stop.INTERRUPTED
    if interrupted:  # told first, for a stop that takes too long ends the process, and a report takes seconds
        out.print(f"\n{_next(result)[0]}")
    print_report(result)
    if not finishes and not interrupted:
        out.print(f"\n{_next(result)[0]}")


def sweep_end(result: SweepResult, retraining: Document | None = None) -> SweepEnd:
    """The same for programs, with what finished it."""
    from search.tracking.pages.server import links

    config, used, trials = result.config, result.utilisation, not_retried(result.records)

    def plain(records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
        return [trial_json(record, config.metric) for record in records]

    return SweepEnd.model_validate(
        {
            "sweep": config.name,
            "folder": str(config.folder),
            "metric": config.metric,
            "direction": config.direction,
            "succeeded": result.succeeded,
            "stop": None if result.stop is None else result.stop.name.lower(),
            "seconds": result.seconds,
            "trials": {outcome.value: n for outcome, n in counts(trials).items() if n},
            "most_trials": config.most_trials,
            "leaderboard": plain(result.leaderboard[:_TOP]),
            "failed": plain([record for record in trials if record.outcome is Outcome.FAILED]),
            "utilisation": used and {**vars(used), "efficiency": used.efficiency},
            "cost": None if (cost := Cost.of(result.records)) is None else vars(cost),
            "spending": spending(config, result.records).to_json(config),
            "outlook": None if (ahead := outlook(config, result.records)) is None else vars(ahead),
            "report": str(_report_file(config)),
            "mlflow": {} if result.page is None else dict(links(result.page, config)),
            "missing": [*([result.view_missing] if result.view_missing else []), *result.loggers_missing],
            "retraining": retraining,
            "next": _next(result)[1] if retraining is None else [],
        }
    )


def _this_run(result: SweepResult, finishes: bool) -> str:
    duration = f"this run {human_seconds(result.seconds)}"
    if used := result.utilisation:
        return (
            f"{duration}, of which {human_seconds(used.wall_s)} from the first epoch to the last: "
            f"{used.slots} at a time, {used.efficiency:.0%} of it training, "
            f"{human_seconds(used.tail_s)} of a slot idle at the end"
        )
    since_ms = 1000 * (time.time() - result.seconds)
    trained = any(epoch.timestamp_ms >= since_ms for record in result.records for epoch in record.epochs)
    if trained or not result.succeeded:
        return duration
    step = None if finishes else go_on(result.config, result.records)
    return f"{duration}: nothing was left to train{_then(step)}"


def _print_page(result: SweepResult) -> None:
    from search.tracking.pages.server import links

    if result.view_missing:
        err.print(f"MLflow is behind: {result.view_missing}; once that is fixed, resume the sweep")
    for missing in result.loggers_missing:
        err.print(f"{missing}; once that is fixed, resume the sweep")
    if result.page is not None:
        print_links(links(result.page, result.config), result.config)
    _print_loggers(result.config)


def _print_loggers(config: SweepConfig) -> None:
    """What to type to see what loggers have left in the sweep's folder."""
    if "tensorboard" in config.loggers:
        folder = shlex.quote(str(config.folder / "tensorboard"))
        out.print(f"\nsee it in TensorBoard:  {installed(f'tensorboard --logdir {folder}')}")
    if "wandb" in config.loggers and any((config.folder / "wandb").glob("offline-run-*")):
        folder = shlex.quote(str(config.folder / "wandb"))
        out.print(f"\nsend it to W&B:  {installed(f'wandb sync {folder}/offline-run-*')}")


def _report_file(config: SweepConfig) -> Path:
    return config.folder / "report.html"


def print_report(result: SweepResult) -> None:
    """Write the report beside the study and log it to the sweep's run."""
    from search.reporting.paper_figures import importances_figure  # pyplot, half a second of imports
    from search.reporting.report import write_report  # plotly, a second
    from search.tracking.sweep_report import log_report

    config, page = result.config, result.page
    with waiting("writing the report"):
        summary = summarise(config.name, config.sweeps_dir)
        file = write_report(summary, _report_file(config), run_links(summary, page))
    here = Path.cwd()
    out.print(f"\nreport:  {file.relative_to(here) if file.is_relative_to(here) else file}")
    if page is None:
        return
    try:
        with waiting("adding the report to MLflow"):
            log_report(page, summary, file, importances_figure(summary))
    except TrackingDown as error:
        err.print(f"{error}; the report is not in MLflow")


def _next(result: SweepResult) -> tuple[str, list[str]]:
    """What to do now, in words, and the commands in it."""
    config = result.config
    if result.stop is not None:
        step = go_on(config, result.records)
        if result.stop is Stop.WORTHLESS:
            step = Step(
                "resume", config.name, config.sweeps_dir, "go on all the same", {"no_stop_when": True}
            )
        text = f"{result.stop.value}{_so_far(result)}{_then(step)}"
        return text, [] if step is None else [step_command(step)]
    if result.view_missing or result.loggers_missing:
        what = "the MLflow view" if result.view_missing else "what loggers show"
        resume = command("resume_sweep.py", config)
        return f"complete {what} with:  {resume}", [resume]
    if result.best is not None:
        retrain = command("retrain_best.py", config)
        return f"next, train the best configuration:  {retrain}", [retrain]
    if counts(result.records)[Outcome.DIVERGED]:
        return _divergence(result), []
    how, steps = without_completion(config, result.records)
    text = f"no trial completed; see why above, then {in_options(how, steps)}"
    return text, [step_command(step) for step in steps]


def _then(step: Step | None) -> str:
    return "" if step is None else f"; {step.purpose} with:  {step_command(step)}"


def _so_far(result: SweepResult) -> str:
    """What there is of a sweep that was stopped before any trial was complete."""
    best = None if result.best else best_unfinished(result.records, result.config.goal)
    if best is None:
        return ""
    how_far = best_unfinished_text(best, result.config.max_epochs)
    return f"; no trial is complete yet, best so far {how_far}"


def _divergence(result: SweepResult) -> str:
    """What to do about a sweep in which nothing completed and some trials overflowed."""
    first = next(record for record in result.records if record.outcome is Outcome.DIVERGED)
    return (
        f"no trial completed, {counts(result.records)[Outcome.DIVERGED]} diverged "
        f"({cause(first.error or '')}): launch a new sweep with lower upper ends of what makes steps long "
        "(a learning rate), under another name"
    )
