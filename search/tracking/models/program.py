"""An exported program from an untrusted file, loaded so that no code of it can run.

`torch.export.load` is not safe by itself. It unpickles weights, constants and example inputs that ask for it,
loads compiled libraries, evaluates symbolic sizes and guards as Python, and calls whatever operator a node
names, such as one that writes to a file. Nothing of the file reaches it here but what has been checked: raw
tensors, and a graph of known layers whose words are plain names. They are written into a new archive, for two
zip readers may see two different files in one.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.export.pt2_archive import PT2ArchiveWriter

Program: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

_LAYERS = """
    add.Tensor sub.Tensor mul.Tensor div.Tensor matmul.default addmm.default linear.default conv2d.default
    batch_norm.default group_norm.default layer_norm.default dropout.default mean.dim softmax.int
    max_pool2d.default avg_pool2d.default adaptive_avg_pool2d.default
    relu.default relu_.default leaky_relu.default elu.default gelu.default silu.default silu_.default
    hardtanh.default sigmoid.default tanh.default
    permute.default transpose.int flatten.using_ints view.default reshape.default unsqueeze.default
    squeeze.dim to.dtype contiguous.default clone.default sym_size.int _assert_tensor_metadata.default
"""
OPERATORS = frozenset(f"torch.ops.aten.{name}" for name in _LAYERS.split())
"""What a network may be made of: layers and arithmetic that touch nothing but their tensors."""

_MODEL, _WEIGHTS, _CONSTANTS = "models/model.json", "data/weights/", "data/constants/"
_CONFIGS = {
    _WEIGHTS: f"{_WEIGHTS}model_weights_config.json",
    _CONSTANTS: f"{_CONSTANTS}model_constants_config.json",
}
_INPUTS = "data/sample_inputs/model.pt"
# Written by torch, read by nobody here.
_ASIDE = {"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id"}

_RAW_TENSOR = re.compile(r"(weight|tensor)_\d+")
_NAME = re.compile(r"(?!__)\w+(\.(?!__)\w+)*|")
_SIZE = re.compile(r"(Symbol\('s\d+'(, (positive|integer)=True)*\)|Integer\(-?\d{1,15}\)|Mul\(|Add\(|[), ])+")
# What a pickled tensor is made by: the example inputs. They are looked at, not unpickled.
_PICKLED = {"torch._utils _rebuild_tensor_v2", "torch ByteStorage", "collections OrderedDict"}
_LEAF: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
_ONE_IMAGE_BATCH = {
    "type": "builtins.tuple",
    "context": "null",
    "children_spec": [
        {"type": "builtins.tuple", "context": "null", "children_spec": [_LEAF]},
        {"type": "builtins.dict", "context": "[]", "children_spec": []},
    ],
}
_SPECS = {"in_spec": [1, _ONE_IMAGE_BATCH], "out_spec": [1, _LEAF]}
# What no known layer takes: text, functions, graphs within the graph, objects of classes.
_FOREIGN = {"as_string", "as_strings", "as_graph", "as_custom_obj", "as_operator", "custom_obj", "token"}


class ForeignProgram(ValueError):
    """A file is no program that could be loaded without running code of it; says what is in the way."""


def load_program(archive: bytes, example: torch.Tensor) -> Program:
    """Load what `torch.export.save` wrote: one program, of one tensor to one tensor.

    Args:
        archive: the whole file.
        example: an input of the right shape and type.

    Raises:
        ForeignProgram: it is damaged, or has anything but known operators and raw tensors.
    """
    checked = io.BytesIO(_checked(archive, example))
    try:
        program: Program = torch.export.load(checked).module()
    except Exception as error:  # torch raises whatever a damaged graph makes it trip over
        raise ForeignProgram(f"torch cannot read the program ({in_short(error)})") from error
    return program


def _checked(archive: bytes, example: torch.Tensor) -> bytes:
    """A new archive of the parts of this one that are known to be harmless."""
    try:
        parts = _parts(archive)
        _check_inputs(parts.pop(_INPUTS))
        graph = json.dumps(_graph(json.loads(parts.pop(_MODEL))))
        configs = {folder: json.loads(parts.pop(config)) for folder, config in _CONFIGS.items()}
        needed = {record for folder in _CONFIGS for record in _tensors(configs[folder], folder, parts)}
    except ForeignProgram:
        raise
    except Exception as error:  # a damaged archive can be wrong anywhere
        raise ForeignProgram(f"the program is damaged ({in_short(error)})") from error
    if foreign := sorted(parts.keys() - needed):
        raise ForeignProgram(f"the program holds {foreign[0]!r}, which is neither its graph nor a raw tensor")
    inputs, written = io.BytesIO(), io.BytesIO()
    torch.save(((example,), {}), inputs)
    with PT2ArchiveWriter(written) as writer:
        writer.write_string(_MODEL, graph)
        writer.write_bytes(_INPUTS, inputs.getvalue())
        for folder, config in _CONFIGS.items():
            writer.write_string(config, json.dumps(configs[folder]))
        for record in needed:
            writer.write_bytes(record, parts[record])
    return written.getvalue()


def _parts(archive: bytes) -> dict[str, bytes]:
    """The archive's entries by name, without the folder that all lie in."""
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        entries = zipped.infolist()
        # torch stores, so nothing unpacks to more than the file's own size.
        if packed := [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]:
            raise ForeignProgram(f"{packed[0]!r} in the program is compressed, which torch never does")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ForeignProgram("the program has two entries of one name")
        if sum(entry.file_size for entry in entries) > len(archive):
            raise ForeignProgram("the entries of the program overlap")
        for entry in entries:
            name = entry.filename.partition("/")[2]
            if name not in _ASIDE:
                parts[name] = zipped.read(entry)
    return parts


