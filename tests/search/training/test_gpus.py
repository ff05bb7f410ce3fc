"""A sweep whose trials no kernel fits is refused before it starts, and no other is."""

from __future__ import annotations

import shutil

import pytest
import torch
from sweep_makers import sweep_config

from search.errors import UserError
from search.training.gpus import check_gpus


@pytest.fixture(autouse=True)
def an_old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (3, 7))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tesla K80")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80"])


def test_a_card_without_kernels_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"no kernels for Tesla K80.*install a build.*`gpus_per_trial=0`"):
        check_gpus(sweep_config())


@pytest.mark.parametrize("fields", [{"gpus_per_trial": 0}, {"ray_address": "head:6379"}])
def test_cards_that_are_not_used_do_not_matter(fields: dict[str, object]) -> None:
    check_gpus(sweep_config(**fields))


def test_without_a_driver_there_is_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    check_gpus(sweep_config())
