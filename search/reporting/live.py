"""A report that is served on this machine, as new as its study, for whoever watches a sweep run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from search.errors import UserError

EVERY_S = 5.0  # seconds after which a page asks again
_HOST = "127.0.0.1"
_GRACE_S = 1  # for answers under way at the end
_SHARE = 0.2  # of the time that may be spent on making pages: a sweep of thousands of trials takes seconds


@dataclass(frozen=True)
class _Page:
    html: str
    version: str
    keeps_until: float  # on the monotonic clock


class LivePages:
    """The newest page, made when somebody asks for it, and not too often.

    Args:
        make: makes the page.

    Example:
        >>> pages = LivePages(lambda: "<p>12 trials</p>")
        >>> pages.newest().html, pages.newest() is pages.newest()
        ('<p>12 trials</p>', True)
    """

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._page: _Page | None = None

    def newest(self) -> _Page:
        """The page, which is a few seconds old at most, or as many as it takes to make five.

        Raises:
            UserError: the sweep cannot be read now.
        """
        with self._lock:
            began = time.monotonic()
            if self._page is None or began > self._page.keeps_until:
                html = self._make()
                ended = time.monotonic()
                keeps = max(EVERY_S, (ended - began) / _SHARE)
                version = hashlib.sha256(html.encode()).hexdigest()[:16]
                self._page = _Page(html, f'"{version}"', ended + keeps)
            return self._page


def report_app(pages: LivePages) -> Starlette:
    """The application that serves a report: the page, and plotly beside it."""
    plotly = get_plotlyjs()

    # Not async: the page is made on a thread, and others are answered meanwhile.
    def page(request: Request) -> Response:
        try:
            newest = pages.newest()
        except UserError as error:
            return Response(f"not up to date: {error}", 503, media_type="text/plain")
        headers = {"ETag": newest.version, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == newest.version:
            return Response(status_code=304, headers=headers)
        return Response(newest.html, headers=headers, media_type="text/html")

    def library(_request: Request) -> Response:
        return Response(plotly, headers={"Cache-Control": "max-age=3600"}, media_type="text/javascript")

    return Starlette(
        routes=[Route("/", page), Route("/plotly.js", library)],
        # No page of another site may ask for it by a name that leads here.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"])],
    )


def serve_report(make: Callable[[], str], port: int, announce: Callable[[str], None]) -> None:
    """Serve a report on this machine alone until Ctrl-C.

    Args:
        make: makes the page.
        port: to listen on; 0 takes a free one.
        announce: is told the address once there is something to see.

    Raises:
        UserError: the port is taken; the sweep cannot be read.
    """
    try:
        listening = socket.create_server((_HOST, port))
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise UserError(f"`port={port}`: {cause}; choose another, or 0 for a free one") from error
    with listening:
        pages = LivePages(make)
        pages.newest()
        announce(f"http://{_HOST}:{listening.getsockname()[1]}/")
        options = uvicorn.Config(
            report_app(pages), log_level="warning", lifespan="off", timeout_graceful_shutdown=_GRACE_S
        )
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn hands on after it has ended
            uvicorn.Server(options).run(sockets=[listening])
