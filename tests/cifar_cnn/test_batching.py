"""Concurrent requests share forward passes, each gets its own answer, and faults stay where they belong."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from cifar_cnn.batching import MAX_BATCH, Batcher, Images, Probabilities


def images(*values: int) -> Images:
    """Images of one grey each."""
    return np.stack([np.full((32, 32, 3), value, np.uint8) for value in values])


class Model:
    """Answers with the grey it saw; waits, on the first batch, until it is let go."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.entered, self.go = threading.Event(), threading.Event()
        self.fails = False

    def __call__(self, batch: Images) -> Probabilities:
        self.batches.append(len(batch))
        self.entered.set()
        assert self.go.wait(10)
        if self.fails:
            raise RuntimeError("the model is broken")
        return batch[:, 0, 0, :1].astype(np.float32)


async def busy(model: Model, batcher: Batcher) -> asyncio.Task[Probabilities]:
    """A first request, in whose forward pass the model waits."""
    first = asyncio.create_task(batcher(images(0)))
    assert await asyncio.to_thread(model.entered.wait, 10)
    return first


def test_what_comes_during_a_pass_shares_the_next_one_and_answers_are_not_mixed_up() -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            others = [asyncio.create_task(batcher(images(n, n + 100))) for n in range(1, 9)]
            await asyncio.sleep(0)
            model.go.set()
            assert (await first).tolist() == [[0]]
            for n, other in enumerate(others, 1):
                assert (await other).tolist() == [[n], [n + 100]]
        assert model.batches == [1, 16]

    asyncio.run(run())


def test_a_batch_ends_once_it_is_large() -> None:
    async def run() -> None:
        model = Model()
        sizes: list[int] = []
        async with Batcher(model, sizes.append) as batcher:
            first = await busy(model, batcher)
            half = images(*[7] * (MAX_BATCH // 2))
            others = [asyncio.create_task(batcher(half)) for _ in range(3)]
            await asyncio.sleep(0)
            model.go.set()
            await asyncio.gather(first, *others)
        assert model.batches == sizes == [1, MAX_BATCH, MAX_BATCH // 2]

    asyncio.run(run())


def test_a_fault_of_the_model_is_told_to_each_and_the_next_are_served() -> None:
    async def run() -> None:
        model = Model()
        model.go.set()
        async with Batcher(model) as batcher:
            model.fails = True
            with pytest.raises(RuntimeError, match="broken"):
                await batcher(images(1))
            model.fails = False
            assert (await batcher(images(2))).tolist() == [[2]]

    asyncio.run(run())


def test_a_client_that_goes_away_spoils_nothing_for_the_others() -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            gone, stays = (asyncio.create_task(batcher(images(n))) for n in (3, 4))
            await asyncio.sleep(0)
            gone.cancel()
            model.go.set()
            assert (await stays).tolist() == [[4]]
            assert (await first).tolist() == [[0]]

    asyncio.run(run())
