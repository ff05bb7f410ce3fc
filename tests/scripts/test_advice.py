"""Whatever a command advises can be typed, there, and leads on: no circles, no options that are not there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cyclopts import App
from script_runs import APPS, run_script
from sweep_fixtures import CURVES, scripted_sweep

from scripts.commands import typed
from scripts.sweep_output import print_result
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.engine.observers import Stop
from search.errors import shortened
from search.policy.making import make_policy
from search.study.ledger import Ledger
from search.study.opening import open_study
from search.study.promotion import Thaw
from search.study.records import Epoch, StopReason
from spaces.space import SearchSpace

ROOT = Path(__file__).parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(r"uv run scripts/(?P<script>\w+)\.py(?P<arguments>[^`\n]*)")
BY_FILE = {app.default_command.__module__: app for app in APPS.values()}
GRID = SearchSpace(name="two", description="Two points.", parameters={"depth": CURVES.parameters["depth"]})


class Reached(Exception):
    """An advised command has come as far as driving the sweep, with so much left to do."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


def options(app: App) -> set[str]:
    """The options that a script takes."""
    return {name for argument in app.assemble_argument_collection() for name in argument.names}


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands that a text advises, as the script's module and its arguments."""
    return [
        (f"scripts.{found['script']}", shlex.split(found["arguments"])) for found in COMMAND.finditer(text)
    ]


def check_that_all_can_be_typed(script: str, text: str) -> None:
    """Each command in a text is one, and each option beside them is this script's or of one that is named."""
    for module, arguments in commands(text):
        BY_FILE[module].parse_args(arguments, exit_on_error=False, print_error=False)
    named = [app for module, app in BY_FILE.items() if f"{module.removeprefix('scripts.')}.py" in text]
    there = set().union(*(options(app) for app in (APPS[script], *named)))
    beside = re.sub("`MLFLOW[^`]*`", "", COMMAND.sub("", text))  # a command of MLflow's own
    assert set(OPTION.findall(beside)) <= there


@pytest.fixture(autouse=True)
def _driven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command that drives a sweep says how much is left to do, and stops; reports are not what is tried."""

    def run_sweep(config: SweepConfig, *, retry_failed: bool, skip: Collection[int]) -> NoReturn:
        with open_study(config, make_policy(config)) as (ledger, _):
            if retry_failed:
                ledger.retry_failed()
            raise Reached(ledger.remaining() + len(ledger.unfinished()))

    monkeypatch.setattr("scripts.sweep_output.run_sweep", run_sweep)
    monkeypatch.setattr("scripts.sweep_output.print_report", lambda result: None)
    monkeypatch.setattr("sys.argv", ["launch_sweep.py"])  # which a refusal tells
    monkeypatch.chdir(tmp_path)


def followed(text: str) -> int:
    """How much is left to do for the one command that a text advises."""
    ((module, arguments),) = commands(text)
    with pytest.raises(Reached) as reached:
        BY_FILE[module](arguments, exit_on_error=False, print_error=False, result_action="return_value")
    return reached.value.left


def swept(tmp_path: Path, outcomes: str, **fields: Any) -> SweepConfig:
    """A sweep whose trials were completed (c), pruned (p), failed (f) or left running (r)."""
    defaults = {
        "name": "night",
        "sweeps_dir": tmp_path / "sweeps",
        "trials": 3,
        "max_epochs": 2,
        "pruner": "threshold",
        "pruner_args": {"lower": 0.5, "n_warmup_steps": 0},
        "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    config = scripted_sweep(**{**defaults, **fields})
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "mlflow.db").touch()  # a store that is gone is told before anything else
    with open_study(config, make_policy(config)) as (ledger, _):
        for outcome in outcomes:
            trial(ledger, outcome)
    return config


def trial(ledger: Ledger, outcome: str) -> None:
    number = ledger.ask().number
    ledger.start(number)
    metrics = {"val_acc": 0.1 if outcome == "p" else 0.9, "epoch_s": 4.0}
    ledger.report(number, Epoch(1, metrics, 0, f"host:{number}", cpus=1.0))
    if outcome == "c":
        ledger.complete(number)
    elif outcome == "f":
        ledger.fail(number, StopReason.ERROR, "ValueError: no")


def ended(config: SweepConfig, stop: Stop | None, capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a sweep that has ended so."""
    with open_study(config, make_policy(config)) as (ledger, _):
        records = ledger.records()
    capsys.readouterr()
    print_result(SweepResult(config, records, stop, None, 1.0, None, None))
    return capsys.readouterr().out


