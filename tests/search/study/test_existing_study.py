"""Who reads a sweep makes nothing, and who resumes one makes no study: what is gone is told as gone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from sweep_makers import of_version_1, run_trial, sweep_config

from search.config.sweep_config import SweepConfig
from search.errors import TrackingRefused, UserError
from search.launching.launch import check_new, resumed
from search.launching.preflight import check_services
from search.policy.making import make_policy
from search.reporting.report import write_report
from search.results.summary import summarise
from search.study.checkpoints import CheckpointStore
from search.study.database import opened_storage
from search.study.opening import check_idle, open_study
from search.tracking.connection import TrackingConnection
from search.tracking.pages.server import serve_ui
from search.tracking.repair.sweep_repair import sync_sweep
from search.tracking.store import TrackingStore

READERS: dict[str, Callable[[SweepConfig], object]] = {
    "compare": lambda config: summarise(config.name, config.sweeps_dir),
    "report": lambda config: write_report(
        summarise(config.name, config.sweeps_dir), config.folder / "report.html"
    ),
    "retrain": check_idle,
    "sync": lambda config: sync_sweep(config.name, config.sweeps_dir),
    "resume": lambda config: resumed(config.name, config.sweeps_dir, changes={}),
    "drive": lambda config: open_study(config, make_policy(config)).__enter__(),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def config(here: Path) -> SweepConfig:
    """A sweep with a finished trial, in a database of its own place."""
    config = sweep_config(Path("sweeps"), storage="sqlite:///studies.db", space_source=None)
    with open_study(config, make_policy(config)) as (ledger, _):
        CheckpointStore(config.checkpoint_root).claim(ledger.sweep_id)
        run_trial(ledger, [0.5])
    return config


def everything(folder: Path) -> dict[Path, bytes]:
    """All files below a folder, and what is in them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {file: file.read_bytes() for file in files}


def refused(read: Callable[[SweepConfig], object], config: SweepConfig, why: str) -> str:
    """What a reader is told, who has made and changed nothing."""
    before = everything(config.sweeps_dir.parent)
    with pytest.raises(UserError, match=why) as refusal:
        read(config)
    assert everything(config.sweeps_dir.parent) == before
    return str(refusal.value)


@pytest.mark.parametrize("reader", READERS)
def test_a_study_whose_database_is_gone(config: SweepConfig, here: Path, reader: str) -> None:
    (here / "studies.db").rename(here.parent / "studies.db")
    told = refused(
        READERS[reader],
        config,
        f"study of sweep 'try' is gone: {here}/studies.db is not there. .*if it was moved, "
        "say where with `storage=URL`",
    )
    assert "checkpoints" not in told


@pytest.mark.parametrize("reader", READERS)
def test_a_study_that_is_not_in_its_database(config: SweepConfig, here: Path, reader: str) -> None:
    (here / "studies.db").unlink()
    sqlite3.connect(here / "studies.db").execute("CREATE TABLE others (x INTEGER)").connection.close()
    refused(READERS[reader], config, "is gone: sqlite:///.*/studies.db has no studies")
    (here / "studies.db").unlink()
    with opened_storage(str(config.storage)):
        pass
    refused(READERS[reader], config, "is gone: sqlite:///.*/studies.db has no study of that name")
    with opened_storage(str(config.storage)) as storage:
        optuna.create_study(study_name="try", storage=storage).set_user_attr("sweep_id", "another")
    known = json.loads((config.folder / "sweep.json").read_text())["study_id"]
    refused(READERS[reader], config, f"has another of that name, id another and not {known}")


@pytest.mark.parametrize("reader", [name for name in READERS if name not in ("resume", "drive")])
def test_a_sweep_whose_launch_was_cut_short_has_no_study_yet(here: Path, reader: str) -> None:
    config = sweep_config(Path("sweeps"))
    config.save()
    refused(READERS[reader], config, "was cut short: resume it")
    with open_study(
        resumed("try", Path("sweeps"), changes={}),
        make_policy(resumed("try", Path("sweeps"), changes={})),
    ):
        pass
    assert summarise("try", Path("sweeps")).records == []


