"""Saved models: written, registered, found and loaded again.

For others: a retraining builds a `ModelCard`, calls `save_model`, `log_model` and `register`, and shows its
`Registration`; who serves asks `in_a_store` and `model_store` where a model is, and calls `load_model`,
which needs neither Ray nor Optuna.
"""
