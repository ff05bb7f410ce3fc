"""What a dry run tells."""

from __future__ import annotations

from scripts.answers import Answer
from scripts.consoles import out
from scripts.documents.sweeps import Plan, PlannedCost
from search.config.sweep_config import SweepConfig
from search.launching.plan import plan_sweep
from search.launching.preflight import check_services


def planned(config: SweepConfig) -> Answer:
    """What a sweep would do; checks placement, memory, storage and tracking on the way."""
    plan = plan_sweep(config)
    check_services(config)

    def document() -> Plan:
        return Plan(
            sweep=config.name,
            metric=config.metric,
            direction=config.direction,
            most_trials=config.most_trials,
            max_epochs=config.max_epochs,
            sampler=config.sampler,
            pruner=config.pruner,
            space=dict(config.space.describe()),
            slots=plan.slots,
            cpus=plan.placement.cpus,
            gpus=plan.placement.gpus,
            cost=None if plan.cost is None else PlannedCost(**vars(plan.cost)),
        )

    def show() -> None:
        for heading, text in plan.lines(config):
            out.print(f"{heading:<10} {text}")
        out.print("\nall checks passed; nothing was started")

    return Answer(document, show)
