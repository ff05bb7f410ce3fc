"""Requests that come at once share a forward pass."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cifar_cnn.config import IMAGE_SIZE

Images: TypeAlias = NDArray[np.uint8]
Probabilities: TypeAlias = NDArray[np.float32]
Predict: TypeAlias = Callable[[Images], Probabilities]
"""uint8 (B, 32, 32, 3) -> float32 (B, C), each row summing to 1."""

MAX_BATCH = 256
"""Images of a forward pass: beyond this no hardware gets faster, and the last one waits for all."""

_IMAGE = (IMAGE_SIZE, IMAGE_SIZE, 3)


class ModelFault(RuntimeError):
    """The model failed on a batch, or answered with something else than a row for each image."""


class Batcher:
    """Runs a model on one thread, each time on whatever has come since the last time.

    Nothing waits for a batch to fill up: a lone request is predicted at once, and while one pass runs
    the next batch gathers by itself. An async context manager.

    Whatever goes wrong is the answer to the requests of that batch, and the next ones are served. No
    request waits for a task that is there no more.

    Args:
        predict: the model.
        observe: told the size of each batch.

    Example:
        >>> def even(images: Images) -> Probabilities:
        ...     return np.full((len(images), 2), 0.5, np.float32)
        >>> async def predict() -> Probabilities:
        ...     async with Batcher(even) as batcher:
        ...         return await batcher(np.zeros((1, 32, 32, 3), np.uint8))
        >>> asyncio.run(predict()).tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, predict: Predict, observe: Callable[[int], None] = lambda size: None) -> None:
        self._predict = predict
        self._observe = observe
        self._task: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Future[Probabilities]] = set()
        self._pass_began: float | None = None

    async def __aenter__(self) -> Self:
        self._queue: asyncio.Queue[tuple[Images, asyncio.Future[Probabilities]]] = asyncio.Queue()
        self._pool = ThreadPoolExecutor(1, "predict")
        self._task = asyncio.create_task(self._serve())
        self._task.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown()

    def serves(self, within_s: float) -> bool:
        """Whether requests are being answered: the task lives, and no pass has taken longer than this."""
        alive = self._task is not None and not self._task.done()
        began = self._pass_began
        return alive and (began is None or time.monotonic() - began < within_s)

    async def __call__(self, images: Images) -> Probabilities:
        """Probabilities of images, in their order.

        Args:
            images: uint8 (B, 32, 32, 3), at least one.

        Raises:
            ModelFault: the model failed, or has ended.
        """
        if images.shape[1:] != _IMAGE or images.dtype != np.uint8 or not len(images):
            raise ValueError(
                f"images are {images.dtype} {images.shape}, not uint8 (B, 32, 32, 3) with B >= 1"
            )
        if self._task is None or self._task.done():
            raise ModelFault("the model is not being served")
        future: asyncio.Future[Probabilities] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await self._queue.put((images, future))
            return await future
        finally:
            self._waiting.discard(future)

    async def _serve(self) -> None:
        while True:
            asked = [await self._queue.get()]
            while not self._queue.empty() and sum(len(images) for images, _ in asked) < MAX_BATCH:
                asked.append(self._queue.get_nowait())
            asked = [(images, future) for images, future in asked if not future.done()]  # who is still there
            if not asked:
                continue
            try:
                answers = await self._pass([images for images, _ in asked])
            except Exception as error:  # it is these requests' answer; the next ones are served
                for _, future in asked:
                    if not future.done():
                        future.set_exception(_fault(error))
                continue
            for (_, future), answer in zip(asked, answers, strict=True):
                if not future.done():  # its client may have gone away meanwhile
                    future.set_result(answer)

    async def _pass(self, requests: list[Images]) -> list[Probabilities]:
        """One forward pass over the images of some requests, and each one's share of what came out."""
        batch = np.concatenate(requests)
        self._observe(len(batch))
        self._pass_began = time.monotonic()
        try:
            predicted = await asyncio.get_running_loop().run_in_executor(self._pool, self._predicted, batch)
        finally:
            self._pass_began = None
        return np.split(predicted, np.cumsum([len(images) for images in requests])[:-1])

    def _predicted(self, batch: Images) -> Probabilities:
        try:
            predicted = self._predict(batch)
        # On the loop's side SystemExit, CancelledError or StopIteration would end more than this batch.
        except BaseException as error:
            raise _fault(error) from error
        if not isinstance(predicted, np.ndarray) or predicted.shape[:1] != (len(batch),):
            raise ModelFault(f"the model answered {len(batch)} images with {_described(predicted)}")
        return predicted

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for a task that is there no more."""
        error = None if task.cancelled() else task.exception()
        for future in self._waiting:
            if not future.done():
                future.set_exception(ModelFault(f"the model is no longer served ({error or 'shut down'})"))


def _fault(error: BaseException) -> ModelFault:
    """An error of its own for each request: each is raised in a place of its own."""
    fault = error if isinstance(error, ModelFault) else None
    model_fault = ModelFault(str(fault) if fault else f"the model failed: {type(error).__name__}: {error}")
    model_fault.__cause__ = error.__cause__ if fault else error
    return model_fault


def _described(answer: object) -> str:
    return f"an array of {answer.shape}" if isinstance(answer, np.ndarray) else repr(type(answer).__name__)
