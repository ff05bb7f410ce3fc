"""Names are checked by the rules of who gets them before anything starts, and none is taken for a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.utils.validation as receiver
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from script_runs import run_script
from sweep_makers import sweep_config

from search.config.names import check_experiment, check_metric, check_model_name, check_tags, folder_name
from search.errors import TrackingDown, TrackingRefused, UserError
from search.launching.preflight import check_services
from search.tracking.store import TrackingStore

texts = st.text(max_size=12) | st.text("ab./:@'\\ -_`~%$\n", max_size=8)


@given(texts)
def test_what_is_let_through_mlflow_takes(name: str) -> None:
    for check, theirs in (
        (check_metric, receiver._validate_metric_name),
        (check_experiment, receiver._validate_experiment_name),
        (check_model_name, receiver._validate_model_name),
        (lambda name: check_tags({name: "x"}), receiver._validate_tag_name),
    ):
        try:
            check(name)
        except ValueError:
            continue
        theirs(name)


@pytest.mark.parametrize("name", ["val_acc", "val/acc", "val loss", "top-1.acc"])
def test_usual_metrics_are_let_through(name: str) -> None:
    assert check_metric(name) == name


@pytest.mark.parametrize("name", ["cifar-cnn", "catalog.schema.model", "my model", "größer"])
def test_usual_models_are_let_through(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "a:b", "a@b", "..", "../x", "./x", "a'b", "a\nb", "x" * 257]
)
def test_a_models_name_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        check_model_name(name)
    refused = run_script("retrain", "there-is-none", "--model-name", name)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: --model-name ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("metric", "", "a metric's name is 1 to 244"),
        ("metric", "../acc", "no part of it begins with a dot"),
        ("metric", "acc`", "ASCII letters"),
        ("metric", "a" * 245, "1 to 244"),
        ("experiment", "", "an experiment's name is 1 to 500 printable"),
        ("experiment", "a\nb", "printable"),
        ("experiment", "x" * 501, "1 to 500"),
        ("tags", {"../x": "1"}, "tag '../x': "),
        ("tags", {"x": "y" * 8001}, "tag 'x' has 8001 characters: MLflow takes 8000"),
        ("name", "../x", "a name is 1 to 64"),
    ],
)
def test_a_sweeps_names_are_refused_with_the_rule(field: str, value: Any, why: str) -> None:
    fields = {field: value} | ({"direction": "maximize"} if field == "metric" else {})
    with pytest.raises(ValidationError, match=why):
        sweep_config(**fields)


OUTSIDE = ["{tmp}/abs", "../../x", "..", ".", "a/../../x", "/Users/me/mine", "a b", "ü/ö", "x" * 300, "%2e"]


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tracking store some floors below, for all names: a fresh one takes seconds to make."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "a" / "b" / "store").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_experiment_writes_outside_of_its_root(top: Path, name: str) -> None:
    name = name.format(tmp=top)
    folder = top / "a" / "b" / "store"
    store = TrackingStore(f"sqlite:///{folder}/mlflow.db", sweep_config(experiment=name).experiment)
    run_id = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run_id, "here", "note.txt")
    (note,) = (file for file in top.rglob("note.txt") if run_id in file.parts)
    assert note.relative_to(folder).parts == (
        "mlartifacts",
        folder_name(name),
        run_id,
        "artifacts",
        "note.txt",
    )
    assert store.client.get_experiment_by_name(name).name == name


@given(texts.filter(bool), texts.filter(bool))
def test_a_folders_name_is_one_part_and_its_experiments_own(one: str, other: str) -> None:
    folder = folder_name(one)
    assert Path(folder).parts == (folder,)
    assert not folder.startswith(".")
    assert len(folder.encode()) <= 100
    assert (folder == folder_name(other)) == (one == other)


def test_files_that_cannot_be_written_are_told_as_such(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    root = tmp_path / "mlartifacts"
    root.write_text("in the way")
    with pytest.raises(TrackingRefused, match=f"files go to {root}/mine, and {root} cannot be written"):
        TrackingStore(uri, "mine")
    assert not (tmp_path / "mlflow.db").exists()
    root.unlink()
    store = TrackingStore(uri, "mine")
    run_id = store.client.create_run(store.experiment_id).info.run_id
    root.write_text("in the way")
    with pytest.raises(TrackingDown, match=r"cannot write its files \(.*mlartifacts.*\): make that") as told:
        store.add_files(run_id, [root], None)
    assert "does not answer" not in str(told.value)
    with pytest.raises(UserError, match=f"files go to {root}/mine, and {root} cannot be written"):
        check_services(sweep_config(tmp_path, tracking_uri=uri, experiment="mine"))
    TrackingStore(uri, "mine", create=False)  # who reads need not write


def test_an_experiment_in_the_trash_is_told_by_a_dry_run(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = TrackingStore(uri, "mine")
    check_services(sweep_config(tmp_path, tracking_uri=uri, experiment="other"))
    check_services(sweep_config(tmp_path, tracking_uri=uri, experiment="mine"))
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(UserError, match="'mine' is in the trash"):
        check_services(sweep_config(tmp_path, tracking_uri=uri, experiment="mine"))
