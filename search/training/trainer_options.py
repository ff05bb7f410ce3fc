"""Which options of Lightning's Trainer a sweep leaves to its user, and who decides the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaces.nearest import unknown

ALLOWED = frozenset(
    {
        "accumulate_grad_batches",
        "benchmark",
        "check_val_every_n_epoch",
        "detect_anomaly",
        "deterministic",
        "enable_autolog_hparams",
        "gradient_clip_algorithm",
        "gradient_clip_val",
        "inference_mode",
        "limit_test_batches",
        "limit_train_batches",
        "limit_val_batches",
        "log_every_n_steps",
        "max_steps",
        "max_time",
        "min_epochs",
        "min_steps",
        "num_sanity_val_steps",
        "overfit_batches",
        "precision",
        "profiler",
        "reload_dataloaders_every_n_epochs",
        "val_check_interval",
    }
)
_ONE_DEVICE = "a trial trains on one device, which `gpus_per_trial` gives it"
_DECIDED: Mapping[str, str] = {
    "accelerator": _ONE_DEVICE,
    "devices": _ONE_DEVICE,
    "num_nodes": _ONE_DEVICE,
    "strategy": _ONE_DEVICE,
    "sync_batchnorm": _ONE_DEVICE,
    "use_distributed_sampler": _ONE_DEVICE,
    "plugins": _ONE_DEVICE,
    "max_epochs": "`max_epochs` of the sweep decides it",
    "callbacks": "name a function that makes them for each trial with `callbacks`",
    "logger": "the sweep's driver logs every trial",
    "enable_checkpointing": "each trial is saved, so that it can go on after anything",
    "enable_progress_bar": "the sweep's own table shows the progress of all trials",
    "enable_model_summary": "the sweep's own table shows the progress of all trials",
    "default_root_dir": "each attempt has a folder of its own, deleted after it",
    "fast_dev_run": "it takes over the loop: give `max_epochs=1` and `limit_train_batches` instead",
    "barebones": "it switches the metrics off that a sweep lives on",
    "limit_predict_batches": "a trial predicts nothing",
    "model_registry": "the best model is registered in MLflow's registry",
}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that do not exist, or that the sweep decides.

    >>> check_options({"devices": 2})
    Traceback (most recent call last):
    ...
    ValueError: Trainer option 'devices': a trial trains on one device, which `gpus_per_trial` gives it

    Raises:
        ValueError: names the option, and what to do instead.
    """
    for name, value in options.items():
        if name in _DECIDED:
            raise ValueError(f"Trainer option {name!r}: {_DECIDED[name]}")
        if name not in ALLOWED:
            raise ValueError(f"unknown Trainer option {unknown(name, ALLOWED)}")
        if name == "check_val_every_n_epoch" and (type(value) is not int or value < 1):
            raise ValueError(
                f"Trainer option {name!r} is {value!r}: give a whole number of epochs, for a report belongs "
                "to an epoch; `limit_train_batches` makes epochs shorter"
            )


def reports(max_epochs: int, options: Mapping[str, Any]) -> int:
    """How many epochs with a validation a whole training has: each is one epoch of the sweep.

    >>> reports(20, {"check_val_every_n_epoch": 2})
    10

    Raises:
        ValueError: there is none.
    """
    every = options.get("check_val_every_n_epoch", 1)
    if every > max_epochs:
        raise ValueError(
            f"no epoch of `max_epochs={max_epochs}` is validated with check_val_every_n_epoch={every}: "
            "give more epochs, or validate more often"
        )
    return int(max_epochs // every)
