"""Which arithmetic is fast here: bf16 where the hardware multiplies it natively, else fp32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeAlias

import torch

Resolved: TypeAlias = Literal["fp32", "bf16"]


def resolve_precision(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> Resolved:
    """What 'auto' means on this device; the other two mean themselves.

    bf16 on CUDA from compute capability 8 (Ampere) on, and on CPUs with AMX or AVX-512 bf16
    instructions. Without them a CPU emulates bf16, far slower than fp32, so 'auto' never tries it.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp32"
    flags = torch.cpu.get_capabilities()
    return "bf16" if flags.get("amx_bf16") or flags.get("avx512_bf16") else "fp32"


def lightning_precision(
    precision: Literal["auto", "fp32", "bf16"], device: torch.device
) -> Literal["32-true", "bf16-mixed"]:
    """The same as Lightning's Trainer calls it; weights and gradients stay fp32."""
    return "bf16-mixed" if resolve_precision(precision, device) == "bf16" else "32-true"


def autocast(precision: Resolved, device: torch.device) -> AbstractContextManager[object]:
    """Runs the forward pass and the loss in this precision; weights and gradients stay fp32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