ENDS: dict[str, tuple[str, dict[str, Any], Stop | None, int]] = {
    "interrupted": ("cr", {}, Stop.INTERRUPTED, 2),
    "the time is used up": ("c", {}, Stop.TIME_BUDGET, 2),
    "another hour is worth too little": ("cr", {"stop_when": "1/h"}, Stop.WORTHLESS, 2),
    "the core-hours are used up": ("c", {"core_hours": 0.001}, Stop.HOURS, 2),
    "too many failed, some are left": ("fff", {"trials": 5}, Stop.FAILURES, 2),
    "too many failed, none is left": ("fff", {}, Stop.FAILURES, 3),
    "all failed": ("fff", {}, None, 3),
    "all pruned": ("ppp", {}, None, 3),
    "pruned and failed": ("ppf", {}, None, 1),
}


@pytest.mark.parametrize(("outcomes", "fields", "stop", "left"), ENDS.values(), ids=ENDS)
def test_what_the_last_screen_advises_leads_on(
    tmp_path: Path,
    outcomes: str,
    fields: dict[str, Any],
    stop: Stop | None,
    left: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = ended(swept(tmp_path, outcomes, **fields), stop, capsys)
    check_that_all_can_be_typed("launch", told)
    advice = [line for line in told.splitlines() if "resume_sweep" in line][-1]
    assert followed(advice) >= left > 0


@pytest.mark.parametrize("outcomes", ["pppp", "cccc"])
def test_an_exhausted_grid_is_not_told_to_grow(
    tmp_path: Path, outcomes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = swept(tmp_path, outcomes, space=GRID, sampler="grid", trials=9)
    told = ended(config, None, capsys)
    assert "resume_sweep" not in told
    check_that_all_can_be_typed("launch", told)


def test_a_finished_sweep_grows_as_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = swept(tmp_path, "ccc")
    told = ended(config, None, capsys)
    check_that_all_can_be_typed("launch", told)
    (advice,) = [line for line in told.splitlines() if "--trials" in line]
    assert followed(advice) == 3
    (best,) = [line for line in told.splitlines() if "retrain_best" in line]
    ((module, arguments),) = commands(best)
    assert module == "scripts.retrain_best"
    # It gets as far as looking for its finalist; what comes then takes minutes.
    assert "trials 0 to 2" in run_script("retrain", *arguments, "--trial", "9").stderr


def test_a_sweep_that_was_stopped_before_a_trial_was_complete_names_the_best_that_is_frozen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"pruner": "promotion", "pruner_args": {}, "max_epochs": 9, "trials": None, "budget": "9x"}
    config = swept(tmp_path, "", **fields)
    with open_study(config, make_policy(config)) as (ledger, _):
        for _ in range(4):  # three new trials, of which the third is the best, and its thaw
            choice = ledger.choose()
            assert choice is not None
            number = (ledger.thaw(choice) if isinstance(choice, Thaw) else ledger.ask(choice)).number
            trained = len(ledger.start(number).epochs)
            for epoch in range(trained + 1, (choice.until or 9) + 1):
                ledger.report(number, Epoch(epoch, {"val_acc": number / 10}, 0, "host:1", checkpoint="kept"))
    told = ended(config, Stop.INTERRUPTED, capsys)
    assert "0 complete, 3 frozen, 0 pruned, 0 failed of 3 trials\n" in told
    assert "spent: 5 epochs\nleft: 76 of 81 epochs\nsaved: 22 epochs, against" in told
    (advice,) = [line for line in told.splitlines() if "resume_sweep" in line]
    assert advice.startswith(
        "interrupted; no trial is complete yet, best so far trial-002, frozen at 3 of 9; resume it with:  "
    )
    refused = run_script("retrain", "night").stderr
    assert "or name a --trial, such as the best so far, trial-002, frozen at 3 of 9" in refused


def unopened(tmp_path: Path) -> None:
    """A launch that was killed before it had a study."""
    swept(tmp_path, "").save()
    for file in (tmp_path / "sweeps" / "night").glob("study.db*"):
        file.unlink()


REFUSALS: dict[str, tuple[Callable[[Path], object], list[str], str, int | None]] = {
    "launch: it exists": (lambda t: swept(t, "c"), ["launch", "night"], "'night' exists", 2),
    "compare: no study": (unopened, ["compare", "night"], "no study", 3),
    "report: no study": (unopened, ["report", "night"], "no study", 3),
    "retrain: no study": (unopened, ["retrain", "night"], "no study", 3),
    "sync: no study": (unopened, ["sync", "night"], "no study", 3),
    "retrain: none completed": (lambda t: swept(t, "pr"), ["retrain", "night"], "no completed", 2),
    "retrain: all pruned": (lambda t: swept(t, "ppp"), ["retrain", "night"], "no completed", 3),
    "retrain: all failed": (lambda t: swept(t, "fff"), ["retrain", "night"], "no completed", 3),
    "evaluate: no images": (lambda t: swept(t, "c"), ["evaluate", "night"], "this project's CNN alone", None),
    "resume: no such sweep": (lambda t: swept(t, "c"), ["resume", "day"], "in it are night", None),
    "resume: fewer trials": (lambda t: swept(t, "cc"), ["resume", "night", "--trials", "1"], "has 2", None),
    "resume: another database": (
        lambda t: swept(t, "cc"),
        ["resume", "night", "--storage", "sqlite:///empty.db"],
        "study of sweep 'night' is gone",
        None,
    ),
    "retrain: no such trial": (
        lambda t: swept(t, "cc"),
        ["retrain", "night", "--trial", "9"],
        "0 to 1",
        None,
    ),
    "compare: a table of all": (lambda t: swept(t, "c"), ["compare", "night", "--all"], "--format", None),
}
REFUSALS |= {
    f"{script}: no database": (
        lambda t: (
            swept(t, "c", storage=f"sqlite:///{t / 'study.db'}") and (t / "study.db").write_text("?" * 999)
        ),
        [script, "night"],
        "does not answer",
        None,
    )
    for script in ("compare", "report", "retrain", "sync", "resume")
}
REFUSALS |= {
    f"{script}: no tracking store": (
        lambda t: swept(t, "c") and (t / "mlflow.db").unlink(),
        [script, "night"],
        "tracking store of sweep 'night' is not there",
        None,
    )
    for script in ("retrain", "resume")
}


@pytest.mark.parametrize(("make", "words", "why", "left"), REFUSALS.values(), ids=REFUSALS)
def test_what_a_refusal_advises_can_be_typed_and_leads_on(
    tmp_path: Path,
    digits_dir: Path,
    make: Callable[[Path], object],
    words: list[str],
    why: str,
    left: int | None,
) -> None:
    make(tmp_path)
    script, *arguments = words
    where = ["--data-dir", digits_dir] if script == "launch" else []
    refused = run_script(script, *arguments, *where, "--sweeps-dir", tmp_path / "sweeps")
    assert refused.exit_code == 2, refused.output
    assert why in refused.stderr
    told = refused.stderr.splitlines()[-1]
    check_that_all_can_be_typed(script, told)
    if left is not None:
        assert followed(told) == left


def test_a_name_that_another_folders_sweep_has_in_the_database(tmp_path: Path, digits_dir: Path) -> None:
    """It cannot be resumed from here, so that is not what the launch says."""
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    swept(tmp_path / "there", "c", storage=storage)
    where = ["--data-dir", digits_dir, "--storage", storage, "--sweeps-dir", tmp_path / "here"]
    told = run_script("launch", "night", *where).stderr
    assert re.search(r"'night' exists in storage .*, by `.*` on \S+, and its folder is not in", told)
    assert "choose another name" in told
    assert commands(told) == []
    check_that_all_can_be_typed("launch", told)
    there = tmp_path / "there" / "sweeps"
    assert followed(f"{typed('resume_sweep.py')} night --sweeps-dir {there}") == 2


def test_a_database_that_has_moved_is_told_at_the_resume(tmp_path: Path) -> None:
    config = swept(tmp_path, "cc", storage=f"sqlite:///{tmp_path / 'old.db'}")
    for file in tmp_path.glob("old.db*"):
        file.rename(tmp_path / file.name.replace("old", "new"))
    (tmp_path / "old.db").write_text("?" * 999)
    told = run_script("compare", "night", "--sweeps-dir", config.sweeps_dir).stderr
    assert followed(told.replace(" URL", f" sqlite:///{tmp_path / 'new.db'}")) == 1
    assert run_script("compare", "night", "--sweeps-dir", config.sweeps_dir).exit_code == 0


def test_an_address_in_another_programs_message_is_whole_or_not_there() -> None:
    address = "sqlite:////" + "folder/" * 30 + "mlflow.db"
    message = (
        f"Out of date schema. Take a backup, then run 'mlflow db upgrade {address}' to migrate.\n More " * 9
    )
    told = shortened(message)
    assert len(told) <= 1000 + len(" ...")
    assert told.endswith(" ...")
    assert all(word.startswith(address) for word in told.split() if word.startswith("sqlite"))
    assert shortened("two\n lines") == "two lines"
    assert shortened("x" * 2000) == " ..."


FOREIGN = {
    "--experiment-id",
    "--short",
    "--porcelain",
    "--untracked-files",
    "--host",
    "--port",
    "--workers",
    "--logdir",
    "--env-manager",
}


@pytest.mark.parametrize("folder", ["scripts", "search", "cifar_cnn", "spaces"])
def test_every_option_that_is_named_anywhere_is_one(folder: str) -> None:
    known = set().union(*(options(app) for app in APPS.values())) | FOREIGN | {"--help", "--option"}
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert set(OPTION.findall(node.value)) <= known, f"{file.name}, line {node.lineno}"
