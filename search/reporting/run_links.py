"""Where MLflow shows the runs of a sweep and of its trials, as a page about it links to them."""

from __future__ import annotations

from dataclasses import dataclass

from search.config.credentials import hide
from search.results.summary import SweepSummary
from search.tracking.pages.links import base_url, is_server, run_link


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
        >>> RunLinks.of(summarise("night", Path("sweeps")), sweep_run_id="0a1b").sweep
        'http://127.0.0.1:5000/#/runs/0a1b?workflowType=machine_learning'
    """

    sweep: str | None
    trials: dict[str, str]
    first: str

    @classmethod
    def of(
        cls, summary: SweepSummary, sweep_run_id: str | None = None, opens_ui: str | None = None
    ) -> RunLinks:
        """The addresses of a sweep.

        Args:
            summary: of the sweep.
            sweep_run_id: of its own run, if that is known.
            opens_ui: the command that opens the UI on a store which is no server.
        """
        uri = summary.config.tracking_uri
        base = base_url(uri)
        first = "" if is_server(uri) else f"First open MLflow's UI: {opens_ui or f'on {hide(uri)}'}"
        return cls(
            sweep=None if sweep_run_id is None else run_link(base, sweep_run_id),
            trials={each.key: run_link(base, each.run_id) for each in summary.records if each.run_id},
            first=first,
        )
