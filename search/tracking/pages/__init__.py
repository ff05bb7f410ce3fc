"""The MLflow UI: its server, links into it, and the views that it opens with."""
