"""`--help` is quick and whole, and options mean what they say whatever is typed beside them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from processes import ROOT
from script_runs import APPS, run_script

from scripts.options import option_name
from search.launching.request import GROUPS, SweepRequest

SLOW = {"alembic", "cmaes", "matplotlib", "mlflow", "numpy", "optuna", "pandas", "plotly", "ray", "torch"}


@pytest.mark.parametrize("script", APPS)
def test_help_is_on_stdout_with_its_examples(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "there")
    told = run_script(script, "--help")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith(f"Usage: {APPS[script].name[0]} ")
    assert f"uv run scripts/{APPS[script].name[0]}" in told.stdout


def test_the_help_of_a_launch_has_every_field_with_its_default() -> None:
    told = " ".join(run_script("launch", "--help").stdout.replace("│", " ").split())
    for name, field in SweepRequest.model_fields.items():
        assert f"{option_name(name)} " in told
        assert (field.description or "").split(".")[0].split()[0] in told
    for heading in GROUPS:
        assert heading in told
    assert "--cleanup-time TIME" in told
    assert "[default: 60s]" in told
    assert "[env var: SWEEP_STORAGE]" in told


def test_the_help_of_a_resume_shows_no_defaults_for_what_is_as_before() -> None:
    assert "[default: 60s]" not in run_script("resume", "--help").stdout


@pytest.mark.parametrize("script", APPS)
def test_help_waits_for_no_library_that_it_does_not_need(script: str) -> None:
    module = APPS[script].default_command.__module__
    loaded = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not SLOW & set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--trials", "3", "--trials", "4"], {"trials": "4"}),
        (["--no-concurrency", "--concurrency", "2"], {"concurrency": "2"}),
        (["--concurrency", "2", "--no-concurrency"], {"concurrency": None}),
        (["--checkpoints=s3://b/x?a=1,b=2"], {"checkpoints": "s3://b/x?a=1,b=2"}),
        (["--seed", "-1"], {"seed": "-1"}),
        (["--max-failed-share", "-.5e3"], {"max_failed_share": "-.5e3"}),
        (["--sampler-arg", "a=[1]", "--sampler-arg", "b=-2"], {"sampler_args": ["a=[1]", "b=-2"]}),
        (["--sampler-arg=a=b=c"], {"sampler_args": ["a=b=c"]}),
        (["--enqueue", "lr=0.1,depth=2", "--enqueue", "lr=1"], {"enqueue": ["lr=0.1,depth=2", "lr=1"]}),
        (["--skip-damaged"], {"skip_damaged": True}),
        (["--no-skip-damaged"], {"skip_damaged": False}),
        (["--no-enqueue"], {"enqueue": []}),
        (["--name", "{x}"], {"name": "{x}"}),
    ],
)
def test_what_is_typed_is_what_is_given(words: list[str], given: dict[str, object]) -> None:
    _, bound, _ = APPS["launch"].parse_args(["night", *words], exit_on_error=False, print_error=False)
    assert bound.args == ("night",)
    assert bound.kwargs == given


@pytest.mark.parametrize("words", [["--trials", "3", "--", "night"], ["night", "--trials=3"]])
def test_a_name_stands_anywhere(words: list[str]) -> None:
    _, bound, _ = APPS["launch"].parse_args(words, exit_on_error=False, print_error=False)
    assert (bound.args, bound.kwargs) == (("night",), {"trials": "3"})


def test_several_names_stand_around_options() -> None:
    words = ["night", "day", "--top", "3", "dawn"]
    _, bound, _ = APPS["compare"].parse_args(words, exit_on_error=False, print_error=False)
    assert bound.args == ("night", "day", "dawn")
