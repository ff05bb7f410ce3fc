"""Saved models: written, registered, found and loaded again.

For others: a retraining builds a `ModelCard` or a `ModuleCard`, calls `save_model` or `save_module` (or hears
that it is `NotExported`), `log_model` and `register`, with what was `Tested` (of images `ACCURACY`), and
shows its `Registration`; it tells with `note_read` that it has read a test set, and hears from
`reads_in_store` who has; who serves asks `in_a_store` and `model_store` where a model is, and calls
`load_model`, which needs neither Ray nor Optuna.
"""
