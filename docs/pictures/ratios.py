"""Draws `ratios.svg`: what a sweep takes, in times of a plain loop, from `docs/performance.md`.

uv run docs/pictures/ratios.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PERFORMANCE = Path(__file__).parents[1] / "performance.md"
OURS, OTHERS, LIMIT = "#2563eb", "#94a3b8", "#0f172a"
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "svg.hashsalt": "ratios",
}


def measured(text: str) -> dict[str, tuple[float, list[float]]]:
    """The median of each tool, and each measurement, in the table's order."""
    found = {}
    for line in text.splitlines():
        row = re.match(r"\| ([^|]+) \| \d+ \|.*\| \*\*([\d.]+)\*\* \((?:.*: )?([\d., ]+)\)", line)
        if row:
            found[row[1]] = float(row[2]), [float(each) for each in row[3].split(", ")]
    return found


def told(tools: dict[str, tuple[float, list[float]]]) -> str:
    """The medians in words, which the picture has as its description."""
    return ", ".join(f"{name}: {median:g}" for name, (median, _) in tools.items())


def main() -> None:
    """Write the picture beside this file."""
    tools = measured(PERFORMANCE.read_text(encoding="utf-8"))
    with mpl.rc_context(_STYLE):
        figure = Figure((8, 2.5), layout="constrained")
        axes = figure.subplots()
        for row, (median, each) in enumerate(tools.values()):
            axes.barh(row, median, color=OTHERS if row else OURS, height=0.6)
            axes.plot(each, [row] * len(each), "|", color=LIMIT, markersize=9, markeredgewidth=0.8)
            axes.text(max(each) + 0.08, row, f"{median:g}", va="center", fontweight="bold")
        axes.axvline(1, color=LIMIT, linewidth=1, linestyle=":")
        axes.set_yticks(range(len(tools)), [f"{name} (n = {len(each)})" for name, (_, each) in tools.items()])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 4.6)
        axes.set_xlabel("times as long as a plain PyTorch loop takes for the same trials")
        about = {"Date": None, "Description": told(tools)}
        figure.savefig(Path(__file__).with_suffix(".svg"), metadata=about)
    print(told(tools))


if __name__ == "__main__":
    main()
