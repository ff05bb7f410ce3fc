"""A training function is named so that any worker finds it again, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sweep_makers import sweep_config

from search.errors import UserError
from search.objective.context import TrialContext
from search.objective.reference import load_objective, objective_reference


def train(params: Mapping[str, Any], context: TrialContext) -> None:
    """An objective at the top of a module."""


class Group:
    """Functions in a class can be imported too."""

    @staticmethod
    def train(params: Mapping[str, Any], context: TrialContext) -> None:
        """An objective within a class."""


@pytest.mark.parametrize("objective", [train, Group.train])
def test_a_function_is_found_again_by_its_name(objective: Callable[..., None]) -> None:
    assert load_objective(objective_reference(objective)) is objective


def test_a_configuration_takes_the_function_or_its_name() -> None:
    by_function = sweep_config(objective=train)
    assert by_function.objective == f"{__name__}:train"
    assert by_function == sweep_config(objective=f"{__name__}:train")


def nested() -> Callable[..., None]:
    """A function that only this call knows."""

    def inner(params: Mapping[str, Any], context: TrialContext) -> None: ...

    return inner


@pytest.mark.parametrize("objective", [lambda params, context: None, nested(), partial(train)])
def test_what_nobody_else_can_import_is_refused(objective: Callable[..., None]) -> None:
    with pytest.raises(UserError, match="cannot be imported: use a function defined at the top of a module"):
        objective_reference(objective)


@pytest.mark.parametrize("reference", ["", "train", "module:", ":train", "module.train"])
def test_a_reference_without_module_and_function_is_none(reference: str) -> None:
    with pytest.raises(UserError, match=r"is no package\.module:function"):
        load_objective(reference)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("no_such_module:train", "No module named 'no_such_module'"),
        (f"{__name__}:no_such_function", "no attribute 'no_such_function'"),
        (f"{__name__}:Group.missing", "no attribute 'missing'"),
    ],
)
def test_a_function_that_is_not_there_is_told_with_what_is_missing(reference: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refusal:
        load_objective(reference)
    remedy = "run from the folder that holds its module" if "module named" in why else "put it back"
    assert remedy in str(refusal.value)


def test_a_function_of_another_script_asks_for_that_script() -> None:
    with pytest.raises(UserError, match="'gone_by_now' is in the script that launched this sweep"):
        load_objective("__main__:gone_by_now")


@pytest.mark.parametrize(
    "reference",
    [
        "search.config.sweep_config:sweep_names",
        "json:JSONDecodeError.mro",
    ],
)
def test_what_does_not_take_parameters_and_context_is_refused(reference: str) -> None:
    with pytest.raises(UserError, match=r"takes no \(parameters, context\)"):
        load_objective(reference)


def test_a_module_that_is_broken_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_what_is_missing.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="No module named 'no_such_package'") as refusal:
        load_objective("needs_what_is_missing:train")
    assert "\n" not in str(refusal.value)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(UserError, match=r"is 'sweep.json': name a function or a class"):
        load_objective("search.config.folder_file:CONFIG_FILE")
