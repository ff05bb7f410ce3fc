"""The practical limit: a plain PyTorch loop that does nothing but train, in warm processes.

No orchestrator, no Lightning, no logging, no checkpoints: what is left is the arithmetic, in the precision
and memory layout that are fastest here, over images decoded once. It draws the same batches as a trial.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarks.work import Stopwatch, Work
from cifar_cnn.augment import Augmentation, Normalise
from cifar_cnn.batches import Batches
from cifar_cnn.cnn import CifarCNN
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.data import DataInfo, ImageDataModule
from cifar_cnn.model import make_model
from cifar_cnn.optimizers import make_optimizer
from cifar_cnn.precision import autocast, resolve_precision
from cifar_cnn.schedule import schedule_factor
from cifar_cnn.whitening import IMAGES as WHITENING_IMAGES


def train(config: TrainConfig, data: DataConfig, epochs: int) -> Iterator[tuple[float, float]]:
    """Train epoch by epoch, on a GPU if torch sees one; the learning rate is that of `config.max_epochs`.

    Yields:
        Seconds of the epoch's training and validation accuracy.
    """
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = ImageDataModule(data, config.batch_size, config.seed, augmentation=Augmentation.of(config))
    training = _on(device, module.train_dataloader(), module.info)
    validation = _on(device, module.val_dataloader(), module.info)
    model = make_model(config, module.info.num_classes).to(device).to(memory_format=torch.channels_last)
    if isinstance(model, CifarCNN):
        model.fit_whitening(module.first_images(WHITENING_IMAGES))
    optimizer = make_optimizer(config, model)
    peaks = [group["lr"] for group in optimizer.param_groups]
    precision = resolve_precision(config.precision, device)
    step, steps = 0, len(training) * config.max_epochs
    for _ in range(epochs):
        began = time.perf_counter()
        model.train()
        for images, labels in training:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * schedule_factor(config, step, steps)
            with autocast(precision, device):
                loss = cross_entropy(model(images), labels, label_smoothing=config.label_smoothing)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
        loss.item()  # waits for a GPU
        trained = time.perf_counter() - began
        model.eval()
        right = 0
        with torch.inference_mode(), autocast(precision, device):
            for images, labels in validation:
                right += int((model(images).argmax(1) == labels).sum())
        yield trained, right / len(validation.positions)


def _on(device: torch.device, batches: Batches, info: DataInfo) -> Batches:
    return replace(
        batches,
        images=batches.images.to(device),
        labels=batches.labels.to(device),
        positions=batches.positions.to(device),
        normalise=Normalise(info.mean, info.std, device),
    )


def main() -> None:
    """Do given trials and epochs on warm processes, the next trial on whichever is free."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Work.loads)
    parser.add_argument("--replay", type=json.loads, required=True, help="[[parameters, epochs], ...]")
    arguments = parser.parse_args()
    work: Work = arguments.work
    context = multiprocessing.get_context("spawn")
    tasks: SimpleQueue[Any] = context.SimpleQueue()
    warm = context.Barrier(work.slots + 1)
    processes = [context.Process(target=_serve, args=(work, tasks, warm)) for _ in range(work.slots)]
    for process in processes:
        process.start()
    warm.wait()
    for task in [*arguments.replay, *[None] * work.slots]:
        tasks.put(task)
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


def _serve(work: Work, tasks: SimpleQueue[Any], warm: Barrier) -> None:
    torch.set_num_threads(1)
    for _ in train(work.config({"depth": 1, "width": 16, "lr": 0.1}), work.data, 1):
        pass  # imports, allocator, page cache
    warm.wait()
    while (task := tasks.get()) is not None:
        params, epochs = task
        watch = Stopwatch(work, params)
        for _ in train(work.config(params), work.data, epochs):
            watch.epoch_ended()


if __name__ == "__main__":
    main()
