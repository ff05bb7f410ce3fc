"""Passwords and tokens in URLs: shown as `***`, kept for nobody but their user to read."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import make_url
from sweep_makers import sweep_config

from search.config.credentials import HidingRecord, hide, hide_in, without_userinfo
from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.launching.launch import resumed
from search.study.database import check_url
from search.study.launch_notes import describe_launch
from search.tracking.pages.links import base_url, ui_arguments
from search.tracking.pages.server import serve_ui

HIDDEN = [
    ("postgresql+psycopg://me:pw@host/db", "postgresql+psycopg://me:***@host/db"),
    ("postgresql://:pw@host:5432/db", "postgresql://:***@host:5432/db"),
    ("postgresql://me:12345@host/db", "postgresql://me:***@host/db"),
    ("postgresql://me:p%40w@host/db", "postgresql://me:***@host/db"),
    ("postgresql://me:p@w@host/db?options=a@b", "postgresql://me:***@host/db?options=a@b"),
    ("postgresql://me:p/w?d#x@host/db", "postgresql://me:***@host/db"),
    ("postgresql://me:p w@host/db", "postgresql://me:***@host/db"),
    ("postgresql://host/db?user=me&password=p%20w", "postgresql://host/db?user=me&password=***"),
    ("postgresql://h/db?sslpassword=pw&sslkey=/k.pem", "postgresql://h/db?sslpassword=***&sslkey=/k.pem"),
    ("http://me:pw@mlflow:5000/base", "http://me:***@mlflow:5000/base"),
    ("HTTPS://token@mlflow", "HTTPS://***@mlflow"),
    ("https://mlflow?access_token=t&x=1", "https://mlflow?access_token=***&x=1"),
    ("s3://key:pw@bucket/x?region=eu", "s3://key:***@bucket/x?region=eu"),
    ("postgresql://me:12345/x@host/db", "postgresql://me:***@host/db"),
    ("postgresql://me:80#x@host/db", "postgresql://me:***@host/db"),
    ("postgresql://host/db?password=a;b'c\"d&user=me", "postgresql://host/db?password=***&user=me"),
    ("s3://b/x?access_key=a&secret_key=b&region=eu", "s3://b/x?access_key=***&secret_key=***&region=eu"),
    ("https://store/x?sv=1&sig=abc%2F&se=2", "https://store/x?sv=1&sig=***&se=2"),
]
PLAIN = [
    "sqlite:///mlflow.db",
    "postgresql+psycopg://sweeps@db/sweeps",
    "postgresql://me@host:5432/db?options=-c%20a@b",
    "http://mlflow:5000/x@y",
    "s3://bucket/x?region=eu",
    "http://mlflow:5000?x@y",
    "checkpoints?design=a&bias=b",
]


@pytest.mark.parametrize(("url", "shown"), HIDDEN)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert hide(url) == shown
    assert hide(shown) == shown
    if not set(url) & set(" ;'\""):
        assert hide_in(f"API request to '{url}' failed; {url}") == f"API request to '{shown}' failed; {shown}"


@pytest.mark.parametrize("url", PLAIN)
def test_a_url_without_secrets_is_shown_as_it_is(url: str) -> None:
    assert hide(url) == url
    assert hide_in(f"at {url}: port 5000 is closed, me@example.org knows") == (
        f"at {url}: port 5000 is closed, me@example.org knows"
    )


@given(st.text("aZ0%:/?#[]@!$&'()*+,;= \\\"ü", min_size=1))
def test_no_quoted_password_is_ever_shown(password: str) -> None:
    url = f"postgresql+psycopg://me:{quote('secret' + password, safe='')}@host:5432/db?sslmode=require"
    shown = make_url(hide(url))
    assert (shown.password, shown.username, shown.host) == ("***", "me", "host")
    assert make_url(url).password == "secret" + password


def test_a_browser_asks_for_the_name_and_password_itself() -> None:
    assert without_userinfo("https://me:pw@mlflow/x@y") == "https://mlflow/x@y"
    assert base_url("http://me:pw@mlflow:5000") == "http://mlflow:5000"
    with pytest.raises(UserError, match="http://mlflow:5000 is a server"):
        serve_ui("http://me:pw@mlflow:5000", 5000, print)


def test_the_command_that_starts_the_ui_has_no_password() -> None:
    started = ui_arguments("postgresql://me:pw@host/mlflow")
    assert started is not None
    assert "pw@" not in " ".join(started[0])


def test_what_a_launch_notes_of_its_command_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [url for url, _ in HIDDEN]
    options = [f"--storage={url}" for url in urls]
    monkeypatch.setattr(sys, "argv", ["x/launch_sweep.py", "night", *options, *urls])
    command = describe_launch()["command"]
    assert command.startswith("launch_sweep.py night ")
    secrets = "pw", "p%40w", "p@w", "p/w", "p w", "12345", "token@"
    assert not [secret for secret in secrets if secret in command]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+psycopg://me:se@cret@host/db", "write an @ in a password as %40"),
        ("postgresql+psycopg:/me:se@cret@host/db", "is no URL"),
        ("mysql://me:secret@host/db", "'mysql' is not known"),
        ("sqlite://?password=secret", "lives in memory"),
    ],
)
def test_a_refused_storage_is_told_without_its_password(url: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refusal:
        check_url(url)
    assert "cret" not in str(refusal.value)


def test_a_refused_field_is_told_without_its_password() -> None:
    with pytest.raises(ValidationError) as refusal:
        sweep_config(checkpoints=["s3://key:secret@bucket"])
    assert "secret" not in one_line(refusal.value)
    assert "secret" not in repr(sweep_config(storage="postgresql://me:secret@host/db"))


def test_logs_have_no_password(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(HidingRecord)
    try:
        raise OSError("GET http://me:secret@mlflow:5000/api")
    except OSError:
        logging.getLogger("search").exception("no answer from %s", "http://me:secret@mlflow:5000")
    finally:
        logging.setLogRecordFactory(before)
    assert "no answer from http://me:***@mlflow:5000" in caplog.text
    assert "OSError: GET http://me:***@mlflow:5000/api" in caplog.text
    assert "secret" not in caplog.text


SECRETS = {
    "storage": "postgresql+psycopg://me:secret@host/db",
    "tracking_uri": "https://me:secret@mlflow",
    "checkpoints": "s3://key:secret@bucket",
}


def test_a_saved_sweep_has_its_passwords_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, **SECRETS)
    config.save()
    assert "secret" not in (config.folder / "sweep.json").read_text()
    kept = config.folder / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == SECRETS
    assert SweepConfig.load("try", tmp_path) == config
    assert "secret" not in json.dumps(config.shown())
    sweep_config(tmp_path).save()
    assert os.listdir(config.folder) == ["sweep.json"]


def test_a_password_that_an_earlier_version_kept_under_another_name_is_found(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, **SECRETS)
    config.save()
    kept = config.folder / "credentials.json"
    kept.write_text(kept.read_text().replace("checkpoints", "checkpoint_uri"))
    assert SweepConfig.load("try", tmp_path) == config


def test_a_password_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, storage=SECRETS["storage"], objective="package.module:function")
    config.save()
    kept = config.folder / "credentials.json"
    rule = r"password of `storage=postgresql\+psycopg://me:\*\*\*@host/db` is not in .*resume with the whole"
    for text in ("{}", json.dumps({"storage": "postgresql+psycopg://me:secret@other/db"})):
        kept.write_text(text)
        with pytest.raises(UserError, match=rule):
            SweepConfig.load("try", tmp_path)
    kept.write_text("[")
    with pytest.raises(UserError, match=r"cannot be read \(damaged\): ask its owner"):
        SweepConfig.load("try", tmp_path)
    kept.unlink()
    with pytest.raises(UserError, match=rule):
        resumed("try", tmp_path, changes={})
    assert SweepConfig.load("try", tmp_path, given=["storage"]).storage is None


def test_a_hidden_password_is_not_taken_for_one() -> None:
    with pytest.raises(ValidationError, match="stands for a password that is not shown"):
        sweep_config(tracking_uri="https://me:***@mlflow")