def _check_inputs(pickled: bytes) -> None:
    """Nothing is called to make the example inputs but what makes a tensor."""
    with zipfile.ZipFile(io.BytesIO(pickled)) as zipped:
        (name,) = (entry for entry in zipped.namelist() if entry.endswith("/data.pkl"))
        for operation, argument, _ in pickletools.genops(zipped.read(name)):
            called = operation.name in ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
            if called and argument not in _PICKLED:
                raise ForeignProgram(f"its example inputs are made by calling {str(argument)[:80]!r}")


def _tensors(config: dict[str, Any], folder: str, parts: dict[str, bytes]) -> set[str]:
    """The raw tensors that a list of weights or constants names, having checked the list."""
    records = set()
    _check_words(config)
    for name, payload in config["config"].items():
        record = f"{folder}{payload['path_name']}"
        if payload["use_pickle"] is not False or not _RAW_TENSOR.fullmatch(payload["path_name"]):
            raise ForeignProgram(f"{name!r} of the program is pickled")
        if not parts[record]:
            raise ForeignProgram(f"{name!r} of the program is empty")
        records.add(record)
    return records


def _graph(program: dict[str, Any]) -> dict[str, Any]:
    """The program's graph without its comments, having checked every operator and every word."""
    module = program["graph_module"]
    if program["guards_code"]:
        raise ForeignProgram(f"the program has guards, which are Python: {str(program['guards_code'])[:80]}")
    for node in module["graph"]["nodes"]:
        node["metadata"] = {}
    program["torch_version"] = ""
    module |= {"metadata": {}, "treespec_namedtuple_fields": {}}
    _check_words(program)
    return program | {"torch_version": torch.__version__}


def _check_words(part: object, key: str = "") -> None:
    """Check every text in a part of the program: torch evaluates, calls or compiles some of them."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in _FOREIGN:
                raise ForeignProgram(f"the program passes {name!r}, which no known layer takes")
            _check_words(name)
            _check_words(value, name)
    elif isinstance(part, list):
        for value in part:
            _check_words(value, key)
    elif isinstance(part, str) and not _harmless(part, key):
        what = "calls" if key == "target" else "says"
        raise ForeignProgram(f"the program {what} {part[:80]!r}, which is no known layer, size or name")


def _harmless(text: str, key: str) -> bool:
    if key == "target":
        return text in OPERATORS
    if key == "expr_str":
        return bool(_SIZE.fullmatch(text))
    if key in _SPECS:
        return bool(json.loads(text) == _SPECS[key])
    return bool(_NAME.fullmatch(text))


def in_short(error: Exception) -> str:
    """An error's kind and the beginning of its words, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
