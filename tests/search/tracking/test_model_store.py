"""Who serves finds the store that the champion was registered in, from whatever folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_runs import run_script
from sweep_makers import sweep_config

from search.errors import UserError
from search.tracking.models.store_of_models import in_a_store, model_store


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder than that of the sweeps, with nothing in it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def retrained(sweeps: Path, name: str, uri: str) -> None:
    """A sweep that was launched and retrained, as far as their files tell it."""
    sweep = sweep_config(sweeps, name=name, tracking_uri="sqlite:////launched/mlflow.db")
    sweep.save()
    sweep_config(sweep.folder / "retrain", name=f"{name}.again", kind="retrain", tracking_uri=uri).save()


def test_the_store_is_that_of_the_retrainings(tmp_path: Path) -> None:
    sweeps = tmp_path / "here" / "sweeps"
    for name in ("day", "night"):
        retrained(sweeps, name, f"sqlite:///{tmp_path}/here/mlflow.db")
    assert model_store(sweeps) == f"sqlite:///{tmp_path}/here/mlflow.db"
    assert model_store(Path("../here/sweeps")) == f"sqlite:///{tmp_path}/here/mlflow.db"


def test_of_several_stores_one_has_to_be_named(tmp_path: Path) -> None:
    retrained(tmp_path, "day", "sqlite:////one.db")
    retrained(tmp_path, "night", "https://me:secret@two")
    told = r"\(sqlite:////one.db by day; https://me:\*\*\*@two by night\): choose one with `tracking_uri`"
    with pytest.raises(UserError, match=told):
        model_store(tmp_path)


def test_without_a_retraining_it_is_the_usual_one_if_that_is_there(tmp_path: Path, elsewhere: Path) -> None:
    sweep_config(tmp_path).save()
    (elsewhere / "mlflow.db").touch()
    assert model_store(tmp_path) == f"sqlite:///{elsewhere}/mlflow.db"


def test_where_nothing_is_the_command_says_where_it_looked(elsewhere: Path) -> None:
    refused = run_script("serve", "--port", 0)
    assert refused.exit_code == 2
    assert f"no sweep in {elsewhere}/sweeps was retrained, and {elsewhere}/mlflow.db is not" in refused.stderr
    assert "--sweeps-dir, or the store with --tracking-uri" in refused.stderr
    assert list(elsewhere.iterdir()) == []


def test_the_command_looks_where_the_sweeps_were_retrained(tmp_path: Path, elsewhere: Path) -> None:
    retrained(tmp_path / "sweeps", "night", f"sqlite:///{tmp_path}/gone.db")
    refused = run_script("serve", "--port", 0, "--sweeps-dir", tmp_path / "sweeps")
    assert refused.exit_code == 2
    assert f"the model is looked for in sqlite:///{tmp_path}/gone.db; --tracking-uri" in refused.stderr
    assert list(elsewhere.iterdir()) == []


def test_a_folder_needs_no_store() -> None:
    assert not in_a_store("sweeps/night/retrain/x/model")
    assert all(in_a_store(model) for model in ("models:/cifar-cnn@champion", "runs:/1/model", "s3://b/m"))
