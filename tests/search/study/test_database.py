"""The database opens, or says in one line why it does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path

import optuna
import psutil  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from filelock import FileLock

import search.study.database
from search.errors import SweepFailed, UserError
from search.study.database import check_url, opened_storage, printable, wait_for_storage


def open_it(url: str, *, create: bool = True) -> None:
    """Open a storage and close it again."""
    with opened_storage(url, create=create):
        pass


def test_a_study_is_there_again_when_the_file_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for expected in ([], ["mine"]):
        with opened_storage(url) as storage:
            assert optuna.get_all_study_names(storage) == expected
            optuna.create_study(study_name="mine", storage=storage, load_if_exists=True)


def test_every_connection_to_a_file_logs_ahead(tmp_path: Path) -> None:
    with opened_storage(f"sqlite:///{tmp_path / 'study.db'}") as storage:
        for _ in range(2):
            with storage.engine.connect() as connection:
                assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
                assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 1  # NORMAL
            storage.engine.dispose()


def test_a_file_is_let_go_of_whatever_happens_in_between(tmp_path: Path) -> None:
    file = tmp_path / "study.db"

    def fail_within_a_transaction() -> None:
        with opened_storage(f"sqlite:///{file}") as storage:
            storage.scoped_session().execute(sa.text("SELECT * FROM trials"))
            assert is_open(file)
            raise KeyError

    with pytest.raises(KeyError):
        fail_within_a_transaction()
    assert not is_open(file)


def is_open(file: Path) -> bool:
    """Whether this process has it open."""
    return str(file) in {found.path for found in psutil.Process().open_files()}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is no URL"),
        ("study.db", "is no URL"),
        ("mysql://localhost/x", "scheme 'mysql' is not known: use sqlite or postgresql"),
        ("postgresql://localhost/x", "use sqlite or postgresql\\+psycopg"),
        ("sqlite://", "lives in memory"),
        ("sqlite:///:memory:", "lives in memory"),
        ("sqlite:////nowhere/at/all/study.db", "folder /nowhere/at/all is not there"),
    ],
)
def test_urls_that_no_sweep_can_live_in_are_refused(url: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        check_url(url)
    with pytest.raises(UserError, match=why):
        open_it(url)


def test_checking_a_url_makes_no_file(tmp_path: Path) -> None:
    check_url(f"sqlite:///{tmp_path / 'study.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"storage sqlite:///{tmp_path} does not answer") as refusal:
        open_it(f"sqlite:///{tmp_path}")
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("dear diary, " * 500)
    with pytest.raises(UserError, match="file is not a database"):
        open_it(f"sqlite:///{file}")
    assert file.read_text() == "dear diary, " * 500


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    with pytest.raises(UserError, match="does not answer") as refusal:
        open_it("postgresql+psycopg://me:secret@127.0.0.1:1/sweeps")
    assert "secret" not in str(refusal.value)
    assert "me:***@127.0.0.1:1/sweeps" in str(refusal.value)


def test_a_printed_url_has_no_password() -> None:
    assert printable("postgresql+psycopg://me:secret@host/x") == "postgresql+psycopg://me:***@host/x"


def test_a_storage_that_comes_back_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, away = tmp_path / "study.db", tmp_path / "away"
    open_it(f"sqlite:///{file}")
    file.rename(away)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        assert not file.exists(), "an empty database would be taken for the one that is waited for"
        waited.append(seconds)
        if len(waited) == 3:
            away.rename(file)

    monkeypatch.setattr("time.sleep", sleep)
    wait_for_storage(f"sqlite:///{file}", OSError("gone"))
    assert len(waited) == 3
    engine = sa.create_engine(f"sqlite:///{file}")
    names = sa.inspect(engine).get_table_names()
    engine.dispose()
    assert "trials" in names
    assert not [name for name in names if "probe" in name], "trying leaves nothing behind"


def test_a_storage_that_stays_away_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(search.study.database, "STORAGE_WAIT_S", 0.2)
    with pytest.raises(SweepFailed, match=r"did not come back in 0 s \(disk is full\)"):
        wait_for_storage(f"sqlite:///{tmp_path / 'away' / 'study.db'}", OSError("disk is full"))


def test_a_reader_waits_while_a_launch_makes_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with ThreadPoolExecutor(1) as pool:
        with FileLock(tmp_path / ".study.db.lock"):  # as `opened_storage` holds it while it makes them
            sa.create_engine(url).connect().exec_driver_sql("CREATE TABLE version_info (x INTEGER)").close()
            reader = pool.submit(open_it, url, create=False)
            with pytest.raises(StillWaiting):
                reader.result(0.2)
            (tmp_path / "study.db").unlink()
            search.study.database.SweepStorage(url, {}).engine.dispose()
        reader.result()


def test_a_reader_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    open_it(url)
    (tmp_path / ".study.db.lock").unlink()
    there = sorted(tmp_path.iterdir())
    open_it(url, create=False)
    assert sorted(tmp_path.iterdir()) == there
