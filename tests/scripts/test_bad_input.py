"""What a person may get wrong: one line with the value, the rule and the remedy, exit code 2, no trace."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_runs import Result, run_script, write_space
from sweep_fixtures import MakeSweep

from search.cifar.sweep import cifar_config, data_config
from search.policy.making import make_policy
from search.study.opening import open_study
from search.study.records import Epoch

LAUNCH = [
    (
        ["--space", "huge"],
        r"unknown search space 'huge'; known: baseline, fast, .* wide; .*path",
    ),
    (["--space", "mine.py"], r"no file 'mine.py' with a search space; check the path"),
    (["--dataset", "mnist"], r"--dataset mnist: .*'digits', 'cifar10' or 'folder'"),
    (["--sampler", "anneal"], r"unknown sampler 'anneal': choose one of tpe, random, gp"),
    (["--sampler", "grid"], r"no grid: lr can take endlessly many values; give step="),
    (["--sampler-arg", "n_startup_trials"], r"--sampler-arg n_startup_trials: write .* as NAME=VALUE"),
    (
        ["--sampler", "tpe", "--sampler-arg", "startups=3"],
        r"tpe has no argument 'startups': its arguments are .*n_startup",
    ),
    (
        ["--sampler", "tpe", "--sampler-arg", "constant_liar=maybe"],
        r"constant_liar='maybe' is text, where true or false",
    ),
    (["--sampler-arg", "seed=3"], r"give --seed"),
    (
        ["--sampler-arg", "group=true", "--sampler-arg", "group=false"],
        r"group is 'true' already; give it once",
    ),
    (["--pruner", "asha", "--pruner-arg", "reduction_factor=x"], r"'x' is text, where a whole number"),
    (["--enqueue", "lr=fast"], r"'lr' is 'fast', but has to be float"),
    (["--enqueue", "depth=True"], r"'depth' is True, but has to be int"),
    (["--around", "lr=5"], r"--around lr=5: .*'lr' is 5, but has to be float"),
    (["--around", "nosuch=1"], r"--around nosuch=1: .*no parameter 'nosuch'; known: depth, lr, width"),
    (["--learn-from", "night"], r"no sweep 'night' in .*; it has no sweep: check the name"),
    (["--stop-when", "soon"], r"--stop-when soon: neither 'worthless' nor .* above 0: write it as 0.001/h"),
    (["--stop-when", "0/h"], r"--stop-when 0/h: neither 'worthless' nor .* above 0: write it as 0.001/h"),
    (["--core-hours", "0"], r"--core-hours 0.*greater than 0"),
    (["--finish-share", "1"], r"--finish-share 1.*less than 1"),
    (["--finish", "--budget", "1x"], r"--budget 1x with 6 epochs kept back to --finish .*: give more"),
    (["--pruner", "bandit"], r"unknown pruner 'bandit': choose auto or one of hyperband, asha"),
    (["--pruner", "asha", "--pruner-arg", "reduction_factor=1"], r"pruner asha refuses .*: 1"),
    (["--trials", "0"], r"--trials 0.*greater than or equal to 1"),
    (["--trials", "-5"], r"--trials -5.*greater than or equal to 1"),
    (["--max-epochs", "0"], r"--max-epochs 0.*greater than or equal to 1"),
    (["--train-size", "0"], r"--train-size 0.*greater than or equal to 2"),
    (["--val-size", "-1"], r"--val-size -1.*greater than or equal to 1"),
    (["--val-size", "288"], r"val_size=288 is more than the 287 validation images .*ask for at most 287"),
    (["--train-size", "5000"], r"train_size=5000 is more than the 1150 training images .*at most 1150"),
    (["--seed", "-1"], r"--seed -1.*greater than or equal to 0"),
    (["--cpus-per-trial", "0"], r"--cpus-per-trial 0.*greater than 0"),
    (["--gpus-per-trial", "-1"], r"--gpus-per-trial -1.*greater than or equal to 0"),
    (["--gpus-per-trial", "2"], r"--gpus-per-trial 2: a trial trains on one device, .*: give 1 or less$"),
    (["--concurrency", "0"], r"--concurrency 0.*greater than or equal to 1"),
    (["--keep-checkpoints", "0"], r"--keep-checkpoints 0.*greater than or equal to 1"),
    (["--time-budget", "soon"], r"--time-budget soon: write a positive number and a unit, such as 90s"),
    (["--time-budget", "0s"], r"--time-budget 0s: write a positive number"),
    (["--time-budget", "90"], r"--time-budget 90: write a positive number and a unit"),
    (["--seed", "x"], r"--seed x: Input should be a valid integer"),
    (["--trails", "3"], r"Unknown option: --trails\. Did you mean --trials\?$"),
    (["--trials"], r"--trials requires an argument; see --help"),
    (["night", "day"], r"more than this command takes: day; see --help"),
    (["--dry-run=perhaps"], r"--dry-run: unable to convert \"perhaps\" into bool"),
    (["../up"], r"--name ../up: a name is 1 to 64 letters"),
    (
        ["--storage", "mysql://me@db/studies"],
        r"'mysql' is not known: use sqlite or postgresql\+psycopg",
    ),
    (["--storage", "studies"], r"storage 'studies' is no URL: write sqlite:///study.db"),
    (["--storage", "sqlite://"], r"lives in memory and would not survive: name a file"),
    (["--storage", "sqlite:///there/not.db"], r"folder /.*/there is not there: make it first"),
]
OTHERS = [
    (["resume"], r"Parameter NAME requires an argument; see --help"),
    (["resume", "night", "--no-share-after"], r"Unknown option: --no-share-after"),
    (["resume", "night", "--skip-trial", "first"], r"--skip-trial: unable to convert \"first\" into int"),
    (["compare"], r"Parameter NAMES requires an argument"),
    (["compare", "night", "--top", "0"], r"\"0\" for --top\. Must be >= 1"),
    (["compare", "night", "--format", "yaml"], r'"yaml" for --format. Choose from: "table", "csv"'),
    (["retrain", "night", "--seeds", "-1"], r"\"-1\" for --seeds\. Must be >= 1"),
    (["evaluate", "night", "--corruption"], r"Did you mean --corruptions\?"),
    (["report", "night", "--file"], r"--file requires an argument"),
    (["sync"], r"Parameter NAME requires an argument"),
    (["serve", "--port", "65536"], r"\"65536\" for --port\. Must be <= 65535"),
]
SPACES = {
    "an empty range": ("'lr': FloatDistribution(1, 0.1)", r"line \d+: ValueError: .*low=1.*high=0.1"),
    "a log range that touches 0": (
        "'lr': FloatDistribution(0, 0.1, log=True)",
        r"line \d+: ValueError: `low > 0` must hold for `log=True`",
    ),
    "an unknown name": (
        "'learning_rate': FloatDistribution(0.1, 1)",
        r"unknown parameter 'learning_rate'; .*lr",
    ),
    "a value that no network has": ("'depth': IntDistribution(1, 9)", r"depth=9.*less than or equal to 5"),
    "what the sweep sets": ("'seed': IntDistribution(1, 9)", r"unknown parameter 'seed'"),
    "a range that is none": ("'lr': 0.1", r"'lr' is a float, which is not a range; use FloatDistribution"),
    "a slip of the pen": ("'lr': FloatDistribtion(0, 1)", r"line \d+: NameError: name 'FloatDistribtion'"),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files() -> set[str]:
    """Everything below the folder that the scripts run in."""
    return {str(path) for path in Path().rglob("*")}


def refusal(result: Result, rule: str) -> str:
    """The one line that a refused command says, and that it says nothing else."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert re.search(rule, lines[0]), lines[0]
    return lines[0]


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(("arguments", "rule"), LAUNCH, ids=[" ".join(arguments) for arguments, _ in LAUNCH])
def test_a_wrong_argument(digits_dir: Path, arguments: list[str], rule: str) -> None:
    refusal(run_script("launch", "--data-dir", digits_dir, *arguments), rule)
    assert files() == set()


