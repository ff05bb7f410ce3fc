"""A saved model, served by the script: over HTTP, in a browser, and by MLflow's own server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import httpx2
import numpy as np
import pytest
from browsers import NEEDS_BROWSER, browsing, free_port, serving
from mlflow import MlflowClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from trainings import EpochReport, fit

from cifar_cnn.checkpoint import load_checkpoint
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.export import InferenceModel
from search.tracking.models.save import ModelCard, save_model

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "scripts" / "serve_model.py")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained model, as `retrain_best.py` saves one."""
    folder = tmp_path_factory.mktemp("model")

    def save(epoch: EpochReport) -> None:
        epoch.save(folder / "checkpoint")

    data = DataConfig(data_dir=folder, train_size=100, val_size=20)
    fit(TrainConfig(depth=1, width=4, max_epochs=1), data, on_epoch=save)
    loaded = load_checkpoint(folder / "checkpoint")
    card = ModelCard(
        name="small",
        class_names=loaded.class_names,
        sweep="night",
        trial=3,
        train_config=loaded.train_config.model_dump(mode="json"),
        data=loaded.data_info.model_dump(mode="json"),
        test_accuracies=(0.5, 0.6),
        test={"mean": 0.55},
        confirmation=None,
        code=None,
        versions={},
    )
    return save_model(InferenceModel(loaded), card, folder / "model")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of noise."""
    file = tmp_path_factory.mktemp("image") / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the running server."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, SCRIPT, str(model), "--port", str(port), "--threads", "1"]
    with serving(command, {}, f"{address}/readyz", tmp_path_factory.mktemp("served")):
        yield address


def test_predictions_are_the_saved_models_own(url: str, image: Path, model: Path) -> None:
    answer = httpx2.post(f"{url}/predict", files=[("files", ("noise.png", image.read_bytes()))] * 2)
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["predictions"]
    assert first == second
    shares = {each["name"]: each["probability"] for each in first["probabilities"]}
    loaded = load_checkpoint(model.parent / "checkpoint")
    import torch

    pixels = torch.from_numpy(np.asarray(Image.open(image)).copy())
    expected = InferenceModel(loaded)(pixels[None]).detach().numpy()[0]
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    np.testing.assert_allclose([shares[name] for name in loaded.class_names], expected, rtol=1e-4)


def test_provenance_comes_along(url: str, model: Path) -> None:
    told = httpx2.get(f"{url}/model").json()
    assert told["source"] == str(model)
    assert (told["provenance"]["sweep"], told["provenance"]["trial"]) == ("night", 3)


class TestPage:
    """What a person does."""

    pytestmark = NEEDS_BROWSER

    def test_an_image_is_chosen_and_its_probabilities_appear(
        self, url: str, image: Path, tmp_path: Path
    ) -> None:
        with browsing(tmp_path, width=900, height=900) as browser:
            browser.open(url)
            browser.source_with(["test accuracy 55.0 %"])
            assert "test accuracy 55.0 %" in browser.text_of("#model")
            browser.type("#files", str(image))
            browser.source_with(["<figure>"])
            shown = browser.text_of("#results")
            assert browser.value_of("#files") == "", "the same file again is a change"
            browser.screenshot(tmp_path / "page.png")
        predicted = httpx2.post(f"{url}/predict", files={"files": image.read_bytes()}).json()["predictions"][
            0
        ]
        assert shown.splitlines()[0] == f"{predicted['label']} noise.png"
        for each in predicted["probabilities"]:
            assert f"{each['name']}\n{100 * each['probability']:.1f} %" in shown
        assert (tmp_path / "page.png").stat().st_size > 10_000

    def test_what_is_no_image_is_said_so(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "note.txt").write_text("hello")
        with browsing(tmp_path, width=400, height=800) as browser:
            browser.open(url)
            browser.type("#files", str(tmp_path / "note.txt"))
            browser.source_with(["note.txt: no image"])
            assert "note.txt: no image that can be read; use one of JPEG" in browser.text_of("#problem")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "model 'nowhere' is no folder: name one, or models:/cifar-cnn@champion"),
        (["."], "cannot be loaded: it has no MLmodel. Only what a retraining has saved is served"),
        (["models:/cifar-cnn@champion"], "was retrained, and"),
        ([".", "--host", "no.such.invalid"], "not known; choose another --host or --port"),
    ],
    ids=["no folder", "no model", "no store", "no host"],
)
def test_what_cannot_be_served_is_said_with_the_remedy(
    arguments: list[str], why: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, why in " ".join(ended.stderr.split())) == (2, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said_with_the_remedy(url: str, model: Path, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    command = [sys.executable, SCRIPT, str(model), "--port", port]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}: Address already in use; choose another --host or --port" in ended.stderr


def installed_with(extra: str) -> set[str]:
    """The distributions that this project with one of its extras brings, by their own metadata here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = *project["dependencies"], *project["optional-dependencies"][extra]
    left = [Requirement(text) for text in own]
    seen: set[tuple[str, str]] = set()
    while left:
        asked = left.pop()
        name = canonicalize_name(asked.name)
        for part in {"", *asked.extras} - {part for known, part in seen if known == name}:
            seen.add((name, part))
            needed = [Requirement(text) for text in requires(name) or ()]
            left += [one for one in needed if not one.marker or one.marker.evaluate({"extra": part})]
    return {name for name, _ in seen}


def test_the_extra_serve_is_enough(model: Path, image: Path, tmp_path: Path) -> None:
    """SERVE_PYTHON: an interpreter that has this extra alone; else all other packages are hidden."""
    python = [os.environ.get("SERVE_PYTHON", "")]
    if python == [""]:
        enough = installed_with("serve")
        hidden = [
            package
            for package, distributions in packages_distributions().items()
            if not enough & {canonicalize_name(name) for name in distributions}
        ]
        assert {"ray", "optuna", "pytorch_lightning", "sklearn", "pandas", "scipy"} <= set(hidden)
        python = [sys.executable, str(Path(__file__).with_name("hiding.py")), ",".join(hidden)]
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(store)
    client.create_registered_model("small")
    version = client.create_model_version("small", str(model)).version
    client.set_registered_model_alias("small", "champion", version)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [*python, SCRIPT, "models:/small@champion", "--tracking-uri", store, "--port", str(port)]
    with serving(command, {}, f"{address}/readyz", tmp_path):
        answer = httpx2.post(f"{address}/predict", files={"files": image.read_bytes()})
        assert answer.status_code == 200, answer.text
        assert httpx2.get(f"{address}/model").json()["provenance"]["sweep"] == "night"


def test_without_its_extra_a_command_says_which_it_needs(tmp_path: Path) -> None:
    hiding = str(Path(__file__).with_name("hiding.py"))
    command = [sys.executable, hiding, "optuna,ray", str(ROOT / "scripts" / "compare_trials.py"), "night"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: optuna is not installed, which this command needs: install")
    assert "pip install '.[sweep]'" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
def test_mlflows_own_server_answers_for_it(model: Path, image: Path, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    options = ["--env-manager", "local", "--port", str(port), "--host", "127.0.0.1"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with serving([*command, *options], {"PATH": path}, f"{address}/ping", tmp_path):
        pixels = np.asarray(Image.open(image))[None]
        body = json.dumps({"inputs": pixels.tolist()})
        headers = {"content-type": "application/json"}
        answer = httpx2.post(f"{address}/invocations", content=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()["predictions"]
        assert sum(row) == pytest.approx(1, abs=1e-5)
