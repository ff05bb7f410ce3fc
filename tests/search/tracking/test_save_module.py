"""A module of anybody's, saved to be served."""

from __future__ import annotations

import warnings
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from torch import Tensor, nn

from search.tracking.models.save_module import ModuleCard, save_module


class Rows(nn.Module):
    """A recurrent network, of whose weights torch.export says more than anybody wants to know."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 4, batch_first=True)

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.rnn(rows)[0]
        return outputs[:, -1]


def test_a_recurrent_module_is_saved_without_a_warning(tmp_path: Path) -> None:
    card = ModuleCard("rows", "mine:Rows", "rows", 0, {}, {}, None, None, {})
    example = torch.zeros(2, 5, 8)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        folder = save_module(Rows().eval(), example, card, tmp_path / "model")
    assert not [str(each.message) for each in told if "during export" in str(each.message)]
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.predict(np.ones((3, 5, 8), np.float32)).shape == (3, 4)
