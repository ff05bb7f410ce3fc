"""Places mean the same from every folder, and a folder of sweeps can be moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sweep_makers import of_version_1, sweep_config

from search.config.places import absolute_place, sqlite_file
from search.config.sweep_config import SweepConfig
from search.errors import UserError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("place", "meant"),
    [
        ("checkpoints", "{here}/checkpoints"),
        ("../checkpoints", "{up}/checkpoints"),
        ("sqlite:///x.db", "sqlite:///{here}/x.db"),
        ("sqlite:///../x.db?timeout=3", "sqlite:///{up}/x.db?timeout=3"),
        ("sqlite+pysqlite:///x.db", "sqlite+pysqlite:///{here}/x.db"),
        ("sqlite:///file:x.db?uri=true", "sqlite:///file:{here}/x.db?uri=true"),
        ("file:runs", "file:{here}/runs"),
        *((each, each) for each in ("/x", "sqlite:////x/y.db", "file:///x", "s3://b/x", "http://host")),
        *((each, each) for each in ("sqlite://", "sqlite:///:memory:", "databricks", "postgresql://db/x")),
    ],
)
def test_what_a_place_means(here: Path, place: str, meant: str) -> None:
    found = absolute_place(place)
    assert found == meant.format(here=here, up=here.parent)
    assert absolute_place(found) == found


def test_the_file_of_a_database(here: Path) -> None:
    assert sqlite_file("sqlite:///x.db?mode=ro") == here / "x.db"
    assert sqlite_file("sqlite:///file:x.db?uri=true") == here / "x.db"
    assert [sqlite_file(url) for url in ("sqlite://", "file:x", "postgresql://db/x", "x.db")] == [None] * 4


RELATIVE: dict[str, Any] = {
    "sweeps_dir": Path("sweeps"),
    "storage": "sqlite:///studies.db",
    "tracking_uri": "sqlite:///mlflow.db",
    "checkpoints": "checkpoints",
    "paths": {"data": "data"},
}


RENAMED_FROM = {"checkpoints": "checkpoint_uri"}


def absolutes(base: Path) -> dict[str, Any]:
    """What `RELATIVE` means, typed in a folder."""
    return {
        "sweeps_dir": base / "sweeps",
        "storage": f"sqlite:///{base}/studies.db",
        "tracking_uri": f"sqlite:///{base}/mlflow.db",
        "checkpoints": f"{base}/checkpoints",
        "paths": {"data": f"{base}/data"},
    }


def places(config: SweepConfig) -> dict[str, Any]:
    return {field: getattr(config, field) for field in RELATIVE}


def test_a_sweep_means_the_same_places_from_every_folder(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = sweep_config(**RELATIVE)
    assert places(config) == absolutes(here)
    config.save()
    monkeypatch.chdir(tmp_path)
    assert SweepConfig.load("try", here / "sweeps") == config
    monkeypatch.chdir(here)
    assert places(SweepConfig.load("try", Path("sweeps"))) == absolutes(here)


def test_defaults_are_absolute_too(here: Path) -> None:
    config = SweepConfig.model_validate(sweep_config().model_dump(exclude={"sweeps_dir", "tracking_uri"}))
    assert config.sweeps_dir == here / "sweeps"
    assert config.tracking_uri == f"sqlite:///{here}/mlflow.db"


@pytest.mark.parametrize("kind", ["sweep", "retrain"])
def test_what_lies_in_the_sweeps_folder_moves_with_it(here: Path, tmp_path: Path, kind: str) -> None:
    below = "sweeps" if kind == "sweep" else f"sweeps/night/{kind}"
    fields = {
        "storage": "sqlite:///sweeps/studies.db",
        "tracking_uri": "sqlite:///sweeps/mlflow.db",
        "checkpoints": f"{below}/try/elsewhere",
    }
    sweep_config(Path(below), kind=kind, **fields).save()
    (here / "sweeps").rename(tmp_path / "moved")
    there = SweepConfig.load("try", tmp_path / below.replace("sweeps", "moved"))
    assert there.storage == f"sqlite:///{tmp_path}/moved/studies.db"
    assert there.tracking_uri == f"sqlite:///{tmp_path}/moved/mlflow.db"
    assert there.checkpoints == f"{there.folder}/elsewhere"


@pytest.mark.parametrize("kind", ["sweep", "confirm"])
def test_an_earlier_versions_relative_places_go_from_the_folder_of_the_sweeps_folder(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    below = "sweeps" if kind == "sweep" else f"sweeps/night/{kind}"
    config = sweep_config(Path(below), kind=kind)
    config.save()
    file = config.folder / "sweep.json"
    old = of_version_1(json.loads(file.read_text()))
    del old["version"], old["study_id"]
    old |= {RENAMED_FROM.get(field, field): place for field, place in RELATIVE.items()}
    del old["sweeps_dir"]
    file.write_text(json.dumps(old))
    monkeypatch.chdir(tmp_path)
    assert places(SweepConfig.load("try", here / below)) == {**absolutes(here), "sweeps_dir": here / below}


def test_a_folder_under_another_name_is_refused(here: Path) -> None:
    sweep_config(Path("sweeps")).save()
    Path("sweeps/try").rename("sweeps/other")
    with pytest.raises(UserError, match=r"sweeps/other is sweep 'try', .*give the folder its name again"):
        SweepConfig.load("other", Path("sweeps"))