@pytest.mark.parametrize(("words", "rule"), OTHERS, ids=[" ".join(words) for words, _ in OTHERS])
def test_a_wrong_argument_of_another_script(words: list[str], rule: str) -> None:
    refusal(run_script(*words), rule)
    assert files() == set()


@pytest.mark.parametrize(("parameter", "rule"), SPACES.values(), ids=SPACES)
def test_a_space_of_ones_own(tmp_path: Path, digits_dir: Path, parameter: str, rule: str) -> None:
    file = write_space(tmp_path / "my_space.py", parameter)
    refusal(run_script("launch", "--data-dir", digits_dir, "--space", file), rule)
    assert files() == set()
    assert set(tmp_path.iterdir()) == {file, Path.cwd()}


def test_a_folder_of_images_that_is_not_there_or_is_damaged(tmp_path: Path) -> None:
    images = tmp_path / "images"
    arguments = ["launch", "--dataset", "folder", "--data-dir", images]
    refusal(run_script(*arguments), r"images/train does not exist.*point data_dir at the folder")
    assert not images.exists()
    write_images(images)
    bad = images / "train" / "cat" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60])
    refusal(run_script(*arguments), r"train/cat/3.png is not a readable image .*; replace or remove it")
    assert files() == set()
    assert not [path for path in images.rglob("*") if path.suffix in (".npy", ".part", ".json")]


