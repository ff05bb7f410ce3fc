"""Drivers and workers of real sweeps killed again and again: what was lost, doubled or left is counted."""
