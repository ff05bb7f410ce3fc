"""What `compare_trials.py` tells: the best trials of some sweeps, and what each sweep found."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.commands import error_text
from scripts.consoles import err, out
from scripts.documents.sweeps import Comparison
from scripts.screen import leaderboard, print_links
from search.errors import TrackingDown
from search.results.configurations import repeated_text
from search.results.cost import Cost
from search.results.digits import human_seconds, score
from search.results.freezing import (
    best_unfinished,
    best_unfinished_text,
    choices,
    furthest_frozen,
    rungs,
    state_text,
)
from search.results.influence import by_influence
from search.results.leaderboard import causes, counts, latest
from search.results.outlook import outlook
from search.results.size import epochs_used
from search.results.summary import SweepSummary
from search.study.records import Outcome, TrialRecord, not_retried

_MOST_CAUSES = 5  # of failed trials, told of each sweep; an export has them all
_MOST_FROZEN = 3  # told of each sweep, those that have trained furthest


def comparison(summaries: Sequence[SweepSummary], top: int, all_trials: bool) -> Comparison:
    """The same for programs."""
    return Comparison.model_validate({"sweeps": [summary.to_json(top, all_trials) for summary in summaries]})


def print_comparison(
    summaries: Sequence[SweepSummary], best: Sequence[tuple[SweepSummary, TrialRecord]], port: int, ui: bool
) -> None:
    """The best trials of all sweeps, each sweep's summary, and MLflow's comparison of those trials.

    Args:
        summaries: the sweeps.
        best: the trials, each with its sweep.
        port: of MLflow's UI.
        ui: whether that is about to be started.
    """
    from search.tracking.pages.server import comparison_link, links, sweep_page

    if best:
        rows = [(summary.config, record) for summary, record in best]
        first = summaries[0]
        order = list(first.importances) or by_influence(first.config, first.records)
        out.print(leaderboard(rows, first.config, order))
    else:
        out.print(f"no trial has completed yet{_so_far(summaries)}")
    for summary in summaries:
        print_summary(summary)
    if not best:
        return
    try:
        link, left_out = comparison_link(best, port)
        page = sweep_page(summaries[0]) if len(summaries) == 1 else None
    except TrackingDown as error:
        err.print(f"no MLflow link: {error_text(error)}")
        return
    pages = links(page, summaries[0].config, port) if page else []
    print_links([*pages, ("comparison", link)], *(summary.config for summary in summaries), ui=ui)
    if left_out:
        err.print(
            f"{left_out} of these {len(best)} trials are not in it, for that store has no run of theirs"
        )


def _so_far(summaries: Sequence[SweepSummary]) -> str:
    """The trial of each sweep that has trained furthest."""
    told = ""
    for summary in summaries:
        furthest = best_unfinished(summary.records, summary.config.goal)
        if furthest is not None:
            how_far = best_unfinished_text(furthest, summary.config.max_epochs)
            told += f"; best so far of {summary.config.name}: {how_far}"
    return told


def print_summary(summary: SweepSummary) -> None:
    """A sweep's counts, why trials failed, importances and what pruning saved."""
    saved = summary.savings
    # Whether a driver is at work on what is RUNNING the study does not tell.
    text = ", ".join(
        f"{n} {'running or interrupted' if outcome is Outcome.RUNNING else outcome}"
        for outcome, n in counts(summary.records).items()
        if n
    )
    out.print(f"{summary.config.name}: {text}")
    for why in causes(not_retried(summary.records))[:_MOST_CAUSES]:
        out.print(f"  {why}")
    if ladder := rungs(summary.records):
        passed = ", ".join(f"{rung.passed} of {rung.reached} at epoch {rung.epochs}" for rung in ladder)
        out.print(f"  went on beyond rungs: {passed}; {epochs_used(summary.config, summary.records)}")
        for record in furthest_frozen(summary.records, summary.config.goal)[:_MOST_FROZEN]:
            so_far = score(latest(record, summary.config.metric))
            state = state_text(record, summary.config.max_epochs)
            out.print(f"  {record.key} {state}: {summary.config.metric} {so_far}")
        out.print(f"  last choice: {choices(summary.records)[-1]}")
    elif saved.epochs_saved:
        share = saved.epochs_saved / (saved.epochs_run + saved.epochs_saved)
        out.print(
            f"  pruning saved {saved.epochs_saved} of {saved.epochs_run + saved.epochs_saved} epochs "
            f"({share:.0%}), about {human_seconds(saved.seconds_saved)} of training"
        )
    if repeated := repeated_text(summary.config, summary.records):
        out.print(f"  {repeated}")
    if cost := Cost.of(summary.records):
        out.print(f"  cost: {cost}")
    if ahead := outlook(summary.config, summary.records):
        out.print(f"  {ahead}")
    if summary.importances:
        text = ", ".join(f"{name} {share:.0%}" for name, share in summary.importances.items())
        out.print(f"  importances: {text}")
