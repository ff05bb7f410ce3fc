"""The MLflow view of a sweep repaired from its study, with the sweep's lease held."""

from __future__ import annotations

from pathlib import Path

import optuna

from search.config import SweepConfig
from search.errors import SweepFailed, TrackingDown, TrackingRefused, UserError
from search.lease import Lease
from search.ledger import records_of
from search.storage import open_storage
from search.tracking.store import TrackingStore
from search.tracking.sync import Repairs, sync_view


def sync_sweep(name: str, sweeps_dir: Path, tracking_uri: str | None = None) -> Repairs:
    """Make a tracking store show a sweep exactly as its study has it.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        tracking_uri: another store than the sweep's own.

    Raises:
        UserError: there is no such sweep, or a driver is at work on it.
        SweepFailed: the store does not answer, or refuses what is to be written.
    """
    config = SweepConfig.load(name, sweeps_dir)
    storage = open_storage(config.storage_url)
    try:
        study = optuna.load_study(study_name=config.name, storage=storage)
        with Lease.hold(storage.engine, config.name):
            store = TrackingStore(tracking_uri or config.tracking_uri, config.experiment)
            return sync_view(store, config, str(study.user_attrs["sweep_id"]), records_of(study))
    except KeyError as error:
        raise UserError(f"sweep {name!r} has no study in its storage yet: resume it first") from error
    except TrackingRefused as error:
        raise SweepFailed(str(error)) from error
    except TrackingDown as error:
        raise SweepFailed(f"{error}: run the command again") from error
    finally:
        storage.remove_session()
        storage.engine.dispose()
