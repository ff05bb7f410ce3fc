"""A home for libraries that insist on one, where there is none: an arbitrary user id, a read-only HOME."""

import contextlib
import os
import pwd
import stat
import tempfile
from pathlib import Path

from cifar_cnn.files import is_writable

# What libraries keep below HOME that can be made again, and how they are told of another place.
_CACHES = {
    "XDG_CACHE_HOME": ".cache",
    "MPLCONFIGDIR": ".config/matplotlib",
    "TRITON_CACHE_DIR": ".triton/cache",
}


def provide_home() -> None:
    """Give this process, and those that it starts, a home and a user's name if they have none.

    MLflow looks for the home as it is imported, so this comes first. A home that is there but cannot be
    written stays the home, for credentials are read from it; caches go elsewhere. What the environment says
    of caches and names is left as it is.
    """
    home = _home()
    if home is None or not is_writable(home):
        place = _own_folder()
        if home is None:
            os.environ["HOME"] = str(place)
        for variable, folder in _CACHES.items():
            os.environ.setdefault(variable, str(place / folder))
    if _user() is None:
        for variable in ("USER", "LOGNAME"):
            os.environ.setdefault(variable, f"uid{os.getuid()}")


def _home() -> Path | None:
    """The user's home, if it is there and may be looked into: HOME, or else what the list of users says."""
    user = _user()
    home = os.environ.get("HOME") or (user.pw_dir if user else "")
    usable = os.path.isabs(home) and os.path.isdir(home) and os.access(home, os.R_OK | os.X_OK)
    return Path(home) if usable else None


def _user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None  # an id without a name, as containers are given


def _own_folder() -> Path:
    """A folder of this user in the machine's temporary one: the same each time, for caches."""
    folder = Path(tempfile.gettempdir(), f"sweep-home-{os.getuid()}")
    with contextlib.suppress(FileExistsError):  # a file, or a link to nothing
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
            return folder
    return Path(tempfile.mkdtemp(prefix="sweep-home-"))  # that name is somebody else's
