"""Passwords in the URLs of a sweep: nothing that it writes or prints tells them."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from fault_postgres import Postgres
from fault_server import MlflowServer
from script_runs import run_script
from sweep_fixtures import scripted_sweep

from scripts.sweep_output import run_and_print
from search.config.sweep_config import SweepConfig

SECRETS = {"storage": "of-storage", "tracking": "of-tracking", "quoted": "of%20quotes"}
FORMS = [b"of-storage", b"of-tracking", b"of%20quotes", b"of quotes", b"of+quotes"]

pytestmark = pytest.mark.usefixtures("local_ray")


def with_password(url: str, password: str) -> str:
    """The URL, with a password for whatever user it names."""
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{user if at else 'me'}:{password}@{host}"


def telling(folder: Path) -> set[Path]:
    """Files below a folder that hold a password in any form."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file for file in files if any(form in file.read_bytes() for form in FORMS)}


def rows(config: SweepConfig) -> bytes:
    """All that the study's database holds, as text."""
    engine, told = sa.create_engine(config.storage_url), []
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            told += [str(tuple(row)) for row in connection.execute(sa.select(table))]
    engine.dispose()
    assert any("launch_sweep.py" in row for row in told)
    return "\n".join(told).encode()


def test_a_whole_sweep_tells_no_password(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    served = tmp_path / "server"
    served.mkdir()
    storage = with_password(postgres.new_database(), SECRETS["storage"]) + "?application_name=x"
    with MlflowServer(f"sqlite:///{served}/mlflow.db", served) as server:
        tracking = with_password(server.uri, SECRETS["tracking"])
        monkeypatch.setattr(
            sys, "argv", ["launch_sweep.py", "try", "--storage", storage, f"--tracking-uri={tracking}"]
        )
        config = scripted_sweep(
            sweeps_dir=tmp_path / "sweeps", trials=2, storage=storage, tracking_uri=tracking
        )
        printed = [str(run_and_print(config))]
        there = ["try", "--sweeps-dir", config.sweeps_dir]
        for script, *more in (("resume", "--trials", 3), ("compare",), ("compare", "--ui")):
            done = run_script(script, *there, *more)
            printed += [done.stdout, done.stderr]
        for script, *more in (("report", "--file", tmp_path / "report.html"), ("sync",)):
            done = run_script(script, *there, *more)
            assert done.exit_code == 0, done.output
            printed += [done.stdout, done.stderr]
        away = with_password("http://127.0.0.1:9", SECRETS["quoted"])
        refused = run_script("sync", *there, "--tracking-uri", away)
        assert refused.exit_code == 1
        printed += [refused.output]
    printed += capfd.readouterr()
    assert "http://me:***@127.0.0.1:9 does not answer" in "".join(printed)
    told = [line for line in "".join(printed).splitlines() if any(form in line.encode() for form in FORMS)]
    assert told == []
    kept = config.folder / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert telling(tmp_path) == {kept}
    assert not [form for form in FORMS if form in rows(config)]
    assert SweepConfig.load("try", config.sweeps_dir).storage == storage
