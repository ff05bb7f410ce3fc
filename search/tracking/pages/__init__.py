"""The MLflow UI: its server, links into it, and the views that it opens with.

For others: `sweep_page` and its `links`, the `comparison_link` of some trials, and `serve_ui`; for pages of
others `base_url`, whether that `is_server`, the `run_link` of a run and the `artifact_page` of a file; the
store writes the `leaderboard_view` and the `charts_view` of a sweep.
"""