def test_a_sweeps_folder_that_cannot_be(tmp_path: Path, digits_dir: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for sweeps_dir in (file, file / "below"):
        result = run_script("launch", "--data-dir", digits_dir, "--sweeps-dir", sweeps_dir)
        refusal(result, rf"sweeps folder {sweeps_dir}: {file} cannot be written; choose another --sweeps-dir")
    assert files() == set()


def test_a_storage_that_does_not_answer(digits_dir: Path) -> None:
    url = f"postgresql+psycopg://me:secret@127.0.0.1:{closed_port()}/studies"
    line = refusal(
        run_script("launch", "--data-dir", digits_dir, "--storage", url), r"does not answer .*check --storage"
    )
    assert "secret" not in line
    assert files() == set()


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry run", "launch"])
def test_a_tracking_store_that_does_not_answer(digits_dir: Path, dry: list[str]) -> None:
    uri = f"http://127.0.0.1:{closed_port()}"
    result = run_script(
        "launch", "--data-dir", digits_dir, "--tracking-uri", uri, "--gpus-per-trial", 0, *dry
    )
    last = result.stderr.splitlines()[-1]
    assert result.exit_code == 2
    assert re.match(rf"error: tracking store {uri} does not answer .*check --tracking-uri", last)
    assert files() == set()


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--gpus-per-trial", 0, "--cpus-per-trial", 64], r"--cpus-per-trial 64: there are 4 CPU cores"),
        (["--concurrency", 9], r"--concurrency 9: only 4 at a time fit, with 1 CPU and 1 GPU"),
    ],
    ids=["CPUs", "concurrency"],
)
def test_more_than_the_machine_has(digits_dir: Path, arguments: list[object], rule: str) -> None:
    result = run_script("launch", "--data-dir", digits_dir, *arguments)
    last = result.stderr.splitlines()[-1]
    assert result.exit_code == 2
    assert re.search(rule, last), last
    assert files() == set()


def test_a_name_that_exists_names_the_resume_command(digits_dir: Path, make_sweep: MakeSweep) -> None:
    config = make_sweep(name="night")
    config.save()
    arguments = ["launch", "night", "--data-dir", digits_dir, "--sweeps-dir", config.sweeps_dir]
    refusal(
        run_script(*arguments), rf"'night' exists: .*resume_sweep.py night --sweeps-dir {config.sweeps_dir}`"
    )
    assert files() == set()


def test_sweeps_trials_and_numbers_that_are_not_there(make_sweep: MakeSweep) -> None:
    config = make_sweep(name="night")
    config.save()
    there = ["--sweeps-dir", config.sweeps_dir]
    for script in ("resume", "compare", "retrain"):
        refusal(
            run_script(script, "day", *there),
            r"no sweep 'day' in .*; the sweeps in it are night: check the name and --sweeps-dir",
        )
    refusal(run_script("resume", "night", "--trials", 0, *there), r"--trials 0.*greater than or equal to 1")
    refusal(run_script("resume", "night", "--time-budget", "2 weeks", *there), r"--time-budget 2 weeks: ")
    assert os.listdir(config.folder) == ["sweep.json"]
    assert files() == set()


def test_a_space_that_was_changed_before_a_resume(tmp_path: Path, digits_dir: Path) -> None:
    file = write_space(tmp_path / "my_space.py", "'lr': FloatDistribution(0.1, 1)")
    config = cifar_config(
        space=str(file),
        data=data_config("digits", digits_dir, 200, 100),
        name="night",
        trials=2,
        max_epochs=2,
        sweeps_dir=tmp_path / "sweeps",
    )
    config.save()
    write_space(file, "'lr': FloatDistribution(0.1, 2)")
    rule = r"another definition \(space: lr: float 0.1\.\.1.0 -> float 0.1\.\.2.0\): undo the change"
    refusal(run_script("resume", "night", "--sweeps-dir", config.sweeps_dir), rule)
    assert os.listdir(config.folder) == ["sweep.json"]


def test_what_was_changed_or_is_wrong_before_a_retraining(tmp_path: Path) -> None:
    write_images(images := tmp_path / "images")
    config = cifar_config(
        space="quickstart",
        data=data_config("folder", images, None, None),
        name="night",
        trials=1,
        max_epochs=1,
        sweeps_dir=tmp_path / "sweeps",
    )
    with open_study(config, make_policy(config)) as (ledger, _):
        ledger.start(ledger.ask().number)
        ledger.report(0, Epoch(1, {"val_acc": 0.5}, 0, "host:1"))
        ledger.complete(0)
    arguments = ["retrain", "night", "--sweeps-dir", config.sweeps_dir]
    refusal(
        run_script(*arguments, "--gpus-per-trial", 2), r"--gpus-per-trial 2: a trial trains on one device"
    )
    refusal(run_script(*arguments, "--data-dir", tmp_path / "there"), "there/train does not exist")
    there = [*arguments, "--top", 1, "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    few = r"trial 0 trains in batches of 64 images, and there are 20 to retrain it on: add images or"
    refusal(run_script(*there), few)
    most = r"--train-size 21: 'folder' has 20 images that are not the test's; ask for 3 to 20"
    refusal(run_script(*there, "--train-size", 21), most)
    (images / "test").rename(tmp_path / "test")
    refusal(run_script(*arguments), r"images/test does not exist.* give their folder with --data-dir")
    (tmp_path / "test").rename(images / "test")
    (images / "train" / "cat" / "3.png").unlink()
    refusal(run_script(*arguments), r"another definition \(dataset: .*: undo the change")
    assert not (config.folder / "confirm").exists()
    assert files() == set()


def write_images(root: Path) -> None:
    """Two classes of ten training and two test images."""
    pixels = np.random.default_rng(0)
    for split, count in (("train", 10), ("test", 2)):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(pixels.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / f"{number}.png")
