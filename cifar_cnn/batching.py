"""Requests that come at once share a forward pass."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.uint8]
Probabilities: TypeAlias = NDArray[np.float32]
Predict: TypeAlias = Callable[[Images], Probabilities]
"""uint8 (B, 32, 32, 3) -> float32 (B, C), each row summing to 1."""

MAX_BATCH = 256
"""Images of a forward pass: beyond this no hardware gets faster, and the last one waits for all."""


class Batcher:
    """Runs a model on one thread, each time on whatever has come since the last time.

    Nothing waits for a batch to fill up: a lone request is predicted at once, and while one pass runs
    the next batch gathers by itself. An async context manager.

    Args:
        predict: the model.
        observe: told the size of each batch.
    """

    def __init__(self, predict: Predict, observe: Callable[[int], None] = lambda size: None) -> None:
        self._predict = predict
        self._observe = observe

    async def __aenter__(self) -> Self:
        self._queue: asyncio.Queue[tuple[Images, asyncio.Future[Probabilities]]] = asyncio.Queue()
        self._pool = ThreadPoolExecutor(1, "predict")
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown()

    async def __call__(self, images: Images) -> Probabilities:
        """Probabilities of images, in their order; raises what the model raises."""
        future: asyncio.Future[Probabilities] = asyncio.get_running_loop().create_future()
        await self._queue.put((images, future))
        return await future

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting = [await self._queue.get()]
            while not self._queue.empty() and sum(len(images) for images, _ in waiting) < MAX_BATCH:
                waiting.append(self._queue.get_nowait())
            batch = np.concatenate([images for images, _ in waiting])
            self._observe(len(batch))
            try:
                predicted = await loop.run_in_executor(self._pool, self._predict, batch)
            except Exception as error:  # the model's fault is each request's answer; the next ones are served
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
                continue
            ends = np.cumsum([len(images) for images, _ in waiting])[:-1]
            for (_, future), part in zip(waiting, np.split(predicted, ends), strict=True):
                if not future.done():  # its client may have gone away meanwhile
                    future.set_result(part)
