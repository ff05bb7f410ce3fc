"""The MLflow view compared with its study, and made exact.

For others: `sync_sweep` by a sweep's name; `sync_view` and its `Repairs` where store and study are open
already.
"""
