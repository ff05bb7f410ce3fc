"""Why an objective's exception ended its trial: diverged, out of memory, or a fault."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from search.study.records import StopReason

# torch and the libraries beneath it have no class in common for it, but messages: CUDA, HIP, XPU and MPS say
# "out of memory", torch's own allocator "can't allocate memory" or "not enough memory", cuBLAS and others
# CUBLAS_STATUS_ALLOC_FAILED, C++ "bad_alloc", MPS "Invalid buffer size" of a tensor beyond its memory.
# The last three are also said of tensors that are not contiguous, of a driver that is broken, and of shapes
# that cuDNN does not know. Most often memory is short for a handle, or for every engine's workspace.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|(can't|cannot|could not|unable to|failed to) allocate"
    r"|(not enough|insufficient) (shared )?memory"
    r"|alloc(ation)?[_ ]failed|cudaErrorMemoryAllocation|bad_alloc|Invalid buffer size"
    r"|CUDNN_STATUS_NOT_SUPPORTED|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine",
    re.IGNORECASE,
)


def failure_reason(error: BaseException) -> StopReason:
    """What to call the end of a trial whose objective raised this."""
    if isinstance(error, FloatingPointError | OverflowError):
        return StopReason.DIVERGED
    return StopReason.OOM if any(map(_is_out_of_memory, _chain(error))) else StopReason.ERROR


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those behind it, as a traceback shows them: its cause or context, a group's members."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        behind = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        waiting += [behind] if behind else []
        waiting += link.exceptions if isinstance(link, BaseExceptionGroup) else []


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's and Ray's classes are looked at by name, so that a sweep without torch needs none; by those of
    # its bases too, for Ray makes one class of a task's error and its own.
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"MemoryError", "OutOfMemoryError"}:
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None
