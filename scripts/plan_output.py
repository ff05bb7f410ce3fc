"""What a dry run prints."""

from __future__ import annotations

from scripts import cli
from scripts.consoles import out
from search.config.sweep_config import SweepConfig
from search.launching.plan import plan_sweep
from search.launching.preflight import check_services


def print_plan(config: SweepConfig) -> int:
    """Print what a sweep would do; checks placement, memory, storage and tracking on the way."""
    plan = plan_sweep(config)
    check_services(config)
    for heading, text in plan.lines(config):
        out.print(f"{heading:<10} {text}")
    out.print("\nall checks passed; nothing was started")
    return cli.DONE
