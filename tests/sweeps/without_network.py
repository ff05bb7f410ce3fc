"""A script in a network namespace of its own, where there is nothing but loopback, `up` or `down`.

python without_network.py up SCRIPT ...          (SCRIPT is one of scripts/, without .py)

Exit code 77 where no such namespace can be made.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import socket
import struct
import sys

NOT_PERMITTED = 77
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1

if __name__ == "__main__":
    libc = ctypes.CDLL(None)
    if libc.unshare(_NEW_NETWORK) and libc.unshare(_NEW_USER | _NEW_NETWORK):
        sys.exit(NOT_PERMITTED)
    if sys.argv[1] == "up":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = struct.pack("16sh22x", b"lo", 0)
            flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))
    sys.argv = sys.argv[2:]
    sys.path.insert(0, os.getcwd())
    importlib.import_module("scripts.cli").main(importlib.import_module(f"scripts.{sys.argv[0]}").app)
