"""What each piece of the recipe of `spaces/fast.py` is worth, and what it reaches: accuracy by training.

    uv run python -m benchmarks.recipe ablations --images IMAGES --out ablations.jsonl
    uv run python -m benchmarks.recipe whole --images IMAGES --out whole.jsonl --networks fast --epochs 10
    uv run python -m benchmarks.recipe whole --images IMAGES --out whole.jsonl --networks resnet --seeds 1

`ablations` trains the recipe, and the recipe with one piece taken out or put in, on 10,000 images, and
measures each on 10,000 others. `whole` trains on all 50,000, and then looks at the test images with the last
epoch's weights and, for a learning curve, with every other epoch's: nothing is decided by them. Each
finished training is a line of the file and is not made again; one that is cut short goes on from its last
epoch.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from scipy import stats

from cifar_cnn.augment import Augmentation
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.data import ImageDataModule
from cifar_cnn.device import training_device
from cifar_cnn.module import CifarModule
from cifar_cnn.precision import lightning_precision
from cifar_cnn.predict import Predictor
from spaces import fast

SUBSET = 10_000  # images to train on, and as many to validate
# A fifth of the images in batches of 1,024 would make but 100 steps; half the width is a quarter of the time.
ON_SUBSET = {"batch_size": 256, "width": 32}
DIVERGED_BELOW = 0.5  # accuracy
RECIPE: dict[str, Any] = {**fast.RECIPE, **fast.FIRST}
RESNET: dict[str, Any] = {
    "network": "resnet",
    "depth": 2,
    "width": 64,
    "lr": 0.2,
    "batch_size": 256,
    "momentum": 0.9,
    "schedule": "linear",
    "warmup": 0.2,
}
ABLATIONS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "whitened first layer: off": {"whitening": False},
    "widening: doubling": {"widening": "doubling"},
    "head: hidden": {"head": "hidden"},
    "GELU: ReLU": {"activation": "relu"},
    "label smoothing: off": {"label_smoothing": 0.0},
    "learning rate of biases 64: 1": {"bias_lr": 1.0},
    "line: cosine": {"schedule": "cosine"},
    "alternating flip: random": {"flip": "random", "augmentation": 1.0},
    "three convolutions a block": {"convolutions": 3},
    "mirrored evaluation: off": {"mirrored": False},
    "Muon: SGD": {"optimizer": "sgd"},
    "plain: the baseline's network and training": {
        **{name: TrainConfig().model_dump()[name] for name in RECIPE if name != "width"},
        "batch_size": 128,
    },
}


def train(config: TrainConfig, data: DataConfig, folder: Path, whole: bool) -> dict[str, Any]:
    """Train from where the folder's checkpoint ends; the accuracy and the seconds of epochs."""
    torch.manual_seed(config.seed)
    images = ImageDataModule(
        data,
        config.batch_size,
        config.seed,
        train_on="train+val" if whole else "train",
        augmentation=Augmentation.of(config),
    )
    module = CifarModule(config, images.info.num_classes)
    clock = _Clock(folder / "seconds.json")
    device = training_device("auto")
    saving = ModelCheckpoint(
        folder,
        filename="{epoch:03d}",
        save_top_k=-1,
        auto_insert_metric_name=False,
        save_on_train_epoch_end=True,
    )
    saved = sorted(folder.glob("*.ckpt"))
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=device.type,
        devices=1,
        precision=lightning_precision(config.precision, device),
        logger=False,
        callbacks=[clock, saving],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0 if whole else None,
        check_val_every_n_epoch=config.max_epochs,
    )
    trainer.fit(module, images, ckpt_path=saved[-1] if saved else None, weights_only=False)
    if not whole:
        return {"accuracy": module.history[-1]["val_acc"], "seconds": clock.seconds}
    curve = [Predictor(epoch, "test").predict().accuracy for epoch in sorted(folder.glob("*.ckpt"))]
    return {"accuracy": curve[-1], "curve": curve, "seconds": clock.seconds}


