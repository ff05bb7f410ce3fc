"""The MLflow view of a sweep. The only package that imports mlflow.

For others: `TrackingConnection` opens the store while Ray starts, `MlflowView` follows a sweep,
`check_store` and its `NoExperiment` tell beforehand whether there is one; `TrackingStore`, with the
`SweepPage` it shows, `log_confirmation` and `log_report` add to what a sweep has there. The folders `models`,
`pages` and `repair` say what they offer.
"""

import os

# MLflow's own retries hold a call for many minutes when its server is away. The view tries again by
# itself, and a launch wants to know at once.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
# It prints a run's address at its end, with the name and password of the URI.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
