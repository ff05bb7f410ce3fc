"""A sweep of your own training function: a linear classifier that learns digits in passes.

    uv run examples/own_training.py

Run it again and it continues where it was; delete sweeps/own-training to begin anew.
"""

import logging
import pickle
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from search import SearchSpace, SweepConfig, TrialContext, run_sweep

SPACE = SearchSpace(
    name="linear",
    description="A linear classifier trained by stochastic gradient descent.",
    parameters={
        "alpha": FloatDistribution(1e-6, 1e-1, log=True),
        "loss": CategoricalDistribution(["hinge", "log_loss"]),
    },
)


def train(params: Mapping[str, Any], context: TrialContext) -> None:
    """One trial: an epoch at a time, each reported with a checkpoint to go on from."""
    images, labels = load_digits(return_X_y=True)
    train_x, val_x, train_y, val_y = train_test_split(images / 16, labels, random_state=0)
    model = SGDClassifier(random_state=context.seed, **params)
    if context.checkpoint:
        model = pickle.loads((context.checkpoint / "model.pkl").read_bytes())
    for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
        order = np.random.default_rng([context.seed, epoch]).permutation(len(train_x))
        model.partial_fit(train_x[order], train_y[order], classes=np.arange(10))
        (context.scratch / "model.pkl").write_bytes(pickle.dumps(model))
        context.report(epoch, {"val_acc": model.score(val_x, val_y)}, checkpoint=context.scratch)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    config = SweepConfig(name="own-training", space=SPACE, objective=train, max_epochs=9, trials=20)
    result = run_sweep(config)
    for trial in result.leaderboard[:3]:
        print(f"{trial.key}  val_acc {trial.value:.4f}  {dict(trial.params)}")
    for trial in result.records:
        if trial.error:
            print(f"{trial.key}  {trial.error.strip().splitlines()[-1]}")
    if result.stop:
        print(f"{result.stop.value}; run this again to go on")
    if result.view_missing:
        print(f"MLflow is behind: {result.view_missing}; run this again to complete it")
    sys.exit(0 if result.succeeded else 1)
