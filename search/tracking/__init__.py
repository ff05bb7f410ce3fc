"""The MLflow view of a sweep. The only package that imports mlflow."""

import os

# MLflow's own retries hold a call for many minutes when its server is away. The view tries again by
# itself, and a launch wants to know at once.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
# It prints a run's address at its end, with the name and password of the URI.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
