"""What is drawn of a sweep.

For others: `figures` (interactive ones), `paper_figures` (PDF, SVG and PNG), `report` (the page that
holds them), `finalists_table` (a confirmation as rows of text).
"""
