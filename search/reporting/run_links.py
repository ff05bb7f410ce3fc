"""Where MLflow shows the runs of a sweep and of its trials, as a page about it links to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.config.credentials import hide
from search.results.summary import SweepSummary
from search.tracking.pages.links import base_url, is_server, run_link

if TYPE_CHECKING:
    from search.tracking.store import SweepPage  # loads MLflow


@dataclass(frozen=True)
class RunLinks:
    """Addresses in MLflow's UI.

    Attributes:
        sweep: of the sweep's own run; None if it is not known.
        trials: by key, of those that have a run.
        first: what to do before they can be opened; empty if nothing.

    Example:
        >>> from pathlib import Path
        >>> from search.results.summary import summarise
        >>> links = RunLinks.of(summarise("night", Path("sweeps")), opens_ui="mlflow ui")
        >>> links.first
        "First open MLflow's UI: mlflow ui"
    """

    sweep: str | None
    trials: dict[str, str]
    first: str

    @classmethod
    def of(
        cls, summary: SweepSummary, page: SweepPage | None = None, opens_ui: str | None = None
    ) -> RunLinks:
        """The addresses of a sweep.

        Args:
            summary: of the sweep.
            page: where its store shows it, if that is known.
            opens_ui: the command that opens the UI on a store which is no server.
        """
        uri = summary.config.tracking_uri
        base, experiment = base_url(uri), None if page is None else page.experiment_id
        runs = {each.key: each.run_id for each in summary.records if each.run_id is not None}
        return cls(
            sweep=None if page is None else run_link(base, page.sweep_run_id, experiment),
            trials={key: run_link(base, run_id, experiment) for key, run_id in runs.items()},
            first="" if is_server(uri) else f"First open MLflow's UI: {opens_ui or f'on {hide(uri)}'}",
        )
