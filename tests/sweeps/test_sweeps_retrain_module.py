"""The best of a sweep of one's own LightningModule: confirmed, retrained on other data, tested, served."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from processes import ROOT, Script
from sweep_fixtures import EXAMPLES

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.choosing import choose_finalists
from search.finalists.confirm import confirm, confirm_config
from search.finalists.examine import examine
from search.finalists.repeats import to_repeat_here
from search.finalists.retrain import Retrained, retrain, retrain_config
from search.lightning import lightning_sweep
from search.results.summary import SweepSummary, summarise

pytestmark = pytest.mark.slow

ALL_DATA = """
from torch.utils.data import ConcatDataset, DataLoader
from lightning_mlp import Digits

class AllDigits(Digits):
    def train_dataloader(self):
        return DataLoader(ConcatDataset([self.train, self.val]), self.batch_size, shuffle=True)

    def val_dataloader(self):
        return []
"""


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory, tracking_uri: str, local_ray: None) -> SweepSummary:
    """A small sweep of the example, ready to be trained again."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "all_digits.py").write_text(ALL_DATA)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        patch.syspath_prepend(folder)
        import lightning_mlp

        sweep = lightning_sweep(
            lightning_mlp.Mlp,
            lightning_mlp.Digits,
            space=lightning_mlp.SPACE,
            metric="val_acc",
            max_epochs=2,
            trials=2,
            pruner="none",
            name="mlp",
            seed=1,
            cpus_per_trial=1,
            gpus_per_trial=0,
            tracking_uri=tracking_uri,
            sweeps_dir=folder / "sweeps",
        )
        assert sweep.run(progress=False).succeeded
        yield to_repeat_here(summarise("mlp", folder / "sweeps"), {})


@pytest.fixture(scope="module")
def retrained(summary: SweepSummary) -> Retrained:
    """The winner of two finalists with two fresh seeds each, trained on all but the test data."""
    finalists = choose_finalists(summary, top=2)
    confirmation, _ = confirm(confirm_config(summary, finalists, seeds=2), finalists)
    assert [len(finalist.values) for finalist in confirmation.finalists] == [2, 2]
    assert sum(finalist.estimate.probability_best or 0 for finalist in confirmation.finalists) == (
        pytest.approx(1)
    )
    config = retrain_config(summary, confirmation.winner.record, 2, 3, "all_digits:AllDigits")
    told: list[str] = []
    retrained = retrain(summary, config, confirmation, model_name="mlp", say=told.append)
    assert told == [
        "testing model 1 of 2",
        "testing model 2 of 2",
        "saving the model",
        "adding the model to MLflow",
    ]
    return retrained


def test_fresh_seeds_train_on_the_data_that_were_named(retrained: Retrained) -> None:
    config, records = retrained.result.config, retrained.result.records
    assert config.settings["lightning"]["data"] == "all_digits:AllDigits"
    assert [len(record.epochs) for record in records] == [3, 3], "without a validation"
    assert all("val_acc" not in epoch.metrics for record in records for epoch in record.epochs)
    losses = {record.epochs[-1].metrics["train_loss"] for record in records}
    assert len(losses) == 2, "each with a seed of its own"


def test_each_is_tested_once_by_the_modules_own_test(retrained: Retrained, summary: SweepSummary) -> None:
    accuracies = retrained.metrics["test_acc"]
    assert len(accuracies) == 2
    assert all(0.3 < accuracy <= 1 for accuracy in accuracies)
    assert (retrained.tested.metric, retrained.tested.values) == ("test_acc", accuracies)
    assert retrained.test_reads == 1
    assert retrained.binomial is None, "nobody has said how many images there are"
    finalist = choose_finalists(summary, top=1)[0]
    with pytest.raises(UserError, match="the test split was read for sweep 'mlp'"):
        retrain(summary, retrain_config(summary, finalist, 1, 1), None, model_name="mlp")


def test_the_model_predicts_without_its_code(retrained: Retrained, tmp_path: Path) -> None:
    assert retrained.model_folder is not None
    images = np.random.default_rng(0).random((5, 64), np.float32)
    np.save(tmp_path / "images.npy", images)
    predict = (
        "import sys, mlflow, numpy; model = mlflow.pyfunc.load_model(sys.argv[1]); "
        "print(model.predict(numpy.load(sys.argv[2])).shape, 'lightning_mlp' in sys.modules)"
    )
    arguments = [sys.executable, "-c", predict, retrained.model_folder, tmp_path / "images.npy"]
    run = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.stdout.strip() == "(5, 10) False", run.stderr
    card = mlflow.models.Model.load(retrained.model_folder).metadata
    assert (card["module"], card["sweep"], card["test"]) == (
        "lightning_mlp:Mlp",
        "mlp",
        {"test_acc": list(retrained.metrics["test_acc"])},
    )


def test_it_is_registered_under_the_sweeps_name(retrained: Retrained, tracking_uri: str) -> None:
    place = retrained.published.registration
    assert place is not None
    assert (place.name, place.champion, place.decision) == ("mlp", True, "champion: there was none")
    version = MlflowClient(tracking_uri).get_model_version("mlp", str(place.version))
    assert json.loads(version.tags["sweep.test_values"]) == list(retrained.tested.values)


def test_run_again_it_trains_and_tests_nothing(retrained: Retrained, summary: SweepSummary) -> None:
    again = retrain(summary, retrained.result.config, None, model_name="mlp")
    assert again.metrics == retrained.metrics
    assert again.published == retrained.published
    assert [r.ended_ms for r in again.result.records] == [r.ended_ms for r in retrained.result.records]


def test_figures_of_images_are_of_images(summary: SweepSummary, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="figures are drawn of this project's CNN alone"):
        examine(summary.config, tmp_path, corruptions=False)


def test_what_a_script_has_swept_is_retrained_from_the_command_line(tmp_path: Path) -> None:
    script = (EXAMPLES / "lightning_mlp.py").read_text().replace('budget="10x"', "trials=2")
    (tmp_path / "mine.py").write_text(script.replace("max_epochs=9", "max_epochs=2"))
    with Script(tmp_path / "mine.py", cwd=tmp_path, PYTHONPATH=str(ROOT)) as launch:
        assert launch.wait() == 0, launch.stderr
    with Script("retrain_best.py", "mlp", "--top=1", "--seeds=1", cwd=tmp_path) as again:
        assert again.wait() == 0, again.stderr
    assert "test accuracy" in again.stdout
    assert "mlflow models serve -m" in again.stdout
    assert "registered       mlp version 1: champion: there was none" in again.stdout
    assert SweepConfig.load("mlp", tmp_path / "sweeps").objective_place == str(tmp_path / "mine.py")