class _Clock(pl.Callback):
    """Seconds of all epochs, kept beside the checkpoint."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.seconds: list[float] = json.loads(file.read_text()) if file.exists() else []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        del self.seconds[trainer.current_epoch :]
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds.append(round(time.perf_counter() - self._began, 2))
        self._file.write_text(json.dumps(self.seconds))


def _trainings(arguments: argparse.Namespace) -> Iterator[tuple[str, TrainConfig]]:
    for seed, (name, changes) in itertools.product(range(arguments.seeds), _variants(arguments).items()):
        yield name, TrainConfig(**{**changes, "max_epochs": arguments.epochs, "seed": seed})


def _variants(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    if arguments.what == "whole":
        return {name: {"fast": RECIPE, "resnet": RESNET}[name] for name in arguments.networks}
    named = {name: ABLATIONS[name] for name in arguments.variants or ABLATIONS}
    return {name: {**RECIPE, **ON_SUBSET, **changes} for name, changes in named.items()}


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        "benchmarks.recipe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["ablations", "whole"])
    parser.add_argument("--images", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument(
        "--out", type=Path, required=True, help="a line a training; checkpoints lie beside it"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=["fast", "resnet"], default=["fast"])
    parser.add_argument("--variants", nargs="+", choices=ABLATIONS, help="some of the ablations")
    parser.add_argument("--subset", type=int, help="fewer images, for trying this out")
    arguments = parser.parse_args()
    whole = arguments.what == "whole"
    size = arguments.subset or (None if whole else SUBSET)
    data = DataConfig(dataset="folder", data_dir=arguments.images, train_size=size, val_size=size)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    known = [json.loads(line) for line in lines]
    made = {(line["name"], line["seed"], line["epochs"]) for line in known}
    for name, config in _trainings(arguments):
        if (name, config.seed, config.max_epochs) in made:
            continue
        key = f"{name}-{config.seed}-{config.max_epochs}".replace(" ", "_")
        folder = arguments.out.parent / f"{arguments.out.stem}-checkpoints" / key
        folder.mkdir(parents=True, exist_ok=True)
        result = train(config, data, folder, whole)
        line = {"name": name, "seed": config.seed, "epochs": config.max_epochs, **result}
        with arguments.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        known.append(line)
        print(json.dumps(line), flush=True)
    _print([line for line in known if line["epochs"] == arguments.epochs])


def _print(lines: list[dict[str, Any]]) -> None:
    """A table: each variant's mean, and how far it is from the first one's.

    The interval is that of two means whose seeds differ as they do on average over all variants: three seeds
    of each tell little of their own deviation.
    """
    by_name: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_name.setdefault(line["name"], []).append(line)
    accuracies = {name: [line["accuracy"] for line in each] for name, each in by_name.items()}
    deviation, freedom = _pooled(list(accuracies.values()))
    first = next(iter(accuracies.values()), [])
    print("| | accuracy | n | difference [95%] | s |\n|---|---|---|---|---|")
    for name, values in accuracies.items():
        half = stats.t.ppf(0.975, freedom) * deviation * (1 / len(first) + 1 / len(values)) ** 0.5
        mean, difference = statistics.mean(values), statistics.mean(values) - statistics.mean(first)
        told = f"{difference:+.4f} [{difference - half:+.4f}, {difference + half:+.4f}]"
        seconds = statistics.median(sum(line["seconds"]) for line in by_name[name])
        print(f"| {name} | {mean:.4f} | {len(values)} | {told if freedom else ''} | {seconds:.0f} |")
    print(f"\ndeviation of a seed: {deviation:.4f}, {freedom} degrees of freedom")


def _pooled(groups: list[list[float]]) -> tuple[float, int]:
    """The deviation within groups, and its degrees of freedom; what diverges tells nothing of the others."""
    several = [group for group in groups if len(group) > 1 and min(group) > DIVERGED_BELOW]
    freedom = sum(len(group) - 1 for group in several)
    if freedom == 0:
        return 0.0, 0
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in several)
    return (squares / freedom) ** 0.5, freedom


if __name__ == "__main__":
    main()
