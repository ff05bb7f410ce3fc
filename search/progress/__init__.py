"""A sweep shown while it runs, by a table that changes in a terminal or a notebook, or by lines.

For others: `live` (follows a sweep and draws it), `terminal` (what is said beside a display stays above it).
"""
