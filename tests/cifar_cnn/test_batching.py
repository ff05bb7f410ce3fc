"""Concurrent requests share forward passes, each gets its own answer, and faults stay where they belong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from cifar_cnn.batching import MAX_BATCH, Batcher, Images, ModelFault, Probabilities


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


class Ends(BaseException):
    """No `Exception`, as what some extension modules raise."""


def once(fault: Callable[[Images], object]) -> Callable[[Images], Probabilities]:
    """A model that goes wrong on the first batch only."""
    first = True

    def predict(batch: Images) -> Probabilities:
        nonlocal first
        if first:
            first = False
            return fault(batch)  # type: ignore[return-value]
        return batch[:, 0, 0, :1].astype(np.float32)

    return predict


def raising(error: BaseException) -> Callable[[Images], object]:
    def fault(batch: Images) -> object:
        raise error

    return fault


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (raising(ValueError("wrong")), "the model failed: ValueError: wrong"),
        (raising(StopIteration()), "the model failed: StopIteration"),
        (raising(asyncio.CancelledError()), "the model failed: CancelledError"),
        (raising(SystemExit(3)), "the model failed: SystemExit: 3"),
        (raising(KeyboardInterrupt()), "the model failed: KeyboardInterrupt"),
        (raising(Ends("gone")), "the model failed: Ends: gone"),
        (lambda batch: None, "answered 2 images with 'NoneType'"),
        (lambda batch: [[0.0]] * len(batch), "answered 2 images with 'list'"),
        (lambda batch: np.zeros((len(batch) + 1, 1)), r"answered 2 images with an array of \(3, 1\)"),
        (lambda batch: np.float32(1), "answered 2 images with 'float32'"),
    ],
)
def test_whatever_goes_wrong_is_that_batchs_answer_and_no_others(
    fault: Callable[[Images], object], why: str
) -> None:
    async def run() -> None:
        async with Batcher(once(fault)) as batcher:
            with pytest.raises(ModelFault, match=why):
                await asyncio.wait_for(batcher(images(1, 2)), 10)
            assert batcher.serves(within_s=10)
            assert (await asyncio.wait_for(batcher(images(3)), 10)).tolist() == [[3]]

    asyncio.run(run())


def test_each_request_of_a_broken_batch_has_an_error_of_its_own() -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            others = [asyncio.create_task(batcher(images(n))) for n in (1, 2)]
            await asyncio.sleep(0)
            model.fails = True
            model.go.set()
            one, two, three = await asyncio.gather(first, *others, return_exceptions=True)
            assert all(isinstance(error, ModelFault) for error in (one, two, three))
            assert two is not three

    asyncio.run(run())


def test_who_observes_cannot_end_it() -> None:
    sizes = iter([ValueError("no such label")])

    def observe(size: int) -> None:
        if error := next(sizes, None):
            raise error

    async def run() -> None:
        model = Model()
        model.go.set()
        async with Batcher(model, observe) as batcher:
            with pytest.raises(ModelFault, match="no such label"):
                await asyncio.wait_for(batcher(images(1)), 10)
            assert (await asyncio.wait_for(batcher(images(2)), 10)).tolist() == [[2]]

    asyncio.run(run())


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 32, 32, 3), np.float32), images(1)[:0], images(1)[0]],
    ids=["size", "type", "none", "no batch"],
)
def test_images_of_another_shape_are_refused_before_they_meet_others(wrong: Images) -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            other = asyncio.create_task(batcher(images(5)))
            with pytest.raises(ValueError, match="not uint8"):
                await batcher(wrong)
            model.go.set()
            assert [(await each).tolist() for each in (first, other)] == [[[0]], [[5]]]

    asyncio.run(run())


def test_nobody_waits_for_a_task_that_is_there_no_more() -> None:
    async def run() -> None:
        model = Model()
        batcher = Batcher(model)
        assert not batcher.serves(within_s=10)
        async with batcher:
            first = await busy(model, batcher)
            waiting = asyncio.create_task(batcher(images(1)))
            await asyncio.sleep(0)
            assert batcher._task is not None
            batcher._task.cancel()
            for request in (first, waiting):
                with pytest.raises(ModelFault, match="no longer served"):
                    await asyncio.wait_for(request, 10)
            assert not batcher.serves(within_s=10)
            with pytest.raises(ModelFault, match="not being served"):
                await asyncio.wait_for(batcher(images(2)), 10)
            model.go.set()

    asyncio.run(run())


def test_a_pass_that_does_not_end_is_seen() -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            assert batcher.serves(within_s=60)
            assert not batcher.serves(within_s=0)
            model.go.set()
            await first
            assert batcher.serves(within_s=0)

    asyncio.run(run())


def test_images_of_who_went_away_before_their_turn_are_not_predicted() -> None:
    async def run() -> None:
        model = Model()
        async with Batcher(model) as batcher:
            first = await busy(model, batcher)
            gone, stays = (asyncio.create_task(batcher(images(n, n))) for n in (3, 4))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            model.go.set()
            await asyncio.gather(first, stays)
        assert model.batches == [1, 2]

    asyncio.run(run())
