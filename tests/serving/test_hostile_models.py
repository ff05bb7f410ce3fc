"""A model's folder comes from anywhere: whatever is in it, loading it runs nothing of it.

Every hostile part would leave a mark if it were run. That it is hostile is shown first, where a library's own
loader runs it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pytorch
import numpy as np
import pytest
import torch
import yaml
from mlflow import MlflowClient
from torch import Tensor, nn

from search.errors import UserError
from search.tracking.models.load import load_model
from search.tracking.models.program import ForeignProgram, load_program
from search.tracking.models.save import ModelCard, save_model

IMAGES = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
GRAPH, WEIGHTS = "model/models/model.json", "model/data/weights/model_weights_config.json"
CONSTANTS, INPUTS = "model/data/constants/model_constants_config.json", "model/data/sample_inputs/model.pt"
Parts = dict[str, bytes]


class Small(nn.Module):
    """Probabilities of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32 * 32 * 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.float().flatten(1)).softmax(dim=1)


def card(**changes: Any) -> ModelCard:
    known: dict[str, Any] = {
        "name": "small",
        "class_names": ("cat", "dog", "emu"),
        "sweep": "night",
        "trial": 3,
    }
    known |= {"train_config": {}, "data": {}, "test_accuracies": (0.5,), "test": {}, "confirmation": None}
    return ModelCard(**known | {"code": None, "versions": {}} | changes)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as it is saved; not to be changed."""
    return save_model(Small().eval(), card(), tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What is there if something hostile has run."""
    return tmp_path / "mark"


