"""From nothing to a served model: launch, compare, retrain, and load elsewhere.

Real training of small networks on the digits. The sweep is launched once, in a process of its own.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.models import Model
from nbclient import NotebookClient
from processes import ROOT, Script
from script_runs import Result, run_script, write_space
from sweep_checks import check_study, check_view, records_in

from cifar_cnn.checkpoint import load_checkpoint, read_checkpoint
from cifar_cnn.export import InferenceModel
from scripts.documents.models import Retraining
from scripts.documents.sweeps import SweepEnd
from search.config.sweep_config import SweepConfig, sweep_names

TRIALS, EPOCHS = 4, 2
# A constant schedule, so that the optimizer's last learning rate is the sampled one.
PARAMETERS = "'lr': FloatDistribution(1e-2, 1, log=True), 'width': IntDistribution(4, 8, step=4)"
FIXED = "'depth': 2, 'schedule': 'constant', 'warmup': 0.0, 'batch_size': 32, 'optimizer': 'sgd'"
LOAD_ELSEWHERE = """
import importlib.util, sys
sys.path = [path for path in sys.path if path != sys.argv[3]]
assert not any(importlib.util.find_spec(name) for name in ("cifar_cnn", "search", "spaces", "scripts"))
import mlflow.pyfunc, numpy
model = mlflow.pyfunc.load_model(sys.argv[1])
numpy.save(sys.argv[2], model.predict(numpy.load(sys.argv[2])))
"""

OTHER_CHAMPION = """
load_champion = load_model
def load_model(*arguments):
    model = load_champion(*arguments)
    model.card["data"]["fingerprint"] = "others"
    return model
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the user works in."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def launched(home: Path) -> Iterator[Script]:
    """The sweep `night`, launched and finished."""
    write_space(home / "my_space.py", PARAMETERS, FIXED)
    sizes = [f"--trials={TRIALS}", f"--max-epochs={EPOCHS}", "--train-size=300", "--val-size=100"]
    more = ["--space=my_space.py", "--concurrency=2", "--keep-checkpoints=2"]
    with Script("launch_sweep.py", "night", *sizes, *more, cwd=home) as script:
        script.until(lambda: bool(script.descendants() and script.ray_folders))
        assert script.wait() == 0, script.stderr
        yield script


@pytest.fixture(scope="module")
def config(home: Path, launched: Script) -> SweepConfig:
    config = SweepConfig.load("night", home / "sweeps")
    assert config.tracking_uri == f"sqlite:///{home / 'mlflow.db'}"
    return config


