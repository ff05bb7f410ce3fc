"""What `list_sweeps.py` tells: a table of sweeps, and why some of them cannot be read."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from pydantic import ByteSize

from scripts.commands import in_options, typed
from scripts.consoles import out
from scripts.documents.sweeps import Listing
from scripts.screen import table
from search.results.digits import NONE, score
from search.results.listing import Listed


def listing(sweeps: Sequence[Listed]) -> Listing:
    """The same for programs."""
    return Listing.model_validate({"sweeps": [sweep.to_json() for sweep in sweeps]})


def print_sweeps(sweeps: Sequence[Listed], sweeps_dir: Path) -> None:
    """A row for each sweep, and a line for each that cannot be read."""
    if not sweeps:
        out.print(f"no sweep in {sweeps_dir}; launch one with:  {typed('launch_sweep.py')}")
        return
    cells = {
        "sweep": [sweep.name for sweep in sweeps],
        "state": [str(sweep.state) for sweep in sweeps],
        "best": [_best(sweep) for sweep in sweeps],
        "trials": [str(sum(sweep.trials.values())) for sweep in sweeps],
        "changed": [_when(sweep.changed_ms) for sweep in sweeps],
        "size": [ByteSize(sweep.bytes).human_readable(decimal=True) for sweep in sweeps],
    }
    kept = len(cells)
    cells["of which"] = [_outcomes(sweep) for sweep in sweeps]
    out.print(table(cells, kept))
    for sweep in sweeps:
        if sweep.error is not None:
            out.print(f"{sweep.name} cannot be read: {in_options(sweep.error)}")


def _best(sweep: Listed) -> str:
    if sweep.config is None or sweep.best is None:
        return NONE
    return f"{sweep.config.metric} {score(sweep.best.value)}"


def _when(ms: int | None) -> str:
    """Local time, as people look for it."""
    return NONE if ms is None else datetime.datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M")


def _outcomes(sweep: Listed) -> str:
    """`2 complete, 1 pruned`; what nobody works on does not run."""
    unended = "running" if sweep.driver else "unfinished"
    counted = {unended if outcome == "running" else outcome: n for outcome, n in sweep.trials.items()}
    return ", ".join(f"{count} {outcome}" for outcome, count in counted.items()) or NONE