def refused(model: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(str(model), "sqlite:///nowhere.db")
    told = str(caught.value)
    assert told.startswith(f"model {str(model)!r} cannot be loaded: ")
    assert "Only what a retraining has saved is served" in told
    assert "\n" not in told
    return told


def describe(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a model's MLmodel."""
    described = yaml.safe_load((model / "MLmodel").read_text())
    change(described)
    (model / "MLmodel").write_text(yaml.safe_dump(described))


def repack(model: Path, change: Callable[[Parts], None]) -> Path:
    """Change the parts of a model's program."""
    file = model / "data" / "model.pt2"
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


class Run:
    """A pickle of this runs a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.command = f"touch {mark}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def pickled(mark: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Run(mark), buffer)
    return buffer.getvalue()


def test_what_was_saved_is_loaded_and_predicts_as_it_did(saved: Path, tmp_path: Path) -> None:
    loaded = load_model(str(saved), f"sqlite:///{tmp_path / 'none.db'}")
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    with torch.inference_mode():
        expected = torch.export.load(saved / "data" / "model.pt2").module()(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(loaded.predict(images), expected)
    assert loaded.class_names == ("cat", "dog", "emu")
    assert (loaded.card["sweep"], loaded.card["trial"]) == ("night", 3)
    assert list(tmp_path.iterdir()) == [], "a store is not made by looking for one"


# In the folder, beside the program.


def test_mlflow_would_import_code_that_comes_along_and_we_refuse(model: Path, mark: Path) -> None:
    (model / "code").mkdir()
    (model / "code" / "came_along.py").write_text(f"open({str(mark)!r}, 'w')\nimport pickle\n__all__ = ()\n")
    (model / "data" / "model.pth").write_bytes(b"")
    (model / "data" / "pickle_module_info.txt").write_text("came_along")
    describe(model, lambda described: described["flavors"]["pytorch"].update(code="code"))
    load = f"import mlflow.pytorch; mlflow.pytorch.load_model({str(model)!r})"
    never_pickle = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    subprocess.run([sys.executable, "-c", load], env=never_pickle, capture_output=True, timeout=120)
    assert mark.exists(), "the folder is hostile"
    mark.unlink()
    assert "it holds 'code', which a retraining does not write" in refused(model)
    shutil.rmtree(model / "code")
    assert "flavor pytorch has code: 'code'" in refused(model)
    describe(model, lambda described: described["flavors"]["pytorch"].update(code=None))
    assert "it holds 'model.pth'" in refused(model)
    (model / "data" / "model.pth").unlink()
    assert "it holds 'pickle_module_info.txt'" in refused(model)
    assert not mark.exists()
    assert "came_along" not in sys.modules


def _flavor(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda described: described["flavors"].setdefault(name, {}).update(changes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_flavor("python_function", loader_module="os"), "has loader_module: 'os'"),
        (_flavor("python_function", data="../elsewhere"), "has data: '../elsewhere'"),
        (_flavor("python_function", code="code"), "has code: 'code'"),
        (_flavor("pytorch", model_data="/elsewhere"), "has model_data: '/elsewhere'"),
        (_flavor("sklearn", pickled_model="model.pkl"), "its flavors are not"),
        (lambda described: described.pop("flavors"), "its flavors are not"),
        (lambda described: described.pop("signature"), "its signature's inputs are not"),
        (lambda described: described["signature"].update(inputs="[]"), "its signature's inputs are not"),
        (lambda described: described["signature"].update(outputs="x"), "its signature's outputs are not"),
        (lambda described: described.pop("metadata"), "has no list of class_names"),
        (lambda described: described["metadata"].update(class_names="abc"), "has no list of class_names"),
        (lambda described: described["metadata"].update(class_names=["cat"]), "not two or more different"),
        (
            lambda described: described["metadata"].update(class_names=["a", "a", "b"]),
            "not two or more different",
        ),
        (
            lambda described: described["metadata"].update(class_names=[1, 2, 3]),
            "not two or more different texts",
        ),
        (lambda described: described["metadata"]["class_names"].append("fox"), "signature's outputs"),
    ],
)
def test_a_description_that_retraining_does_not_write_is_refused(
    model: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    describe(model, change)
    assert why in refused(model)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!!python/object/apply:os.system ['touch {mark}']", "MLmodel is damaged"),
        ("a: &a [1]\nb: [*a, *a]", "MLmodel has references"),
        ("- 1", "MLmodel is no mapping"),
        ("\t{", "MLmodel is damaged"),
        ("#" * 5_000_001, "MLmodel is larger than 5 MB"),
        ("[" * 100_000, "MLmodel is damaged"),
    ],
    ids=["python", "references", "list", "syntax", "large", "deep"],
)
def test_a_description_that_is_no_plain_yaml_is_refused(model: Path, mark: Path, text: str, why: str) -> None:
    (model / "MLmodel").write_text(text.replace("{mark}", str(mark)))
    assert why in refused(model)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["MLmodel", "data", "data/model.pt2"])
def test_links_are_not_followed(model: Path, name: str) -> None:
    elsewhere = model.parent / "elsewhere"
    (model / name).rename(elsewhere)
    (model / name).symlink_to(elsewhere)
    assert f"{name.rpartition('/')[2]!r} is a link" in refused(model)


def test_a_pipe_is_not_waited_for(model: Path) -> None:
    (model / "MLmodel").unlink()
    os.mkfifo(model / "MLmodel")
    assert "'MLmodel' is a link, or no plain file" in refused(model)


@pytest.mark.parametrize("name", ["MLmodel", "data/model.pt2"])
def test_what_is_missing_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    assert f"it has no {name.rpartition('/')[2]}" in refused(model)


def test_hidden_files_of_a_file_manager_are_no_harm(model: Path) -> None:
    (model / ".DS_Store").write_bytes(b"x")
    assert load_model(str(model), "sqlite:///nowhere.db").class_names == ("cat", "dog", "emu")


# In the program.


def _as_json(name: str, change: Callable[[Any], None]) -> Callable[[Parts, Path], None]:
    def changed(parts: Parts, mark: Path) -> None:
        text = parts[name].decode()
        described = json.loads(text)
        change(described)
        parts[name] = json.dumps(described).replace("MARK", str(mark)).encode()

    return changed


def _first_node(graph: Any) -> Any:
    return graph["graph_module"]["graph"]["nodes"][0]


def _pickled_weight(parts: Parts, mark: Path) -> None:
    config = json.loads(parts[WEIGHTS])
    payload = next(iter(config["config"].values()))
    payload["use_pickle"] = True
    parts[WEIGHTS] = json.dumps(config).encode()
    parts[f"model/data/weights/{payload['path_name']}"] = pickled(mark)


def _opaque_constant(parts: Parts, mark: Path) -> None:
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    parts[CONSTANTS] = json.dumps({"config": {"c": payload}}).encode()
    parts["model/data/constants/opaque_obj_0"] = pickle.dumps(Run(mark))


def _old_weights(parts: Parts, mark: Path) -> None:
    parts["model/data/weights/model.pt"] = pickled(mark)


def _old_constants(parts: Parts, mark: Path) -> None:
    parts["model/data/constants/model.pt"] = pickled(mark)


def _inputs(parts: Parts, mark: Path) -> None:
    parts[INPUTS] = pickled(mark)


def _call(graph: Any) -> None:
    """An operator of torch's own that writes a file of any name. torch lets no other function be called."""
    arguments = {"filename": {"as_string": "MARK"}, "shared": {"as_bool": True}, "size": {"as_int": 8}}
    values = graph["graph_module"]["graph"]["tensor_values"]
    values["x"] = values["images"]
    graph["graph_module"]["graph"]["nodes"].insert(
        0,
        {
            "target": "torch.ops.aten.from_file.default",
            "inputs": [{"name": name, "arg": arg, "kind": 1} for name, arg in arguments.items()],
            "outputs": [{"as_tensor": {"name": "x"}}],
            "metadata": {},
            "name": "x",
        },
    )


def _size(graph: Any) -> None:
    values = graph["graph_module"]["graph"]["tensor_values"]
    size = {"as_expr": {"expr_str": "__import__('os').system('touch MARK')", "hint": None}}
    values["images"]["sizes"][0] = size


RUN_BY_TORCH: dict[str, tuple[Callable[[Parts, Path], None], str]] = {
    "a pickled weight": (_pickled_weight, "is pickled"),
    "a pickled constant": (_opaque_constant, "is pickled"),
    "weights of old": (_old_weights, "'data/weights/model.pt', which is neither its graph nor a raw tensor"),
    "constants of old": (_old_constants, "'data/constants/model.pt', which is neither"),
    "example inputs": (_inputs, "its example inputs are made by calling 'posix system'"),
    "a size": (_as_json(GRAPH, _size), "says \"__import__('os').system("),
    "a guard": (
        _as_json(
            GRAPH, lambda graph: graph.update(guards_code=["__import__('os').system('touch MARK') == 0"])
        ),
        "the program has guards",
    ),
    "a call": (_as_json(GRAPH, _call), "calls 'torch.ops.aten.from_file.default'"),
}


@pytest.mark.parametrize("kind", RUN_BY_TORCH)
@pytest.mark.filterwarnings("ignore")
def test_what_torch_would_run_is_refused_unrun(kind: str, model: Path, mark: Path) -> None:
    change, why = RUN_BY_TORCH[kind]
    file = repack(model, lambda parts: change(parts, mark))
    with contextlib.suppress(Exception):  # most fail, after having run it
        torch.export.load(file).module()(IMAGES)
    assert mark.exists(), "the program is hostile"
    mark.unlink()
    assert why in refused(model)
    assert not mark.exists()


def _target(name: str) -> Callable[[Parts, Path], None]:
    return _as_json(GRAPH, lambda graph: _first_node(graph).update(target=name))


def _spec(key: str, spec: object) -> Callable[[Parts, Path], None]:
    def change(graph: Any) -> None:
        graph["graph_module"]["module_call_graph"][0]["signature"][key] = json.dumps(spec)

    return _as_json(GRAPH, change)


def _argument(graph: Any) -> None:
    signature = graph["graph_module"]["module_call_graph"][0]["signature"]
    signature["forward_arg_names"] = ["images=__import__('os').system('touch MARK')"]


def _library(parts: Parts, mark: Path) -> None:
    parts["model/data/aotinductor/model/model.so"] = b"\x7fELF"


def _empty(parts: Parts, mark: Path) -> None:
    parts["model/data/weights/weight_0"] = b""  # torch makes zeros of whatever size is named


def _elsewhere(parts: Parts, mark: Path) -> None:
    parts["model/../../../elsewhere"] = b"x"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_target("torch.ops.load_library"), "calls 'torch.ops.load_library'"),
        (_target("torch.serialization.os.system"), "calls 'torch.serialization.os.system'"),
        (_target("torch.hub.load"), "calls 'torch.hub.load'"),
        (_target("_operator.attrgetter"), "calls '_operator.attrgetter'"),
        (_target("#namespace:op"), "calls '#namespace:op'"),
        (_spec("in_spec", [1, {"type": "collections.defaultdict"}]), "which is no known layer, size or name"),
        (_spec("out_spec", [2, {}]), "which is no known layer, size or name"),
        (_as_json(GRAPH, _argument), "says \"images=__import__('os').system("),
        (_library, "holds 'data/aotinductor/model/model.so'"),
        (_empty, "is empty"),
        (_elsewhere, "holds '../../../elsewhere'"),
        (_as_json(GRAPH, lambda graph: graph.pop("graph_module")), "the program is damaged"),
        (lambda parts, mark: parts.pop(GRAPH) and None, "the program is damaged"),
        (lambda parts, mark: parts.update({GRAPH: b"[" * 100_000}), "the program is damaged"),
        (lambda parts, mark: parts.pop("model/data/weights/weight_0") and None, "the program is damaged"),
        (_as_json(GRAPH, lambda graph: _first_node(graph).update(inputs=[])), "cannot read the program"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_program_with_anything_unknown_is_refused(
    change: Callable[[Parts, Path], None], why: str, model: Path, mark: Path
) -> None:
    repack(model, lambda parts: change(parts, mark))
    assert why in refused(model)
    assert not mark.exists()


def test_no_two_readers_see_two_programs_in_one_file(model: Path) -> None:
    file = model / "data" / "model.pt2"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr(GRAPH, "{}")
    assert "two entries of one name" in refused(model)


def test_nothing_unpacks_to_more_than_its_size(model: Path) -> None:
    with zipfile.ZipFile(model / "data" / "model.pt2", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data/weights/weight_9", b"0" * 1_000_000)
    assert "is compressed, which torch never does" in refused(model)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", os.urandom(1000)], ids=["empty", "cut", "noise"])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(ForeignProgram, match="the program is damaged"):
        load_program(content, IMAGES)


# What a model answers.


class Logits(Small):
    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.float().flatten(1))


class OneClassMore(Small):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32 * 32 * 3, 4)


class Nan(Small):
    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.layer.bias, float("nan"))


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Logits, "its answers are no probabilities"),
        (Nan, "its answers are no probabilities"),
        (OneClassMore, "it answers 2 images with float32 (2, 4), not float32 (2, 3)"),
    ],
)
def test_a_model_that_answers_wrongly_is_refused(network: type[Small], why: str, tmp_path: Path) -> None:
    folder = save_model(network().eval(), card(), tmp_path / "model")
    assert why in refused(folder)


