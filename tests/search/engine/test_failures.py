"""What an objective's exception is called, in every wording that frameworks have for the same thing."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch
from ray.exceptions import OutOfMemoryError, RayTaskError

from search.engine.failures import failure_reason
from search.study.records import StopReason

OOM, ERROR, NAN = StopReason.OOM, StopReason.ERROR, StopReason.DIVERGED

TOO_LARGE = 2**47  # bytes: more than any address space has


def caused(error: BaseException, by: BaseException) -> BaseException:
    error.__cause__ = by
    return error


def during(error: BaseException, other: BaseException, *, hidden: bool = False) -> BaseException:
    error.__context__ = other
    error.__suppress_context__ = hidden
    return error


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 10.00 GiB total capacity)",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA driver error: out of memory",
        "HIP out of memory. Tried to allocate 20.00 MiB",
        "XPU out of memory. Tried to allocate 20.00 MiB",
        "MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB)",
        "Invalid buffer size: 24.00 GiB",
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 140737488355328 bytes. Error code 12 (Cannot allocate memory)",
        "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried ...",
        "unable to mmap 4096 bytes from file </torch_1>: Cannot allocate memory (12)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if ... a non-contiguous input.",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "cudaErrorMemoryAllocation: the API call failed",
        "NCCL error: unhandled cuda error: Failed to allocate 8388608 bytes",
        "DataLoader worker (pid 7) is killed by signal: Bus error. ... insufficient shared memory (shm).",
        "std::bad_alloc",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "GET was unable to find an engine to execute this computation",
        "FATAL ERROR :: MODULE:PT_DEVMEM Allocation failed for size::1024",
        "could not allocate memory",
    ],
)
def test_each_wording_of_torch_is_out_of_memory(message: str) -> None:
    assert failure_reason(RuntimeError(message)) is OOM


def test_what_torch_and_numpy_raise_here_is_out_of_memory() -> None:
    for allocate in (
        lambda: torch.empty(TOO_LARGE, dtype=torch.uint8),
        lambda: np.empty(TOO_LARGE, dtype=np.uint8),
    ):
        with pytest.raises((RuntimeError, MemoryError)) as raised:
            allocate()
        assert failure_reason(raised.value) is OOM


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), OOM),
        (torch.OutOfMemoryError("no words"), OOM),
        (OutOfMemoryError("Task was killed due to the node running low on memory."), OOM),
        (RayTaskError("work", "Traceback", MemoryError("no room")).as_instanceof_cause(), OOM),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), OOM),
        (OSError(errno.ENOSPC, "No space left on device"), ERROR),
        (FloatingPointError("loss is nan"), NAN),
        (KeyError("lr"), ERROR),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), ERROR),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), ERROR),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), ERROR),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x3 and 4x3)"), ERROR),
        (ValueError("the user is out of memory cards"), ERROR),
        (caused(ValueError("training failed"), MemoryError()), OOM),
        (caused(ValueError("outer"), caused(KeyError("inner"), RuntimeError("CUDA out of memory"))), OOM),
        (during(ValueError("no model"), RuntimeError("CUDA error: out of memory")), OOM),
        (during(ValueError("no model"), MemoryError(), hidden=True), ERROR),
        (ExceptionGroup("workers", [ValueError("a"), MemoryError()]), OOM),
        (ExceptionGroup("workers", [ValueError("a"), KeyError("b")]), ERROR),
    ],
)
def test_an_error_is_called_what_it_is(error: BaseException, reason: StopReason) -> None:
    assert failure_reason(error) is reason


def test_errors_that_name_each_other_as_their_causes_are_looked_at_once() -> None:
    one, other = ValueError("one"), ValueError("other")
    caused(one, caused(other, one))
    assert failure_reason(one) is ERROR
