"""Where the models of a folder of sweeps are registered, for who serves them from anywhere."""

from __future__ import annotations

from pathlib import Path

from search.config import folder_file
from search.config.credentials import hide, hide_in
from search.config.folder_file import CONFIG_FILE
from search.config.places import absolute, absolute_url, local_path
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
    for file in sorted(absolute(sweeps_dir).glob(f"*/retrain/*/{CONFIG_FILE}")):
        stores.setdefault(_store_of(file), []).append(file.parents[2].name)
    if len(stores) > 1:
        list_of_stores = "; ".join(
            f"{hide(uri)} by {', '.join(dict.fromkeys(by))}" for uri, by in stores.items()
        )
        raise UserError(
            f"the sweeps in {sweeps_dir} have registered models in several stores ({list_of_stores}): "
            "choose one with `tracking_uri`"
        )
    if stores:
        return next(iter(stores))
    usual = absolute_url(_USUAL)
    if (place := local_path(usual)) is not None and place.exists():
        return usual
    raise UserError(
        f"no sweep in {absolute(sweeps_dir)} was retrained, and {place} is not there: name the folder of "
        "the sweeps with `sweeps_dir`, or the store with `tracking_uri`"
    )


def _store_of(file: Path) -> str:
    """The tracking store of a retraining; serving reads nothing else of it, and needs no Optuna for that."""
    try:
        return str(folder_file.read(file.parent)["tracking_uri"])
    except UserError:
        raise
    except (KeyError, OSError, TypeError, ValueError) as error:
        cause = hide_in(" ".join(str(error).split()))
        raise UserError(f"{file} cannot be read ({cause}): restore the file") from error
