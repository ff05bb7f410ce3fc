"""Uploaded files become images, as many at a time as there are cores and memory for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import numpy as np
from fastapi import UploadFile
from fastapi.concurrency import run_in_threadpool

from cifar_cnn.batching import Images
from cifar_cnn.cores import usable_cores
from cifar_cnn.pixels import ImageTooLarge, NotAnImage, count_pixels, decode_image


class Refused(ValueError):
    """A file of a request is refused.

    Attributes:
        status: what the client is told, in HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Decoder:
    """Decodes the files of requests on threads.

    Args:
        request_pixels: of all images of a request together, by their headers; more is refused undecoded.
        pixels_at_once: of the largest images of all requests that are being decoded; the others wait.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (640, 480)).save(file, "PNG")
        >>> async def decode() -> Images:
        ...     return await Decoder(25_000_000, 50_000_000)([UploadFile(file)])
        >>> _ = file.seek(0)
        >>> asyncio.run(decode()).shape
        (1, 32, 32, 3)
    """

    def __init__(self, request_pixels: int, pixels_at_once: int) -> None:
        self._request_pixels = request_pixels
        self._cores = asyncio.Semaphore(usable_cores())  # more at a time are no faster
        self._room = _Room(max(pixels_at_once, request_pixels))

    async def __call__(self, uploads: Sequence[UploadFile]) -> Images:
        """Images uint8 (B, 32, 32, 3), in the order of the files.

        Raises:
            Refused: a file is no image, or they are too large.
        """
        async with self._cores:
            pixels = await run_in_threadpool(_measure, uploads, self._request_pixels)
            async with self._room.taken(max(pixels)):  # one after another: the largest takes most
                return await run_in_threadpool(_decode, uploads)


class _Room:
    """So much at a time, first come first served."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        async with self._turn, self._given_back:
            await self._given_back.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            async with self._given_back:
                self._given_back.notify_all()


def _measure(uploads: Sequence[UploadFile], most: int) -> list[int]:
    """Pixels of each file by its header, having refused what is no image, and more of them than this."""
    counts = []
    for upload in uploads:
        with _refusing(upload):
            counts.append(count_pixels(upload.file.read()))
        upload.file.seek(0)
        if sum(counts) > most:
            size = f"{counts[-1] / 1e6:.3g} million pixels"
            if len(counts) > 1:
                size = f"with it the request has {sum(counts) / 1e6:.3g} million pixels"
            raise Refused(
                413,
                f"{upload.filename}: {size}, more than {most / 1e6:g} million a request; "
                "send fewer at a time, or smaller ones",
            )
    return counts


def _decode(uploads: Sequence[UploadFile]) -> Images:
    images = []
    for upload in uploads:
        with _refusing(upload):
            images.append(decode_image(upload.file.read()))
    return np.stack(images)


@contextlib.contextmanager
def _refusing(upload: UploadFile) -> Iterator[None]:
    try:
        yield
    except ImageTooLarge as error:
        raise Refused(413, f"{upload.filename}: {error}") from error
    except NotAnImage as error:
        raise Refused(422, f"{upload.filename}: {error}") from error
