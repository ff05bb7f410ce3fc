"""Draws `freeze_and_thaw.svg`: a sweep that freezes trials, decided by the policy itself on made-up curves.

uv run docs/pictures/freeze_and_thaw.py
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.policy.making import make_policy
from search.results.freezing import rungs
from search.study.ledger import Ledger
from search.study.promotion import Thaw
from search.study.records import Epoch, TrialRecord
from spaces.registry import load_space

EPOCHS = 27
NEW, THAWED, WHOLE = "#0891b2", "#f59e0b", "#2563eb"
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "freeze",
    "svg.fonttype": "none",
}


def accuracy(params: dict[str, Any], epoch: int) -> float:
    """A learning curve: the better the learning rate the higher it ends, and the deeper the later."""
    top = 0.2 + 0.7 * math.exp(-((math.log10(params["lr"]) + 1.2) ** 2))
    return top - (top - 0.1) * math.exp(-epoch / (1 + 2 * params["depth"]))


def swept() -> list[tuple[TrialRecord, int, int, int]]:
    """Each hand-out in order: the trial, the epochs of the budget before it, its own first and last."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config = SweepConfig(
        name="drawn",
        space=load_space("quickstart"),
        objective="math:sqrt",
        max_epochs=EPOCHS,
        budget="6x",
        sampler="random",
        pruner="promotion",
    )
    ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
    made, spent = [], 0
    while (choice := ledger.choose()) is not None:
        number = (ledger.thaw(choice) if isinstance(choice, Thaw) else ledger.ask(choice)).number
        record = ledger.start(number)
        first, last = len(record.epochs) + 1, choice.until or EPOCHS
        for epoch in range(first, last + 1):
            value = {"val_acc": accuracy(dict(record.params), epoch)}
            ledger.report(number, Epoch(epoch, value, 0, "host:1", checkpoint="kept"))
        if choice.until is None:
            ledger.complete(number)
        made.append((number, spent, first, last))
        spent += last - first + 1
    ledger.end_frozen()
    records = ledger.records()
    return [(records[number], before, first, last) for number, before, first, last in made]


def draw_curves(axes: Axes, records: list[TrialRecord]) -> None:
    """Value by epoch: where each trial froze, and which were trained to their ends."""
    for record in records:
        steps = [epoch.epoch for epoch in record.epochs]
        values = [epoch.metrics["val_acc"] for epoch in record.epochs]
        whole = record.state is TrialState.COMPLETE
        axes.plot(steps, values, color=WHOLE if whole else "#9ca3af", linewidth=1.2 if whole else 0.7)
        frozen = [hand_out.until for hand_out in record.hand_outs if hand_out.until is not None]
        axes.plot(frozen, [values[step - 1] for step in frozen], "d", color=NEW, markersize=3.5)
    axes.set_xscale("log")
    ladder = [rung.epochs for rung in rungs(records)]
    axes.set_xticks([*ladder, EPOCHS], [*map(str, ladder), str(EPOCHS)])
    axes.minorticks_off()
    for rung in ladder:
        axes.axvline(rung, color="#d1d5db", linewidth=0.8, zorder=0)
    axes.set(xlabel="epoch", ylabel="val_acc", title="Every trial freezes at the rungs")
    handles = [
        Line2D([], [], color=NEW, marker="d", linestyle="", markersize=3.5, label="frozen here"),
        Line2D([], [], color=WHOLE, label="trained to its end"),
    ]
    axes.legend(handles=handles, frameon=False, loc="upper left")


def draw_order(axes: Axes, made: list[tuple[TrialRecord, int, int, int]]) -> None:
    """Which trial got which epochs of the budget, in their order."""
    for record, before, first, last in made:
        colour = NEW if first == 1 else WHOLE if last == EPOCHS else THAWED
        axes.plot([before, before + last - first + 1], [record.number] * 2, color=colour, linewidth=3)
    axes.invert_yaxis()
    axes.set(xlabel="epochs of the budget", ylabel="trial", title="A free slot begins a trial or thaws one")
    labels = {NEW: "new, to the first rung", THAWED: "thawed, to a next rung", WHOLE: "thawed, to its end"}
    handles = [Line2D([], [], color=colour, linewidth=3, label=label) for colour, label in labels.items()]
    axes.legend(handles=handles, frameon=False, loc="lower left")


def main() -> None:
    """Write the picture beside this file."""
    made = swept()
    records = list({record.number: record for record, *_ in made}.values())
    with mpl.rc_context(_STYLE):
        figure = Figure((9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_curves(left, records)
        draw_order(right, made)
        file = Path(__file__).with_suffix(".svg")
        figure.savefig(file, metadata={"Date": None})
    print(f"{file.name}: {len(records)} trials, {len(made)} hand-outs")


if __name__ == "__main__":
    main()
