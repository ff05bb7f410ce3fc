"""Which arithmetic is fast here: bf16 or fp16 where the hardware multiplies it natively, else fp32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeAlias

import torch

Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]
Resolved: TypeAlias = Literal["fp32", "bf16", "fp16"]


def resolve_precision(precision: Precision, device: torch.device) -> Resolved:
    """What 'auto' means on this device; the others mean themselves.

    bf16 on CUDA from compute capability 8 (Ampere) on, and on CPUs with AMX or AVX-512 bf16
    instructions. Without them a CPU emulates bf16, far slower than fp32, so 'auto' never tries it. Of
    GPUs before that, those of capability 7 (Volta, Turing: a V100, a T4) multiply fp16 natively.

    Raises:
        ValueError: fp16 on a CPU, which has no scaled gradients.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' needs a GPU; use 'auto' on a CPU")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        generation, _ = torch.cuda.get_device_capability(device)
        return "bf16" if generation >= 8 else "fp16" if generation == 7 else "fp32"
    flags = torch.cpu.get_capabilities()
    return "bf16" if flags.get("amx_bf16") or flags.get("avx512_bf16") else "fp32"


def lightning_precision(
    precision: Precision, device: torch.device
) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """The same as Lightning's Trainer calls it; weights stay fp32, and gradients of fp16 are scaled."""
    names: dict[Resolved, Literal["32-true", "bf16-mixed", "16-mixed"]]
    names = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    return names[resolve_precision(precision, device)]


def autocast(precision: Resolved, device: torch.device) -> AbstractContextManager[object]:
    """Runs the forward pass and the loss in this precision; weights and gradients stay fp32."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, types[precision])