def test_an_earlier_versions_sweep_is_known_by_its_checkpoints(config: SweepConfig, here: Path) -> None:
    file = config.folder / "sweep.json"
    old = of_version_1(json.loads(file.read_text()))
    del old["version"], old["study_id"]
    file.write_text(json.dumps(old))
    assert len(summarise("try", Path("sweeps")).records) == 1
    (here / "studies.db").unlink()
    for reader in READERS.values():
        refused(reader, config, "is gone: .*studies.db is not there")


def test_a_launch_does_not_take_over_another_sweeps_checkpoints(config: SweepConfig, tmp_path: Path) -> None:
    elsewhere = sweep_config(tmp_path / "elsewhere", checkpoints=str(config.folder))
    shutil.copytree(config.folder / "checkpoints", config.folder / "try")
    with pytest.raises(UserError, match=r"are those of another study .*: choose another name, or other"):
        open_study(elsewhere, make_policy(elsewhere)).__enter__()
    assert [path.name for path in elsewhere.folder.iterdir()] == []


def test_a_study_that_was_moved_is_gone_on_with(config: SweepConfig, here: Path) -> None:
    moved = f"sqlite:///{(here / 'studies.db').rename(here.parent / 'moved.db')}"
    again = resumed(
        "try",
        Path("sweeps"),
        changes={"storage": moved, "tracking_uri": "sqlite:///m.db"},
    )
    with open_study(again, make_policy(again)) as (ledger, _):
        assert len(ledger.records()) == 1
    assert len(summarise("try", Path("sweeps")).records) == 1
    assert SweepConfig.load("try", Path("sweeps")).storage == moved


def test_a_sweep_means_the_same_study_from_another_folder(
    config: SweepConfig, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_study(
        SweepConfig.load("try", here / "sweeps"), make_policy(SweepConfig.load("try", here / "sweeps"))
    ) as (ledger, _):
        assert len(ledger.records()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_launch_and_its_dry_run_look_without_making_anything(here: Path) -> None:
    for name in ("studies.db", "mlflow.db"):
        sqlite3.connect(here / name).execute("CREATE TABLE others (x INTEGER)").connection.close()
    config = sweep_config(Path("sweeps"), storage="sqlite:///studies.db")
    before = everything(here)
    check_new(config)
    check_services(config)
    assert everything(here) == before


def test_a_tracking_store_that_is_not_there_is_not_made_to_be_read(here: Path) -> None:
    with pytest.raises(TrackingRefused, match=rf"{here}/mlflow.db is not there: if it was moved"):
        TrackingStore("sqlite:///mlflow.db", "mine", create=False)
    with pytest.raises(UserError, match=rf"tracking store {here}/mlflow.db is not there"):
        serve_ui("sqlite:///mlflow.db", 5000, print)
    assert everything(here) == {}
    TrackingStore("sqlite:///mlflow.db", "mine")
    with pytest.raises(TrackingRefused, match="has no experiment 'other'"):
        TrackingStore("sqlite:///mlflow.db", "other", create=False)
    TrackingStore("sqlite:///mlflow.db", "mine", create=False)


def test_a_resume_does_not_make_a_tracking_store_anew(config: SweepConfig, here: Path) -> None:
    resume = READERS["resume"]
    there = rf"tracking store of sweep 'try' is not there \({here}/mlflow.db\)"
    refused(resume, config, f"{there}: .*`tracking_uri=URI`; if it is lost, rebuild it from the study")
    with TrackingConnection(config) as tracking:
        tracking.open()
        with pytest.raises(TrackingRefused):
            tracking.connect()
    assert not (here / "mlflow.db").exists()
    sync_sweep("try", Path("sweeps"))
    resume(config)


def test_a_moved_folder_says_where_its_tracking_store_lies_now(
    config: SweepConfig, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_sweep("try", Path("sweeps"))
    there = here.rename(here.with_name("there"))
    monkeypatch.chdir(there)
    moved = SweepConfig.load("try", there / "sweeps")
    changes = {"storage": f"sqlite:///{there}/studies.db"}
    with pytest.raises(UserError, match=r"`tracking_uri=sqlite:///\S+/there/mlflow.db`; ") as refusal:
        resumed("try", moved.sweeps_dir, changes=changes)
    uri = str(refusal.value).partition("`tracking_uri=")[2].partition("`")[0]
    again = resumed("try", moved.sweeps_dir, changes={**changes, "tracking_uri": uri})
    assert again.tracking_uri == f"sqlite:///{there}/mlflow.db"
    assert not here.exists()
