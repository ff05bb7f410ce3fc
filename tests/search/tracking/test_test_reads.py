"""Who has read a test set, as all who share a tracking store know it."""

from __future__ import annotations

from pathlib import Path

from search.tracking.models.test_reads import note_read, reads_in_store
from search.tracking.store import TrackingStore


def test_reads_are_found_in_every_experiment_and_once_each(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mine, theirs = TrackingStore(uri, "mine"), TrackingStore(uri, "theirs")
    assert reads_in_store(mine, "images") == set()
    runs = [
        (store, store.client.create_run(store.experiment_id).info.run_id) for store in (mine, theirs, mine)
    ]
    for (store, run_id), test_set, read in zip(
        runs, ("images", "images", "others"), ("a 1", "b 2", "c 3"), strict=True
    ):
        note_read(store, run_id, test_set, read)
        note_read(store, run_id, test_set, read)
    assert reads_in_store(mine, "images") == reads_in_store(theirs, "images") == {"a 1", "b 2"}
    mine.delete_run(runs[0][1])
    assert reads_in_store(theirs, "images") == {"a 1", "b 2"}, "what was deleted has been seen"
