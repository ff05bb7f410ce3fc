"""A sweep file says what could be typed, goes from its own folder, and is told by its lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from search.config.run_settings import URL_FIELDS
from search.errors import UserError
from search.launching.request import GROUPS, SweepRequest
from search.launching.sweep_file import asked, read, write
from spaces.typed import value

ROOT = Path(__file__).parents[3]
# For each field another value than its default, as a command line gives it.
OTHERS: dict[str, Any] = {
    "name": "night",
    "space": "my space.py",
    "dataset": "folder",
    "data_dir": "images",
    "train_size": "300",
    "val_size": "100",
    "skip_damaged": True,
    "trials": "20",
    "budget": "20x",
    "max_epochs": "9",
    "sampler": "random",
    "sampler_args": ["group=true", "n_startup_trials=5"],
    "pruner": "asha",
    "pruner_args": ["reduction_factor=3"],
    "seed": "7",
    "enqueue": ["depth=2,lr=0.05", "optimizer=sgd"],
    "around": ["lr=0.05"],
    "learn_from": ["last-night"],
    "cpus_per_trial": "0.5",
    "gpus_per_trial": "0",
    "concurrency": "2",
    "ray_address": "head:6379",
    "time_budget": "1.5h",
    "core_hours": "10",
    "gpu_hours": "2.5",
    "stop_when": "0.001/h",
    "finish": "true",
    "finish_share": "0.3",
    "trial_timeout": "30m",
    "cleanup_time": "5s",
    "max_attempts": "2",
    "first_failures": "0",
    "max_failed_share": "1",
    "share_after": "9",
    "tracking_uri": "sqlite:///runs/mlflow.db",
    "checkpoints": "s3://bucket/checkpoints?region=eu",
    "experiment": "other",
    "loggers": ["wandb"],
    "storage": "sqlite:///../studies.db",
    "keep_checkpoints": "5",
    "keep_frozen": "7",
    "keep_frozen_size": "1.5GB",
    "sweeps_dir": "elsewhere",
    "metric": "val_loss",
    "direction": "minimize",
}
OF_A_MODULE: dict[str, Any] = {
    "module": "nets.py:Net",
    "data": "package.data:Data",
    "callbacks": "nets.py:callbacks",
    "trainer": ["gradient_clip_val=1.5", "deterministic=true"],
    "checkpoint_every_n_epochs": "3",
    "checkpoint_every": "30s",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def refused(text: str, why: str) -> None:
    Path("night.toml").write_text(text)
    with pytest.raises(UserError, match=why) as refusal:
        read(Path("night.toml"))
    assert "\n" not in str(refusal.value)


def test_the_quickstart_is_what_is_launched_when_nothing_is_typed(here: Path) -> None:
    example = ROOT / "examples" / "quickstart.toml"
    request, stem = asked(str(example), {})
    assert request == SweepRequest.of({})
    assert stem == "quickstart"
    write(Path("quickstart.toml"), request)
    assert Path("quickstart.toml").read_text() == example.read_text()


def test_every_field_can_be_shown_and_kept() -> None:
    shown = [field for fields in GROUPS.values() for field in fields]
    assert sorted(shown) == sorted(SweepRequest.model_fields) == sorted(OTHERS | OF_A_MODULE)


def test_what_is_written_is_asked_for_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = SweepRequest.of(OTHERS)
    write(Path("night.toml"), request)
    monkeypatch.chdir(here.parent)
    again, _ = asked(str(here / "night.toml"), {})
    places = {"space": here / "my space.py", "data_dir": here / "images", "sweeps_dir": here / "elsewhere"}
    texts = {name: str(place) for name, place in places.items()}
    assert dict(again) == dict(request.model_copy(update={**places, "space": texts["space"]}))


@pytest.mark.parametrize(
    "given",
    [
        {"sampler_args": ["constant_liar=none", "weights=[1, null]", "group=false", "text=a=b"]},
        {"pruner_args": {"nested": {"a": [1, 2.5, "x"]}}},
        {"enqueue": ["optimizer=None,lr=1e-3", "name=none"]},
        {"time_budget": "1234567.25s", "trial_timeout": "0.1s"},
        {"budget": "540", "keep_frozen_size": "1234567890123"},
        {"budget": "20x"},
        {"trials": "7"},
        {"experiment": 'a "quoted" \\ name # with a hash', "name": "n.toml-1"},
    ],
)
def test_values_of_every_kind_come_back(given: dict[str, Any]) -> None:
    request = SweepRequest.of(given)
    write(Path("night.toml"), request)
    again, _ = asked("night.toml", {})
    assert again == request.model_copy(update={"enqueue": again.enqueue})
    meant = [
        [{name: value(text) for name, text in each.items()} for each in r.enqueue] for r in (request, again)
    ]
    assert meant[0] == meant[1]


def test_a_module_that_is_written_is_asked_for_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = SweepRequest.of(OF_A_MODULE)
    write(Path("night.toml"), request)
    monkeypatch.chdir(here.parent)
    again, _ = asked(str(here / "night.toml"), {})
    places = {name: f"{here}/{OF_A_MODULE[name]}" for name in ("module", "callbacks")}
    expected = request.model_copy(update=places)
    assert {name: getattr(again, name) for name in OF_A_MODULE} == {
        name: getattr(expected, name) for name in OF_A_MODULE
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"trainer": ["precision=16"]},
            "`trainer` is of a LightningModule of your own: name it with `module`",
        ),
        (
            {"module": "nets:Net", "train_size": "100"},
            "`train_size` is of the CNN's images, and nets:Net is trained",
        ),
    ],
)
def test_the_cnn_and_a_module_do_not_mix(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SweepRequest.of(given)


@pytest.mark.parametrize("field", OTHERS)
def test_a_field_stands_in_a_file_as_it_is_typed(field: str) -> None:
    write(Path("one.toml"), SweepRequest.of({field: OTHERS[field]}))
    fields = read(Path("one.toml"))
    assert field in fields
    typed = {**OTHERS, "space": str(Path("my space.py").absolute())}[field]
    where = {"data_dir": Path.cwd() / "images", "sweeps_dir": Path.cwd() / "elsewhere"}
    expected = where.get(field, getattr(SweepRequest.of({field: typed}), field))
    assert getattr(SweepRequest.of(fields), field) == expected


def test_relative_places_go_from_the_files_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("night.toml").write_text(
        'space = "spaces/mine.py"\ndata_dir = "../images"\nsweeps_dir = "/sweeps"\ncheckpoints = "kept"\n'
        'storage = "sqlite:///studies.db"\ntracking_uri = "http://mlflow:5000"\n'
    )
    monkeypatch.chdir(here.parent)
    assert read(Path("here/night.toml")) == {
        "space": f"{here}/spaces/mine.py",
        "data_dir": f"{here.parent}/images",
        "sweeps_dir": "/sweeps",
        "checkpoints": f"{here}/kept",
        "storage": f"sqlite:///{here}/studies.db",
        "tracking_uri": "http://mlflow:5000",
    }


def test_what_is_typed_wins_and_what_is_unset_has_its_default() -> None:
    Path("night.toml").write_text('name = "dusk"\ntrials = 3\nconcurrency = 2\nenqueue = [{ depth = 2 }]\n')
    request, _ = asked("night.toml", {"trials": "5", "concurrency": None, "enqueue": [], "name": "dawn"})
    assert (request.trials, request.concurrency, request.enqueue, request.name) == (5, None, [], "dawn")


def test_a_size_that_is_typed_wins_over_the_whole_of_a_files_size() -> None:
    assert (SweepRequest.of({}).trials, SweepRequest.of({}).budget) == (None, "10x")
    assert (SweepRequest.of({"budget": "9x"}).trials, SweepRequest.of({"budget": "9x"}).budget) == (
        None,
        "9x",
    )
    Path("night.toml").write_text("trials = 30\n")
    other, _ = asked("night.toml", {"budget": "20x"})
    assert (other.trials, other.budget) == (None, "20x")
    both, _ = asked("night.toml", {"budget": "20x", "trials": "40"})
    assert (both.trials, both.budget) == (40, "20x")
    Path("night.toml").write_text('trials = 30\nbudget = "9x"\n')
    written, _ = asked("night.toml", {"seed": "7"})
    assert (written.trials, written.budget) == (30, "9x")
    default, _ = asked("night.toml", {"trials": None, "budget": None})
    assert (default.trials, default.budget) == (None, "10x")


def test_a_sweep_is_called_as_its_file_and_numbered_unless_it_has_a_name(here: Path) -> None:
    Path("night.toml").write_text("trials = 3\n")
    request, stem = asked("night.toml", {})
    assert request.fresh_name(stem) == "night-1"
    (here / "sweeps" / "night-1").mkdir(parents=True)
    assert request.fresh_name(stem) == "night-2"
    named, _ = asked("dusk", {})
    assert named.name == "dusk"
    with pytest.raises(UserError, match="the sweep is called dusk and `name=dawn`: give one name"):
        asked("dusk", {"name": "dawn"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "\n# a\ntrails = 3\n",
            r"file night.toml, line 3: unknown key 'trails'; did you mean 'trials'\?",
        ),
        ("[sampler]\ngroup = true\n", r"line 1: sampler = {'group': True}: Input should be a valid string"),
        ("tint = 3\n", r"line 1: unknown key 'tint'$"),
        ("seed = 1\ntrials = 0\n", r"line 2: trials = 0: Input should be greater than or equal to 1"),
        (
            'trials = 3\n time_budget = "90"',
            r"line 2: time_budget = '90': write a positive number and a unit",
        ),
        (
            "[pruner_args]\nx = 1\n[sampler_arg]\n",
            r"line 3: unknown key 'sampler_arg'; .* 'sampler_args'",
        ),
        ('checkpoint_uri = "x"\n', r"line 1: unknown key 'checkpoint_uri'; did you mean 'checkpoints'"),
        ("enqueue = [3]\n", r"line 1: enqueue = \[3\]: "),
        ('storage = "postgresql://me:***@db/x"\n', r"line 1: .* stands for a password that is not shown"),
        ("trials = [\n", r"night.toml is no TOML: .*"),
        ("trials = 3\ntrials = 4\n", r"night.toml is no TOML: Cannot overwrite a value \(at line 2"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(text: str, why: str) -> None:
    refused(text, why)


def test_a_file_that_cannot_be_read_is_told(here: Path) -> None:
    Path("night.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"night.toml is no TOML: .* can't decode"):
        read(Path("night.toml"))
    with pytest.raises(UserError, match=r"sweep file day.toml: No such file or directory; check its path"):
        asked("day.toml", {})


def test_no_file_is_written_over(here: Path) -> None:
    Path("night.toml").write_text("trials = 3\n")
    with pytest.raises(UserError, match=r"night.toml is there already: name another, or delete it"):
        write(Path("night.toml"), SweepRequest.of({}))
    assert Path("night.toml").read_text() == "trials = 3\n"
    with pytest.raises(UserError, match="No such file or directory; name another"):
        write(Path("not/there.toml"), SweepRequest.of({}))
    assert os.listdir(here) == ["night.toml"]


@pytest.mark.parametrize("field", URL_FIELDS)
def test_no_password_is_written_into_a_file(field: str) -> None:
    write(Path("night.toml"), SweepRequest.of({field: "postgresql+psycopg://me:secret@db/x"}))
    text = Path("night.toml").read_text()
    assert "secret" not in text
    assert f'# {field} = "postgresql+psycopg://me:***@db/x"' in text
    assert "password is not kept here" in text
    assert field not in read(Path("night.toml"))
