"""Stratified splits: every part holds the classes in the proportions of the whole, and a seed fixes it."""

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Indices: TypeAlias = NDArray[np.int64]

VAL_SHARE = 0.2
"""Share of the training images held out for validation: CIFAR-10's customary 10,000 of 50,000."""


def quotas(counts: Indices, size: int) -> Indices:
    """How many of each class make a stratified sample of `size`, by the largest-remainder method.

    Args:
        counts: images there are of each class, shape (C,).
        size: images to draw, at most `counts.sum()`.
    """
    total = int(counts.sum())
    assert 0 <= size <= total
    shares = counts * size
    quota: Indices = shares // total
    # A stable sort breaks ties by class number, so that the same counts always give the same quotas.
    neediest = np.argsort(-(shares % total), kind="stable")[: size - int(quota.sum())]
    quota[neediest] += 1
    return quota


def stratified_draw(labels: Indices, size: int, seed: tuple[int, ...]) -> Indices:
    """Positions of a stratified random sample, in rising order. A larger draw extends a smaller one.

    Args:
        labels: class of each image, shape (N,).
        size: images to draw, at most N.
        seed: any non-negative numbers; the same ones draw the same sample. numpy pads them with zeros, so
            draws that are to differ need tuples of one length.
    """
    generator = np.random.default_rng(seed)
    counts = np.bincount(labels)
    drawn = [
        generator.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in enumerate(quotas(counts, size))
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def split_train_val(labels: Indices, split_seed: int) -> tuple[Indices, Indices]:
    """Cuts a fifth off for validation.

    Returns:
        Positions for training and for validation: disjoint, together all of `labels`.
    """
    val = stratified_draw(labels, round(VAL_SHARE * len(labels)), (split_seed, 0))
    train = np.setdiff1d(np.arange(len(labels), dtype=np.int64), val)
    return train, val


def subset(indices: Indices, labels: Indices, size: int | None, seed: tuple[int, ...]) -> Indices:
    """A stratified part of a split; all of it for None.

    Args:
        indices: positions that make up the split.
        labels: class of every image that a position can name.
        size: images to keep, at most `len(indices)`.
    """
    if size is None or size == len(indices):
        return indices
    kept: Indices = indices[stratified_draw(labels[indices], size, seed)]
    return kept


def digest(*parts: Indices) -> str:
    """A short name for a split: equal digests mean equal positions (SHA-256, 16 hex digits)."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part.astype("<i8").tobytes())
    return sha.hexdigest()[:16]
