"""Where a process runs, as far as its pid means something: a host, a kernel since its start, a pid namespace.

Host names do not tell machines apart: containers of one service share theirs. Within one pid namespace of
one boot of one kernel a pid is one process, and only from there can it be seen whether it is alive.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = "/proc/self/ns/pid"


@dataclass(frozen=True)
class Whereabouts:
    """A host's name, and what marks a place on it where pids are unique; empty if that is not known.

    Example:
        >>> import os
        >>> here = Whereabouts.here()
        >>> Whereabouts.parse(str(here)) == here, here.process_exists(os.getpid())
        (True, True)
    """

    host: str
    place: str

    @classmethod
    def here(cls) -> Whereabouts:
        """Of this process."""
        return cls(socket.gethostname(), _place())

    @classmethod
    def parse(cls, text: str) -> Whereabouts:
        """What `str` has written; earlier versions wrote the host's name alone."""
        host, _, place = text.partition(" ")
        return cls(host, place)

    def __str__(self) -> str:
        return f"{self.host} {self.place}".rstrip()

    @property
    def visible(self) -> bool:
        """Whether processes there can be seen from here."""
        return bool(self.place) and self == Whereabouts.here()

    def process_exists(self, pid: int) -> bool:
        """Whether a process there is alive; one that is dead and not yet buried by its parent is not."""
        assert self.visible
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        try:
            return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@functools.cache
def _place() -> str:
    if sys.platform != "linux":
        return f"{psutil.boot_time():.0f}"  # no pid namespaces there
    try:
        return f"{_BOOT_ID.read_text().strip()} {os.readlink(_PID_NAMESPACE)}"
    except OSError:
        return ""  # a sandbox that tells neither: then a lease has to run out
