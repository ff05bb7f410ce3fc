"""Draws `learning.svg`: accuracy over minutes of training on all images, from `docs/network.md`.

uv run docs/pictures/learning.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

NETWORK = Path(__file__).parents[1] / "network.md"
COLORS = {"fast": "#2563eb", "ResNet-18": "#64748b"}
_ROW = re.compile(r"\| (?P<name>[^|]+), seed (?P<seed>\d+) \| (?P<seconds>[\d,]+) \| (?P<curve>[\d. |]+) \|")
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "learning",
}
_LABEL: Any = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}


def measured(text: str) -> dict[tuple[str, int], tuple[float, list[float]]]:
    """Of each network and seed its minutes of training, and the accuracy after each epoch."""
    found = {}
    for row in filter(None, map(_ROW.match, text.splitlines())):
        minutes = float(row["seconds"].replace(",", "")) / 60
        curve = [float(each) for each in row["curve"].split(" | ")]
        found[row["name"].strip("`"), int(row["seed"])] = minutes, curve
    return found


def told(trainings: dict[tuple[str, int], tuple[float, list[float]]]) -> str:
    """The ends in words, which the picture has as its description."""
    ends = [
        f"{network} {curve[-1]:g} after {minutes:.0f} minutes"
        for (network, _), (minutes, curve) in trainings.items()
    ]
    return ", ".join(ends)


def main() -> None:
    """Write the picture beside this file."""
    trainings = measured(NETWORK.read_text(encoding="utf-8"))
    with mpl.rc_context(_STYLE):
        figure = Figure((8, 3), layout="constrained")
        axes = figure.subplots()
        for (network, _), (minutes, curve) in trainings.items():
            times = [minutes * (epoch + 1) / len(curve) for epoch in range(len(curve))]
            axes.plot(times, curve, "o-", color=COLORS[network], markersize=3, linewidth=1.4)
        for network, color in COLORS.items():
            ends = [training for (name, _), training in trainings.items() if name == network]
            minutes, curve = max(ends)
            accuracies = " to ".join(f"{each:g}" for each in sorted({curve[-1] for _, curve in ends}))
            words = f"{network} {accuracies}, n = {len(ends)}"
            axes.annotate(words, (minutes, curve[-1]), (8, 0), **_LABEL, color=color)
        axes.set_xlim(0, 1.25 * max(minutes for minutes, _ in trainings.values()))
        axes.set_xlabel("minutes of training on two cores")
        axes.set_ylabel("accuracy on the test images")
        axes.grid(axis="y", linewidth=0.4, color="#e2e8f0")
        about = {"Date": None, "Description": told(trainings)}
        figure.savefig(Path(__file__).with_suffix(".svg"), metadata=about)
    print(told(trainings))


if __name__ == "__main__":
    main()
