"""Where the models of a folder of sweeps are registered, for who serves them from anywhere."""

from __future__ import annotations

from pathlib import Path

from search.config.credentials import hide
from search.config.places import absolute, absolute_url, local_path
from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import UserError

_USUAL = "sqlite:///mlflow.db"  # where a launch in this folder would log


def in_a_store(model: str) -> bool:
    """Whether a model is named as MLflow does, and not as a folder."""
    return "://" in model or model.startswith(("models:/", "runs:/"))


def model_store(sweeps_dir: Path) -> str:
    """URI of the tracking store that the retrainings of a folder's sweeps have registered their models in.

    Without a retraining it is the usual store of the current folder, if that is there.

    Raises:
        UserError: there is none, or there are several; says where it looked, and how to name one.
    """
    stores: dict[str, list[str]] = {}
    for sweep in sweep_names(sweeps_dir):
        retrainings = sweeps_dir / sweep / "retrain"
        for name in sweep_names(retrainings):
            stores.setdefault(SweepConfig.load(name, retrainings).tracking_uri, []).append(sweep)
    if len(stores) > 1:
        told = "; ".join(f"{hide(uri)} by {', '.join(dict.fromkeys(by))}" for uri, by in stores.items())
        raise UserError(
            f"the sweeps in {sweeps_dir} have registered models in several stores ({told}): "
            "choose one with `tracking_uri`"
        )
    if stores:
        return next(iter(stores))
    usual = absolute_url(_USUAL)
    if (file := local_path(usual)) is not None and file.exists():
        return usual
    raise UserError(
        f"no sweep in {absolute(sweeps_dir)} was retrained, and {file} is not there: name the folder of "
        "the sweeps with `sweeps_dir`, or the store with `tracking_uri`"
    )