def test_a_model_that_was_exported_for_one_number_of_images_is_refused(model: Path) -> None:
    torch.export.save(torch.export.export(Small().eval(), (IMAGES,)), model / "data" / "model.pt2")
    assert "it fails on 1 images" in refused(model)


# From a store.


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_a_store_is_checked_alike(model: Path, mark: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    experiment = client.create_experiment("models", artifact_location=(tmp_path / "artifacts").as_uri())
    stored = []
    for hostile in (False, True):
        if hostile:
            repack(model, lambda parts: _pickled_weight(parts, mark))
        logged = client.create_logged_model(experiment, name="small")
        client.log_model_artifacts(logged.model_id, str(model))
        client.finalize_logged_model(logged.model_id, "READY")
        stored.append(f"models:/{logged.model_id}")
    sound, hostile_uri = stored
    assert load_model(sound, uri).class_names == ("cat", "dog", "emu")
    with pytest.raises(UserError, match=r"cannot be loaded: 'layer\S*' of the program is pickled"):
        load_model(hostile_uri, uri)
    assert not mark.exists()


def test_nothing_here_asks_mlflow_to_load(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow.pytorch, "load_model", lambda *_: pytest.fail("loaded by MLflow"))
    load_model(str(saved), "sqlite:///nowhere.db")
