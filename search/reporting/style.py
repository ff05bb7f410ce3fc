"""One look for all figures: a colour for each outcome, one scale for the metric, one mark for the best.

All can be told apart by people with any of the usual kinds of colour blindness, and on white paper.
"""

from __future__ import annotations

from search.study.records import Outcome

COLOURS = {
    Outcome.COMPLETE: "#0072b2",
    Outcome.PRUNED: "#e69f00",
    Outcome.DIVERGED: "#cc79a7",
    Outcome.FAILED: "#882255",
    Outcome.RUNNING: "#666666",
    Outcome.FROZEN: "#56b4e9",
}
BEST = "#d55e00"
UNFINISHED = "#8a8a8a"  # what did not complete, where colour is the metric's
FAINT = 0.45  # its opacity

NOWHERE = "none"  # where a trial stands that lacks a conditional parameter

# Worst to best: viridis without its light end, which is as good as white on white.
SCALE = ("#35b779", "#1f9e89", "#26828e", "#31688e", "#3e4989", "#482878", "#440154")
