"""The learning rate step by step, and which arithmetic 'auto' chooses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cifar_cnn.config import TrainConfig
from cifar_cnn.precision import autocast, resolve_precision
from cifar_cnn.schedule import schedule_factor


def rates(total: int, **changes: float | str) -> list[float]:
    config = TrainConfig(**changes)
    return [schedule_factor(config, step, total) for step in range(total)]


@given(st.integers(1, 500), st.floats(0, 0.5), st.sampled_from(["cosine", "linear", "constant"]))
def test_rises_then_falls_and_never_exceeds_the_peak(total: int, warmup: float, schedule: str) -> None:
    course = rates(total, warmup=warmup, schedule=schedule)
    peak = course.index(max(course))
    assert course[: peak + 1] == sorted(course[: peak + 1])
    assert course[peak:] == sorted(course[peak:], reverse=True)
    assert all(0 < rate <= 1 for rate in course)


def test_warm_up_is_linear_and_reaches_the_peak_at_its_end() -> None:
    course = rates(40, warmup=0.1, schedule="constant")
    assert course[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert set(course[4:]) == {1.0}


def test_cosine_passes_half_way_at_half_time_and_ends_near_zero() -> None:
    course = rates(100, warmup=0.0)
    assert course[0] == 1
    assert course[50] == pytest.approx(0.5)
    assert course[-1] < 0.001


def test_a_line_falls_evenly_to_its_last_step() -> None:
    assert rates(4, warmup=0.0, schedule="linear") == [1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"neon": True}, "fp32"),
    ],
)
def test_auto_on_a_cpu_goes_by_its_instructions(
    flags: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    cpu = torch.device("cpu")
    assert resolve_precision("auto", cpu) == expected
    assert resolve_precision("fp32", cpu) == "fp32"
    assert resolve_precision("bf16", cpu) == "bf16"


@pytest.mark.parametrize(
    ("capability", "expected"), [((6, 1), "fp32"), ((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")]
)
def test_auto_on_a_gpu_goes_by_its_generation(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert resolve_precision("auto", torch.device("cuda")) == expected


def test_autocast_computes_in_bf16_and_keeps_weights() -> None:
    layer, cpu = torch.nn.Linear(4, 4), torch.device("cpu")
    with autocast("bf16", cpu):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with autocast("fp32", cpu):
        assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32


def test_fp16_without_a_gpu_is_refused() -> None:
    with pytest.raises(ValueError, match="precision='fp16' needs a GPU; use 'auto' on a CPU"):
        resolve_precision("fp16", torch.device("cpu"))
