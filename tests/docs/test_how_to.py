"""The how-to page on plain PyTorch: its script trains, resumes to the bit, and sweeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import ROOT, Script
from recorded import EPOCHS, Recorded
from sweep_checks import check_study, check_view, records_in

from search.config.sweep_config import SweepConfig

PAGE = (ROOT / "docs" / "how_to" / "pytorch.md").read_text(encoding="utf-8")
SCRIPT, SAVES_LESS_OFTEN = re.findall(r"^```python\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
SAVES_EACH_EPOCH = re.findall(r"^        torch\.save\(.*\n        context\.report\(.*", SCRIPT, re.MULTILINE)
PARAMS = {"lr": 1e-2, "width": 16, "batch_size": 256}


def train_of(script: str) -> Callable[..., None]:
    """The training function that a script defines."""
    defined: dict[str, Any] = {"__name__": "digits"}
    exec(compile(script, "digits.py", "exec"), defined)
    function: Callable[..., None] = defined["train"]
    return function


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(generator)


def test_a_trial_that_is_interrupted_at_each_epoch_ends_as_one_that_is_not(tmp_path: Path) -> None:
    train = train_of(SCRIPT)
    whole, resumed = Recorded(tmp_path / "whole"), Recorded(tmp_path / "resumed")
    whole.attempt(train, PARAMS)
    for epoch in range(1, EPOCHS):
        resumed.attempt(train, PARAMS, until=epoch)
    resumed.attempt(train, PARAMS)
    assert list(whole.metrics) == list(range(1, EPOCHS + 1))
    assert resumed.metrics == whole.metrics


def test_saving_less_often_it_saves_where_the_trial_freezes_and_at_its_end(tmp_path: Path) -> None:
    (each_epoch,) = SAVES_EACH_EPOCH
    trial = Recorded(tmp_path)
    trial.attempt(train_of(SCRIPT.replace(each_epoch, SAVES_LESS_OFTEN)), PARAMS, freezes_at=2)
    assert trial.saved == [2, EPOCHS]


@pytest.mark.slow
def test_the_script_sweeps(tmp_path: Path) -> None:
    (tmp_path / "digits.py").write_text(SCRIPT)
    with Script(tmp_path / "digits.py", cwd=tmp_path, PYTHONPATH=str(ROOT)) as script:
        assert script.wait() == 0, script.stderr
        script.wait_for_descendants()
    config = SweepConfig.load("digits", tmp_path / "sweeps")
    check_study(config, len(records_in(config)))
    check_view(config)