@pytest.fixture(scope="module")
def retrained(home: Path, launched: Script, local_ray: None) -> Result:
    """The best trial, retrained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        result = run_script("retrain", "night", "--top", 2, "--seeds", 2)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def retraining(config: SweepConfig, retrained: Result) -> SweepConfig:
    """The retraining as the small sweep over seeds that it is."""
    (name,) = sweep_names(config.folder / "retrain")
    loaded = SweepConfig.load(name, config.folder / "retrain")
    # The sweep had 400 of the 1,437 digits that are not the test's.
    assert name == f"night.retrain-{winner(loaded):03d}-e{EPOCHS}-n1437"
    return loaded


@pytest.fixture(scope="module")
def confirming(config: SweepConfig, retrained: Result) -> SweepConfig:
    """The confirmation of the two best as the small sweep that it is."""
    (name,) = sweep_names(config.folder / "confirm")
    return SweepConfig.load(name, config.folder / "confirm")


def winner(retraining: SweepConfig) -> int:
    """Number of the trial that was retrained."""
    return int(retraining.tags["sweep.of_trial"])


def test_study_view_and_checkpoints_agree(config: SweepConfig, launched: Script) -> None:
    records = check_study(config, TRIALS)
    view = check_view(config)
    names = {"train_loss", "train_acc", "val_loss", "val_acc", "images_per_s", "epoch_s"}
    assert all(set(epoch.metrics) == names for record in records for epoch in record.epochs)
    assert view.parent.data.params["depth"] == "2", "what is fixed stands on the parent run"
    assert all(run.inputs.dataset_inputs for run in view.trials)
    best = sorted(records, key=lambda record: -(record.value or 0.0))[: config.keep_checkpoints]
    kept = {path.name for path in (config.folder / "checkpoints").iterdir() if path.is_dir()}
    assert kept == {record.key for record in best}


def test_results_are_on_stdout_and_progress_is_on_stderr(config: SweepConfig, launched: Script) -> None:
    lines = launched.stdout.splitlines()
    assert lines[0].split()[:2] == ["trial", "val_acc"]
    ranked = sorted(records_in(config), key=lambda record: (-(record.value or 0.0), record.number))
    assert [line.split()[:2] for line in lines[1 : TRIALS + 1]] == [
        [record.key, f"{record.value:.4f}"] for record in ranked
    ]
    assert f"{TRIALS} complete, 0 pruned, 0 failed of {TRIALS} trials" in lines[TRIALS + 1]
    assert re.search(r"see it in MLflow: .*compare_trials.py night --ui", launched.stdout)
    assert "http://127.0.0.1:5000/#/experiments/" in launched.stdout
    assert re.search(r"train the best configuration:  uv run \S*scripts/retrain_best.py night", lines[-1])
    for record in ranked:
        assert f"{record.key} complete" in launched.stderr
    assert "done," not in launched.stdout


def test_a_launch_leaves_only_what_it_says(home: Path, launched: Script) -> None:
    launched.wait_for_descendants()
    left = [path for path in launched.temporary.iterdir() if not path.name.startswith("torch")]
    assert left == [], "workers clean their scratch folders up"
    assert not any(folder.exists() for folder in launched.ray_folders)
    assert {path.name for path in (home / "sweeps" / "night").iterdir()} >= {"sweep.json", "study.db"}


def test_comparisons_can_be_read_by_people_and_programs(config: SweepConfig) -> None:
    table = run_script("compare", "night", "--top", 2)
    rows = list(csv.DictReader(io.StringIO(run_script("compare", "night", "--format", "csv").stdout)))
    (summary,) = json.loads(run_script("compare", "night", "--json").stdout)["sweeps"]
    records = {record.number: record for record in records_in(config)}
    assert [int(row["trial"]) for row in rows] == [row["trial"] for row in summary["leaderboard"]]
    for row, told in zip(rows, summary["leaderboard"], strict=True):
        record = records[told["trial"]]
        assert float(row["val_acc"]) == told["value"] == record.value
        assert float(row["lr"]) == told["params"]["lr"] == record.params["lr"]
    assert summary["trials"] == {"complete": TRIALS}
    assert summary["pruning"]["epochs_run"] == TRIALS * EPOCHS
    assert [line.split()[0] for line in table.stdout.splitlines()[1:3]] == [
        records[row["trial"]].key for row in summary["leaderboard"][:2]
    ]
    pages = [line.split()[0] for line in table.stdout.splitlines() if "http://127.0.0.1:5000/#/" in line]
    assert pages == ["leaderboard", "charts", "all", "comparison"]
    assert "/#/compare-runs?runs=" in table.stdout


def test_one_value_all_the_way(config: SweepConfig, retraining: SweepConfig) -> None:
    record = records_in(config)[winner(retraining)]
    lr = record.params["lr"]
    checkpoint = config.folder / "checkpoints" / (record.epochs[-1].checkpoint or "")
    assert load_checkpoint(checkpoint).train_config.lr == lr
    optimizers = read_checkpoint(checkpoint)["optimizer_states"]
    assert [group["lr"] for group in optimizers[0]["param_groups"]] == [lr] * len(
        optimizers[0]["param_groups"]
    )

    told = check_view(config).trials[record.number].data.params["lr"]
    assert told == f"{lr:.6g}"
    assert float(told) != lr, "what follows cannot have come from MLflow's rounded text"
    retrained = records_in(retraining)[0]
    final = retraining.folder / "checkpoints" / (retrained.epochs[-1].checkpoint or "")
    assert load_checkpoint(final).train_config.lr == lr
    metadata = Model.load(str(retraining.folder / "model")).metadata
    assert metadata["train_config"]["lr"] == lr
    assert (metadata["sweep"], metadata["trial"]) == ("night", record.number)


def test_a_retraining_is_tested_once_and_linked(
    config: SweepConfig, retraining: SweepConfig, retrained: Result
) -> None:
    check_study(retraining, 2)
    view = check_view(retraining)
    number = winner(retraining)
    tags = view.parent.data.tags
    assert (tags["sweep.of"], tags["sweep.of_trial"]) == ("night", str(number))
    assert tags["sweep.of_run"] == check_view(config).trials[number].info.run_id
    card = Model.load(str(retraining.folder / "model")).metadata
    assert view.parent.data.metrics["test_acc"] == pytest.approx(np.mean(card["test_accuracies"]))
    assert (
        len({epoch.metrics["train_loss"] for r in records_in(retraining) for epoch in r.epochs}) == 2 * EPOCHS
    )
    model = MlflowClient(config.tracking_uri).get_logged_model(
        tags["sweep.model_uri"].removeprefix("models:/")
    )
    assert model.source_run_id == view.parent.info.run_id
    assert f"model in MLflow  {tags['sweep.model_uri']}" in retrained.stdout
    again = run_script("retrain", "night", "--top", 2, "--seeds", 2)
    assert again.stdout == retrained.stdout, "nothing is trained, tested or registered a second time"
    told = Retraining.model_validate_json(
        run_script("retrain", "night", "--top", 2, "--seeds", 2, "--json").stdout
    )
    assert (told.winner, told.model_uri) == (number, tags["sweep.model_uri"])
    assert told.finalists[0].trial == number
    resumed = SweepEnd.model_validate_json(run_script("resume", "night", "--json").stdout)
    assert (resumed.succeeded, resumed.trials, resumed.missing) == (True, {"complete": TRIALS}, [])


def test_the_finalists_are_confirmed_with_fresh_seeds(
    config: SweepConfig, confirming: SweepConfig, retraining: SweepConfig, retrained: Result
) -> None:
    records = records_in(confirming)
    assert 3 <= len(records) <= 4, "a second seed of one tells how far seeds spread, and may tell the rest"
    check_study(confirming, len(records))
    view = check_view(confirming)
    assert view.parent.data.tags["sweep.of"] == "night"
    assert view.parent.data.tags["sweep.winner"] == f"trial-{winner(retraining):03d}"
    ranked = sorted(records_in(config), key=lambda record: (-(record.value or 0.0), record.number))
    artifacts = Path(view.parent.info.artifact_uri.removeprefix("file://"))
    told = json.loads((artifacts / "confirmation.json").read_text())["finalists"]
    assert {finalist["trial"] for finalist in told} == {record.number for record in ranked[:2]}
    assert told[0]["trial"] == winner(retraining)
    for finalist in told:
        arm = [record.number for record in ranked[:2]].index(finalist["trial"])
        values = [record.value for record in records if record.params["arm"] == arm]
        assert sorted(finalist["values"]) == sorted(values)
        assert finalist["mean"] == pytest.approx(np.mean(values))
        assert finalist["optimism"] == pytest.approx(finalist["claimed"] - np.mean(values))
        assert f"{finalist['mean']:.4f}" in retrained.stdout
    assert sum(finalist["probability_best"] for finalist in told) == pytest.approx(1.0)
    assert view.parent.data.metrics["confirmed_mean"] == pytest.approx(told[0]["mean"])


def test_the_first_model_is_registered_as_champion(config: SweepConfig, retraining: SweepConfig) -> None:
    client = MlflowClient(config.tracking_uri)
    aliases = client.get_registered_model("cifar-cnn").aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {"candidate": "1", "champion": "1"}
    version = client.get_model_version("cifar-cnn", "1")
    assert version.tags["sweep.decision"] == "champion: there was none"
    assert version.tags["sweep.trial"] == str(winner(retraining))


def test_another_retraining_may_not_read_the_test_split_unless_it_is_told_to(
    config: SweepConfig, retrained: Result, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    longer = ("retrain", "night", "--seeds", 1, "--max-epochs", EPOCHS + 1, "--top")
    confirmed = sweep_names(config.folder / "confirm")
    refused = run_script(*longer, 2)
    assert refused.exit_code == 2
    assert sweep_names(config.folder / "confirm") == confirmed, "refused before anything is trained"
    assert "the test split was read for sweep 'night' by night.retrain-" in refused.stderr
    forced = run_script(*longer, 1, "--test-again")
    assert forced.exit_code == 0, forced.stderr
    assert "read by 2 retrainings" in forced.stdout
    assert "not confirmed" in forced.stdout
    assert "undecided: this model was tested with a single seed" in forced.stdout
    reads = json.loads((config.folder / "reads_of_test.json").read_text())
    assert [read["again"] for read in reads] == [False, True]


def test_the_model_loads_where_this_project_is_not(retraining: SweepConfig, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    arguments = [str(retraining.folder / "model"), "images.npy", str(ROOT)]
    subprocess.run(
        [sys.executable, "-I", "-c", LOAD_ELSEWHERE, *arguments],
        cwd=tmp_path,
        check=True,
        env={"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        timeout=120,
    )
    predicted = np.load(tmp_path / "images.npy")
    assert predicted.shape == (5, 10)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-5)
    epoch = records_in(retraining)[0].epochs[-1]
    loaded = load_checkpoint(retraining.folder / "checkpoints" / (epoch.checkpoint or ""))
    import torch

    expected = InferenceModel(loaded)(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("retrained")
def test_the_notebook_explores_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP", "night")
    notebook = nbformat.read(ROOT / "notebooks" / "explore_sweep.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    # What a person does: cells are run twice, and the champion is one of another sweep's images.
    cells = {cell.id: cell for cell in notebook.cells}
    others = nbformat.v4.new_code_cell(OTHER_CHAMPION, id="others")
    again = [
        nbformat.from_dict({**cells[name], "id": f"{name}-again"})
        for name in ("home", "sweep", "champion", "predict")
    ]
    notebook.cells = [*notebook.cells, *again[:2], others, *again[2:]]
    below = {"metadata": {"path": str(home / "sweeps")}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=below).execute()
    shown = {cell.id: str(cell.get("outputs")) for cell in notebook.cells}
    assert f"night: {TRIALS} trials" in shown["sweep"]
    assert shown["sweep-again"].count("night: ") == 1, "what is there is looked at alone"
    assert all("image/png" in shown[cell] for cell in ("curves", "importances", "confirmed", "predict"))
    assert "P(best)" in shown["confirmed"]
    assert "plotly" in shown["figures"]
    assert "the champion learnt from other images (others) than night" in shown["predict-again"]
    assert "image/png" not in shown["predict-again"]
    differences = re.findall(r"[0-9a-f]{32}\s+\d\.\d+\s+(\S+?)\\n", shown["mlflow"] + "\\n")
    assert differences
    assert {float(difference) for difference in differences} == {0.0}
