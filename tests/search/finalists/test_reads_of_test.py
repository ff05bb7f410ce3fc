"""Reads of a test set: once for each retraining, of all sweeps in a folder, none lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from sweep_makers import sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.finalists.reads_of_test import note_test_read, read_of, reads_of_set, reads_of_test


def saved(folder: Path, name: str, digest: str = "abc-1") -> SweepConfig:
    """A sweep in its folder."""
    note = DatasetNote(name="digits", digest=digest, sizes={"train": 1}, classes=2)
    config = sweep_config(folder, name=name, dataset=note)
    config.save()
    return config


def test_reads_are_counted_across_sweeps_by_the_test_set(tmp_path: Path) -> None:
    night, day, other = saved(tmp_path, "night"), saved(tmp_path, "day"), saved(tmp_path, "other")
    assert reads_of_set(night, "images") == set()
    for sweep, retraining, test_set in (
        (night, "night.retrain-000-e1", "images"),
        (night, "night.retrain-000-e1", "images"),  # resumed, or with more seeds
        (night, "night.retrain-001-e1", "images"),
        (day, "day.retrain-000-e1", "images"),
        (other, "other.retrain-000-e1", "other images"),
    ):
        note_test_read(sweep, retraining, test_set)
    assert reads_of_test(night) == 2
    reads = reads_of_set(day, "images")
    assert reads == reads_of_set(night, "images")
    assert sorted(read.split()[0] for read in reads) == [
        "day.retrain-000-e1",
        "night.retrain-000-e1",
        "night.retrain-001-e1",
    ]
    assert read_of(day, "day.retrain-000-e1") in reads
    assert read_of(day, "day.retrain-001-e1") is None


def test_a_read_from_before_test_sets_had_a_digest_counts_for_the_same_images(tmp_path: Path) -> None:
    night = saved(tmp_path, "night")
    earlier = [{"retraining": "retrain-000", "time_ms": 7, "again": False}]
    for sweep in (saved(tmp_path, "same", "abc-2"), saved(tmp_path, "other", "xyz-1")):
        (sweep.folder / "reads_of_test.json").write_text(json.dumps(earlier))
    assert reads_of_set(night, "images") == {"retrain-000 7"}


def test_retrainings_that_read_at_the_same_time_are_all_noted(tmp_path: Path) -> None:
    night = saved(tmp_path, "night")
    names = [f"retrain-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(note_test_read, night, test_set="images"), names))
    assert {read.split()[0] for read in reads_of_set(night, "images")} == set(names)
