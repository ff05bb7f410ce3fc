"""The MLflow view of a sweep. The only package that imports mlflow."""

import os

# MLflow's own retries hold a call for many minutes when its server is away. The view tries again by
# itself, and a launch wants to know at once.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
