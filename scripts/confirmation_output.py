"""What `retrain_best.py` does and shows of the finalists: trained with fresh seeds, compared."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from scripts.consoles import err, out, stdout_for_results
from search.config.sweep_config import SweepConfig
from search.errors import TrackingDown
from search.finalists.confirm import Confirmation, confirm
from search.finalists.repeats import failure_summary
from search.reporting import finalists_table
from search.results.summary import SweepSummary
from search.study.records import TrialRecord


def confirm_and_tell(
    config: SweepConfig, finalists: Sequence[TrialRecord], *, retry_failed: bool
) -> tuple[Confirmation, str | None]:
    """Confirm the finalists; with what MLflow lacks of it, in words."""
    with stdout_for_results():
        confirmation, result = confirm(config, finalists, retry_failed=retry_failed)
    if failures := failure_summary(result.records):
        err.print(f"of the trainings that were to confirm, {failures}")
    from search.tracking.confirmation import log_confirmation
    from search.tracking.store import TrackingStore

    missing = result.view_missing
    try:
        if result.page is not None:
            store = TrackingStore(config.tracking_uri, config.experiment, create=False)
            log_confirmation(
                store,
                result.page.sweep_run_id,
                confirmation.winner.record.key,
                confirmation.figures,
                confirmation.to_json(),
            )
    except TrackingDown as error:
        missing = str(error)
    if missing:
        err.print(
            f"the confirmation is not whole in MLflow ({missing}): run the command again to complete it"
        )
    return confirmation, missing


def print_confirmation(summary: SweepSummary, confirmation: Confirmation, sure: float) -> None:
    """The finalists, the winner first: claimed and confirmed scores, intervals, chances; and why no more."""
    metric = summary.config.metric
    table = Table(box=None, pad_edge=False, title=f"{metric} of the finalists", title_justify="left")
    for heading in finalists_table.HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in finalists_table.finalist_rows(confirmation):
        table.add_row(*row)
    out.print(table)
    for finalist in confirmation.finalists:
        if finalist.failed:
            out.print(
                f"{finalist.record.key}: {finalist.failed} of its seeds failed, so it comes after those of "
                "which none did; the others alone tell too good a story"
            )
    for record in confirmation.unconfirmed:
        out.print(f"{record.key}: all of its seeds failed, so it is out")
    if confirmation.winner.estimate.low is None:
        out.print("one seed each says nothing of the spread between seeds: --seeds 3 does")
    elif confirmation.trained < confirmation.most:
        out.print(
            f"{confirmation.winner.record.key} is the best with P >= {sure:g} after {confirmation.trained} "
            f"trainings of at most {confirmation.most}"
        )
    elif (chance := confirmation.winner.estimate.probability_best) is not None and chance < sure:
        out.print(
            f"all {confirmation.most} trainings are used, and P(best) is not {sure:g}: more --seeds go on "
            "from here"
        )
