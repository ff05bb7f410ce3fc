"""The MLflow view of a sweep. The only package that imports mlflow."""
