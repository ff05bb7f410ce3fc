"""What is drawn of a sweep.

For others: `figures` (interactive ones), `paper_figures` (PDF, SVG and PNG), `report` (the page that
holds them) with `run_links` into MLflow, `live` (the page served while a sweep runs), `finalists_table`
(a confirmation as rows of text).
"""
