"""The reference of every field is what the models say, in whole."""

from __future__ import annotations

import runpy
from pathlib import Path

from cifar_cnn.config import DataConfig, TrainConfig
from search.config.sweep_config import SweepConfig

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "fields.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_models_say() -> None:
    assert runpy.run_path(str(DOCS / "fields.py"))["page"]() == PAGE, "`uv run docs/fields.py` writes it anew"


def test_every_field_is_there_with_what_it_is() -> None:
    rows = {line.split("`")[1]: line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")}
    for model in (TrainConfig, DataConfig, SweepConfig):
        for name in model.model_fields:
            assert len(rows[name][3]) > 15, name
    assert rows["lr"][1:3] == ["number, above 0, at most 100", "`0.05`"]
    assert rows["lr"][4].startswith("0.005 to 0.5, log")
    assert rows["time_budget"][0].endswith("`--time-budget`")
