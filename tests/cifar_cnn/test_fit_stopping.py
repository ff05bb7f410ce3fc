"""How a run ends before its time, and that a worker it ran in is as it was."""

import contextlib
import gc
import json
import math
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
import trainings
from trainings import EpochReport, fit

from cifar_cnn import module
from cifar_cnn.cache import DecodedCache
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.data import TrainOn
from cifar_cnn.datasets import Images
from cifar_cnn.errors import NonFiniteLoss


class Pruned(Exception):
    pass


def in_thread(work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for failure in failures:
        raise failure


@pytest.mark.parametrize("stopped", [False, True])
def test_the_images_are_let_go_at_once(
    stopped: bool, tiny: TrainConfig, few_digits: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped: list[weakref.ref[Images]] = []

    def noted(cache: DecodedCache, part: Literal["train", "test"], load=DecodedCache.images) -> Images:
        images = load(cache, part)
        mapped.append(weakref.ref(images))
        return images

    def stop(_: EpochReport) -> None:
        if stopped:
            raise Pruned

    monkeypatch.setattr(DecodedCache, "images", noted)
    gc.disable()  # a worker's next trial may begin before Python looks for cycles
    try:
        with contextlib.suppress(Pruned):
            fit(tiny, few_digits, on_epoch=stop)
        assert mapped
        assert all(images() is None for images in mapped)
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [Pruned, SystemExit, KeyboardInterrupt, ValueError, GeneratorExit])
@pytest.mark.parametrize("where", ["main thread", "other thread"])
def test_what_on_epoch_raises_comes_out_unchanged(
    error: type[BaseException], where: str, tiny: TrainConfig, few_digits: DataConfig
) -> None:
    raised = error("enough")
    epochs = []

    def stop(report: EpochReport) -> None:
        epochs.append(report.epoch)
        if report.epoch == 2:
            raise raised

    def run() -> None:
        fit(tiny, few_digits, on_epoch=stop)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    threads = threading.active_count()
    with pytest.raises(error) as caught:
        run() if where == "main thread" else in_thread(run)
    assert caught.value is raised
    assert epochs == [1, 2]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert threading.active_count() == threads


@pytest.mark.parametrize("stopped", [False, True])
def test_threads_and_random_state_are_put_back(
    tiny: TrainConfig, few_digits: DataConfig, stopped: bool
) -> None:
    seen = []

    def on_epoch(_: EpochReport) -> None:
        seen.append(torch.get_num_threads())
        if stopped:
            raise Pruned

    state = torch.get_rng_state()
    try:
        fit(tiny.model_copy(update={"max_epochs": 1}), few_digits, on_epoch=on_epoch, cpus=2)
    except Pruned:
        assert stopped
    assert set(seen) == {2}
    assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)


def test_diverged_run_says_so_and_is_neither_reported_nor_saved(
    tiny: TrainConfig, few_digits: DataConfig
) -> None:
    config = tiny.model_copy(update={"lr": 10.0, "warmup": 0.0, "batch_size": 4, "weight_decay": 10.0})
    with pytest.raises(NonFiniteLoss, match=r"epoch \d at lr=10: .*Lower lr"):
        fit(config, few_digits, on_epoch=lambda report: None)


@pytest.mark.parametrize(("optimizer", "field"), [("adamw", "adamw_lr"), ("muon", "muon_lr")])
def test_a_diverged_run_names_its_own_learning_rate(
    optimizer: str, field: str, tiny: TrainConfig, few_digits: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "schedule_factor", lambda *_: math.nan)
    config = TrainConfig(**{**tiny.model_dump(), "optimizer": optimizer, field: 0.5})
    with pytest.raises(NonFiniteLoss, match=f"at {field}=0.5: .*Lower {field}"):
        fit(config, few_digits)


def test_divergence_ends_an_epoch_before_its_end(
    tiny: TrainConfig, few_digits: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    monkeypatch.setattr(module, "schedule_factor", lambda _, step, total: (steps.append(step), math.nan)[1])
    with pytest.raises(NonFiniteLoss, match="train_loss is nan in epoch 1"):
        fit(tiny.model_copy(update={"batch_size": 4}), few_digits)
    assert len(set(steps)) <= module.CHECKED_EVERY + 2 < 50, "of 50 steps"


STEPS = 4  # an epoch of `tiny`: 200 images in batches of at most 64


@pytest.mark.parametrize(
    ("train_on", "first_bad_step", "reason"),
    [
        ("train", STEPS, "train_loss is nan"),
        ("train", 2 * STEPS - 1, "the largest weight is nan"),
        ("train+val", 2 * (STEPS + 1) - 1, "the largest weight is nan"),
    ],
    ids=["early", "last step", "last step, no validation"],
)
def test_nan_in_a_later_epoch_ends_the_run_before_its_report(
    train_on: TrainOn,
    first_bad_step: int,
    reason: str,
    tiny: TrainConfig,
    few_digits: DataConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        module, "schedule_factor", lambda _, step, total: 1.0 if step < first_bad_step else math.nan
    )
    reported = []
    with pytest.raises(NonFiniteLoss, match=f"{reason} in epoch 2"):
        fit(tiny, few_digits, on_epoch=lambda r: reported.append(r.epoch), train_on=train_on)
    assert reported == [1]


def test_infinite_validation_loss_ends_the_run(
    tiny: TrainConfig, few_digits: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = module.Tally.result
    monkeypatch.setattr(
        module.Tally,
        "result",
        lambda self: (math.inf, 0.1) if self.count == 100 else result(self),
    )
    with pytest.raises(NonFiniteLoss, match="val_loss is inf in epoch 1"):
        fit(tiny, few_digits, on_epoch=lambda _: pytest.fail("reported"))


SILENT_RUN = """
import json, sys, threading
from pathlib import Path
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.data import TrainOn
from cifar_cnn.datasets import Images
from trainings import fit

def work():
    config = TrainConfig(depth=1, width=4, head_width=8, max_epochs=2, batch_size=64)
    data = DataConfig(data_dir=Path(sys.argv[1]), train_size=200, val_size=100)
    fit(config, data, on_epoch=lambda report: report.save(Path(sys.argv[2]) / str(report.epoch)))
    fit(config, data, checkpoint=Path(sys.argv[2]) / "1")
    fit(config, data, train_on="train+val")

work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(json.dumps(sorted(path.name for path in Path.cwd().iterdir())))
"""


def test_a_worker_hears_and_finds_nothing(digits_dir: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    path = f"{root}:{Path(trainings.__file__).parent}"
    run = subprocess.run(
        [sys.executable, "-W", "default", "-c", SILENT_RUN, str(digits_dir), str(tmp_path / "saved")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert json.loads(run.stdout) == []
