"""What the scripts show: progress and notes on stderr, results on stdout."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table

from scripts import cli
from search.comparison import SweepSummary
from search.config import SweepConfig
from search.dispatch import Stop
from search.driver import SweepResult, run_sweep
from search.errors import TrackingDown
from search.launch import command, resume_command
from search.plan import plan_sweep
from search.progress import Progress, human_seconds
from search.records import TrialRecord
from search.results import counts, savings, shown

_TOP = 5  # rows of the leaderboard that ends a sweep

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def print_plan(config: SweepConfig) -> int:
    """Print what a sweep would do; checks placement, memory, storage and tracking on the way."""
    from search.preflight import check_services

    plan = plan_sweep(config)
    check_services(config)
    for heading, text in plan.lines(config):
        out.print(f"{heading:<10} {text}")
    out.print("\nall checks passed; nothing was started")
    return cli.DONE


def run_and_print(config: SweepConfig, retry_failed: bool = False) -> int:
    """Run a sweep with its progress shown, print how it ended, and give the exit code."""
    # Ray prints what happens to its workers on stdout, whatever it is told.
    with with_progress(config) as progress, contextlib.redirect_stdout(sys.stderr):
        result = run_sweep(config, observers=[progress], retry_failed=retry_failed)
    print_result(result)
    if result.stop is Stop.INTERRUPTED:
        return cli.INTERRUPTED
    return cli.DONE if result.succeeded else cli.FAILED


def with_progress(config: SweepConfig) -> Progress:
    """Say what is about to run, and give the progress to follow it with."""
    what = f"{config.trials} trials of up to {config.max_epochs} epochs, {_data(config)}"
    err.print(f"{config.kind} {config.name}: {what}")
    return Progress(config, err)


def print_result(result: SweepResult) -> None:
    """The last screen of a sweep: leaderboard, cost, where to look, what to type next."""
    config = result.config
    summary = counts(result.records)
    saved = savings(result.records, config.max_epochs)
    if result.leaderboard:
        out.print(leaderboard([(config, record) for record in result.leaderboard[:_TOP]], config))
    out.print(
        f"{summary[TrialState.COMPLETE]} complete, {summary[TrialState.PRUNED]} pruned, "
        f"{summary[TrialState.FAIL]} failed of {config.trials} trials in {human_seconds(result.seconds)}; "
        f"{saved.epochs_run} epochs trained, {saved.epochs_saved} saved by pruning"
    )
    if used := result.utilisation:
        out.print(
            f"{used.slots} at a time, training {used.efficiency:.0%} of {human_seconds(used.wall_s)}; "
            f"{human_seconds(used.tail_s)} of a slot idle at the end"
        )
    for record in result.records:
        if record.state is TrialState.FAIL:
            last_line = (record.error or "").strip().splitlines()[-1:]
            err.print(f"{record.key} failed ({record.stop_reason}): {''.join(last_line)}")
    _print_page(result)
    _print_next(result)


def leaderboard(
    rows: Sequence[tuple[SweepConfig, TrialRecord]], config: SweepConfig, title: str = ""
) -> Table:
    """Trials as a table, in the order given."""
    several = len({row[0].name for row in rows}) > 1
    names = list(dict.fromkeys(name for row in rows for name in row[0].space.parameters))
    table = Table(title=title or None, box=None, pad_edge=False, title_justify="left")
    for heading in (["sweep"] if several else []) + ["trial", config.metric, "epochs", "train time", *names]:
        table.add_column(heading, justify="right", no_wrap=True)
    for owner, record in rows:
        values = (shown(record.params.get(name)) for name in names)
        cells = [
            record.key,
            f"{record.value:.4f}",
            str(len(record.epochs)),
            human_seconds(record.train_seconds),
        ]
        table.add_row(*([owner.name] if several else []), *cells, *values)
    return table


def print_comparison(
    summaries: Sequence[SweepSummary], best: Sequence[tuple[SweepSummary, TrialRecord]], port: int
) -> None:
    """The best trials of all sweeps, each sweep's summary, and MLflow's comparison of those trials."""
    from search.tracking.page import comparison_link

    if best:
        out.print(leaderboard([(summary.config, record) for summary, record in best], summaries[0].config))
    else:
        out.print("no trial has completed yet")
    for summary in summaries:
        print_summary(summary)
    if not best:
        return
    try:
        link = comparison_link(best, port)
    except TrackingDown as error:
        err.print(f"no MLflow link: {error}")
        return
    _print_ui(summaries[0].config)
    out.print(f"  comparison   {link}")


def print_summary(summary: SweepSummary) -> None:
    """A sweep's counts, importances and what pruning saved."""
    by_state, saved = counts(summary.records), summary.savings
    states = ", ".join(f"{n} {state.name.lower()}" for state, n in by_state.items() if n)
    out.print(f"{summary.config.name}: {states}")
    if saved.epochs_saved:
        share = saved.epochs_saved / (saved.epochs_run + saved.epochs_saved)
        out.print(
            f"  pruning saved {saved.epochs_saved} of {saved.epochs_run + saved.epochs_saved} epochs "
            f"({share:.0%}), about {human_seconds(saved.seconds_saved)} of training"
        )
    if summary.importances:
        told = ", ".join(f"{name} {share:.0%}" for name, share in summary.importances.items())
        out.print(f"  importances: {told}")


def _print_page(result: SweepResult) -> None:
    from search.tracking.page import links

    if result.view_missing:
        err.print(f"MLflow is behind: {result.view_missing}; resuming the sweep completes it")
    if result.page is None:
        return
    _print_ui(result.config)
    for name, link in links(result.page, result.config):
        out.print(f"  {name:<12} {link}")


def _print_ui(config: SweepConfig) -> None:
    if config.tracking_uri.startswith(("http://", "https://")):
        out.print("\nsee it in MLflow:")
    else:
        out.print(f"\nsee it in MLflow:  {command('compare_trials.py', config)} --ui")


def _print_next(result: SweepResult) -> None:
    config = result.config
    if result.stop is not None:
        out.print(f"\n{result.stop.value}; go on with:  {resume_command(config)}")
    elif result.view_missing:
        out.print(f"\ncomplete the MLflow view with:  {resume_command(config)}")
    elif result.best is not None:
        out.print(f"\nnext, train the best configuration:  {command('retrain_best.py', config)}")
    else:
        out.print(f"\nno trial completed; see why above, then:  {resume_command(config)} --retry-failed")


def _data(config: SweepConfig) -> str:
    note = config.dataset
    return (
        f"{note.name} ({note.sizes['train']:,} train, {note.sizes['val']:,} val)" if note else "its own data"
    )
