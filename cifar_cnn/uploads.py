"""Refuses requests whose bodies are too large, too slow or too many, before anybody keeps them."""

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_LATER = {"Retry-After": "2"}
"""Seconds: about what a full house of ordinary requests takes."""

_CLOSE = {"Connection": "close"}  # what is still being sent of a refused body is not read


@dataclass(frozen=True)
class UploadLimits:
    """What may be in the house at a time.

    Example:
        >>> UploadLimits(body_bytes=1_000_000, all_bytes=4_000_000, seconds=60, requests=64).requests
        64
    """

    body_bytes: int
    all_bytes: int
    seconds: float
    requests: int


class Uploads:
    """ASGI middleware around every request that may have a body; the others always get through.

    413 by the announced length or once more bytes than allowed have come, 408 if they come too slowly, 503
    if too many requests, or bytes, are there already. FastAPI's own `max_body_size` counts one body
    alone, without a deadline, and its refusal names no limit.

    Args:
        app: what to guard.
        limits: of a body, and of all that are there at once, until each one's answer.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.testclient import TestClient
        >>> limits = UploadLimits(body_bytes=1_000_000, all_bytes=4_000_000, seconds=60, requests=64)
        >>> answer = TestClient(Uploads(Starlette(), limits)).post("/", content=b"x" * 2_000_000)
        >>> answer.status_code, answer.json()["detail"]
        (413, 'the request is larger than 1 MB; send fewer or smaller images')
    """

    def __init__(self, app: ASGIApp, limits: UploadLimits) -> None:
        self._app = app
        self._limits = limits
        self._requests = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"")
        refusal = self._refusal(int(announced) if announced.isdigit() else 0)
        if refusal:
            answer = JSONResponse({"detail": refusal.detail}, refusal.status_code, refusal.headers)
            await answer(scope, receive, send)
            return
        upload = _Upload(receive, self)
        self._requests += 1
        try:
            await self._app(scope, upload.receive, send)
        finally:
            self._requests -= 1
            self._bytes -= upload.come

    def _refusal(self, announced: int) -> HTTPException | None:
        if announced > self._limits.body_bytes:
            return self._too_large()
        if self._requests >= self._limits.requests:
            return _busy(f"{self._requests} requests are waiting already")
        return None

    def take(self, come: int, more: int) -> None:
        """Count bytes that an upload got, of which `come` had come before.

        Raises:
            HTTPException: they are too many.
        """
        self._bytes += more
        if come + more > self._limits.body_bytes:
            raise self._too_large()
        if self._bytes > self._limits.all_bytes:
            raise _busy("other uploads take all the room there is")

    @property
    def seconds(self) -> float:
        """Within which an upload must come."""
        return self._limits.seconds

    def _too_large(self) -> HTTPException:
        most = f"{self._limits.body_bytes / 1e6:g} MB"
        return HTTPException(413, f"the request is larger than {most}; send fewer or smaller images", _CLOSE)


class _Upload:
    """One request's body on its way in."""

    def __init__(self, receive: Receive, house: Uploads) -> None:
        self.come = 0
        self._receive = receive
        self._house = house
        self._until = asyncio.get_running_loop().time() + house.seconds
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()  # that the client has gone away
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            slow = f"the upload took longer than {self._house.seconds:g} s; send smaller images"
            raise HTTPException(408, slow, _CLOSE) from error
        self._whole = not message.get("more_body", False)
        more = len(message.get("body", b""))
        before, self.come = self.come, self.come + more
        self._house.take(before, more)
        return message


def _busy(why: str) -> HTTPException:
    return HTTPException(503, f"{why}; try again in some seconds", RETRY_LATER | _CLOSE)
