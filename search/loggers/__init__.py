"""Where a sweep's trials are shown beside MLflow: TensorBoard, Weights & Biases; loaded when asked for.

For others: `making` (the loggers of a sweep by name, and whether they can be had).
"""
