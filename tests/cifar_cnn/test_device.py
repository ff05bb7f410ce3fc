"""GPUs that torch can use, and shares of their memory: by what torch says of them, for there is none here."""

import pytest
import torch

from cifar_cnn.device import check_kernels, gpu_memory

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100a", "compute_90"]


def gpus(monkeypatch: pytest.MonkeyPatch, *capabilities: tuple[int, int], built: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(capabilities))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capabilities[index])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (9, 0), (10, 0), (12, 0)])
def test_kernels_run_on_their_generation_and_compiled_code_on_later_ones(
    capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(monkeypatch, capability, built=BUILT)
    check_kernels()


@pytest.mark.parametrize(("capability", "built"), [((6, 1), BUILT), ((7, 0), BUILT), ((12, 0), BUILT[:-1])])
def test_a_gpu_without_kernels_is_refused_by_name(
    capability: tuple[int, int], built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(monkeypatch, (8, 0), capability, built=built)
    number = ".".join(map(str, capability))
    with pytest.raises(
        ValueError, match=rf"no kernels for GPU 1 \(compute capability {number}; it has sm_75"
    ):
        check_kernels()


@pytest.mark.parametrize(("share", "told"), [(0.0, []), (0.25, [0.25, 1.0]), (1.0, [])])
def test_trials_that_share_a_gpu_get_their_share_of_its_memory(
    share: float, told: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fractions: list[float] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", fractions.append)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    with pytest.raises(RuntimeError, match="out of memory"), gpu_memory(share):
        raise RuntimeError("out of memory")
    assert fractions == told
