"""Spaces found by name or file, and what is said when there is none."""

import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from cifar_cnn.config import TrainConfig
from spaces.registry import load_space, shipped_spaces
from spaces.space import InvalidSpace

HEAD = """\
from optuna.distributions import FloatDistribution, IntDistribution
from spaces.space import SearchSpace
"""
ONE = (
    HEAD + 'mine = SearchSpace(name="mine", description="", parameters={"lr": FloatDistribution(0.1, 1.0)})\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my_space.py"


def refusal(reference: object) -> str:
    with pytest.raises(InvalidSpace) as caught:
        load_space(str(reference))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_shipped_space_draws_what_it_promises(name: str) -> None:
    space = load_space(name)
    assert space.name == name
    assert space.description
    space.validate(TrainConfig.model_fields)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        values = space.suggest(study.ask())
        space.check_values(values)
        TrainConfig(**values)
        if values["optimizer"] != "muon":
            assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("beta2" in values) == (values["optimizer"] == "adamw")


def test_each_optimizer_has_a_learning_rate_of_its_own() -> None:
    space = load_space("wide")
    rates = {"sgd": "lr", "adamw": "adamw_lr", "muon": "muon_lr"}
    for optimizer, rate in rates.items():
        assert space.conditions[rate].value == optimizer


def test_fast_tries_the_recipe_first() -> None:
    space = load_space("fast")
    recipe, for_subsets = space.enqueued([])
    space.check_values({**space.fixed, **recipe})
    assert {**for_subsets, "batch_size": recipe["batch_size"]} == recipe
    assert space.enqueued([{"lr": "8"}]) == [{"lr": 8.0}, recipe, for_subsets], "after what was asked for"
    assert space.enqueued([], "grid") == []


def test_what_is_tried_first_has_to_be_in_the_space() -> None:
    with pytest.raises(InvalidSpace, match="'lr' is 2"):
        replace(load_space("baseline"), first=[{"lr": 2.0}])


def test_the_shipped_spaces_grow() -> None:
    assert shipped_spaces() == ("quickstart", "baseline", "fast", "wide", "resnet")
    assert set(load_space("baseline").parameters) == {"depth", "width", "lr"}
    assert set(load_space("wide").parameters) > set(load_space("baseline").parameters)


def test_a_users_file_works_and_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file.write_text(ONE)
    assert load_space(str(file)).name == "mine"
    assert not [module for module in sys.modules.values() if getattr(module, "__file__", None) == str(file)]
    assert "<run_path>" not in sys.modules
    assert list(file.parent.iterdir()) == [file]


def test_a_file_is_read_anew_each_time(file: Path) -> None:
    file.write_text(ONE)
    load_space(str(file))
    file.write_text(ONE.replace('"mine"', '"other"'))
    assert load_space(str(file)).name == "other"


def test_a_file_may_build_on_a_shipped_space(file: Path) -> None:
    file.write_text(
        "from dataclasses import dataclass, replace\n"
        "from spaces.wide import SPACE as WIDE\n"
        "@dataclass\n"
        "class Note:\n"
        "    text: 'str'\n"
        "SPACE = replace(WIDE, name='mine')\n"
    )
    assert load_space(str(file)).name == "mine"


def test_one_space_under_two_names_is_one(file: Path) -> None:
    file.write_text(ONE + "again = mine\n")
    assert load_space(str(file)).name == "mine"


def test_several_spaces_are_listed(file: Path) -> None:
    file.write_text(ONE + ONE.replace("mine =", "yours ="))
    message = refusal(file)
    assert str(file) in message
    assert "several search spaces: mine, yours; call the one to use SPACE" in message


def test_a_file_without_a_space_is_told_how_to_have_one(file: Path) -> None:
    file.write_text("SPACE = 3\n")
    assert "defines no search space; put SPACE = SearchSpace(...)" in refusal(file)


def test_an_unknown_name_lists_what_there_is() -> None:
    message = refusal("quikstart")
    assert "'quikstart'; did you mean 'quickstart'?" in message
    assert "known: baseline, fast, quickstart, resnet, wide" in message
    assert "path to a Python file" in message


@pytest.mark.parametrize("reference", ["nowhere.py", "no/where", "."])
def test_a_missing_file(reference: str) -> None:
    message = refusal(reference)
    assert repr(reference) in message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert f"no file {str(tmp_path)!r}" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = 1\ny = (\n", ["line 2", "SyntaxError: '(' was never closed", "correct `y = (`"]),
        ("x = 1\n\nx / 0\n", ["line 3", "ZeroDivisionError: division by zero", "correct `x / 0`"]),
        ("import no_such_thing\n", ["line 1", "ModuleNotFoundError", "no_such_thing"]),
        ("import sys\nsys.exit('enough')\n", ["line 2", "SystemExit: enough"]),
        ("raise ValueError('two\\nlines')\n", ["line 1", "ValueError: two lines"]),
        (HEAD + "lr = FloatDistribution(0.0, 1.0, log=True)\n", ["line 3", "low > 0", "low=0.0", "log=True"]),
        (
            HEAD + "d = IntDistribution(3, 1)\n",
            ["line 3", "low=3, high=1", "correct `d = IntDistribution(3, 1)`"],
        ),
        (
            HEAD + "SPACE = SearchSpace(name='mine', description='', parameters={})\n",
            ["line 3: space 'mine': there is nothing to sample", "at least one range"],
        ),
        ("x = '\x00'\n", ["SyntaxError"]),
    ],
)
def test_a_file_that_fails_is_told_by_line_and_cause(file: Path, code: str, told: list[str]) -> None:
    file.write_text(code)
    message = refusal(file)
    assert message.startswith(str(file))
    assert [part for part in told if part not in message] == [], message


def test_a_file_that_is_not_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert refusal(file).startswith(str(file))
