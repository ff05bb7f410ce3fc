"""A home for libraries that insist on one: where there is none, or none that can be written."""

import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

NOBODY = 54321
TOLD = """
import getpass, json, os, sys
from pathlib import Path
import search  # gives a home, as `cifar_cnn` does
from cifar_cnn.home import provide_home
nobody, code = int(sys.argv[1]), sys.argv[2]
if nobody:  # after the imports, which another user may not be allowed
    os.setgroups([]), os.setgid(nobody), os.setuid(nobody)
    provide_home()
home = Path.home()
places = [os.environ.get(name) for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "TRITON_CACHE_DIR")]
(home / "probe").write_text("") if code == "write" else None
print(json.dumps({"home": str(home), "user": getpass.getuser(), "places": places}))
"""


def told(tmp_path: Path, *, nobody: int = 0, code: str = "", **variables: str | None) -> dict[str, object]:
    """What a process finds that has imported the project with these variables set, or unset."""
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o1777)
    changed = {"TMPDIR": str(temporary), "XDG_CACHE_HOME": None, "MPLCONFIGDIR": None, **variables}
    environment = {name: value for name, value in {**os.environ, **changed}.items() if value is not None}
    command = [sys.executable, "-c", TOLD, str(nobody), code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_home_that_can_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    found = told(tmp_path, HOME=str(tmp_path / "home"))
    assert (found["home"], found["places"]) == (str(tmp_path / "home"), [None] * 3)
    assert list((tmp_path / "home").iterdir()) == list((tmp_path / "tmp").iterdir()) == []


def test_without_home_the_list_of_users_tells_it(tmp_path: Path) -> None:
    assert told(tmp_path, HOME=None)["home"] == pwd.getpwuid(os.getuid()).pw_dir


@pytest.mark.parametrize("home", ["/nonexistent/home", "relative", __file__])
def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, home: str) -> None:
    found = told(tmp_path, HOME=home, code="write")
    own = tmp_path / "tmp" / f"sweep-home-{os.getuid()}"
    assert found["home"] == str(own)
    assert all(str(place).startswith(f"{own}/") for place in found["places"])  # type: ignore[attr-defined]
    assert own.stat().st_mode & 0o777 == 0o700
    assert not Path("/nonexistent").exists()
    assert told(tmp_path, HOME=home)["home"] == str(own), "the same each time, for caches"


def test_a_folder_of_that_name_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    squatted = tmp_path / "tmp" / f"sweep-home-{os.getuid()}"
    squatted.mkdir(parents=True)
    squatted.chmod(0o777)
    home = Path(str(told(tmp_path, HOME="/nonexistent", code="write")["home"]))
    assert home != squatted
    assert home.parent == tmp_path / "tmp"
    assert list(squatted.iterdir()) == []


def test_what_the_environment_says_of_caches_stays(tmp_path: Path) -> None:
    places = told(tmp_path, HOME="/nonexistent", XDG_CACHE_HOME="/caches")["places"]
    assert isinstance(places, list)
    assert places[0] == "/caches"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("home", [None, "/root", "own"])
def test_an_id_without_a_name_has_a_name_and_a_home(home: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        folder = Path(name)
        folder.chmod(0o755)
        if home == "own":  # there, and not to be written
            (folder / "home").mkdir(mode=0o755)
            home = str(folder / "home")
        found = told(folder, nobody=NOBODY, HOME=home, USER=None, LOGNAME=None)
        own = folder / "tmp" / f"sweep-home-{NOBODY}"
        kept = home is not None and home.startswith(name)
        assert found["home"] == (home if kept else str(own)), "credentials are read from a home that is there"
        assert found["user"] == f"uid{NOBODY}"
        assert all(str(place).startswith(f"{own}/") for place in found["places"])  # type: ignore[attr-defined]
