"""The MLflow view of a sweep repaired from its study, with the sweep's lease held."""

from __future__ import annotations

from pathlib import Path

from search.config.places import local_path
from search.config.sweep_config import SweepConfig
from search.errors import SweepFailed, TrackingDown, TrackingRefused
from search.study.lease import Lease
from search.study.opening import existing_study
from search.study.reading import records_of
from search.tracking.repair.view_repair import Repairs, sync_view
from search.tracking.store import TrackingStore


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
    with existing_study(config) as (storage, study), Lease.hold(storage.engine, config.name):
        uri = tracking_uri or config.tracking_uri
        place = local_path(uri)
        # One that is lost is made anew, but not where nothing is left of the folder that it was in.
        create = place is None or place.parent.is_dir()
        try:
            store = TrackingStore(uri, config.experiment, create=create)
            return sync_view(store, config, str(study.user_attrs["sweep_id"]), records_of(study))
        except TrackingRefused as error:
            raise SweepFailed(str(error)) from error
        except TrackingDown as error:
            raise SweepFailed(f"{error}: run the command again") from error
