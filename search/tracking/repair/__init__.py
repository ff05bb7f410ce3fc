"""The MLflow view compared with its study, and made exact."""
