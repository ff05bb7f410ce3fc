"""Connections on which no whole request header comes are closed: uvicorn itself waits for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0
"""Seconds from the first byte, or from the connection, to the end of a request's header."""


class HeaderTimeoutProtocol(H11Protocol):
    """uvicorn's own HTTP protocol, with a time limit on headers; bodies have `Uploads`.

    Example:
        >>> import uvicorn
        >>> config = uvicorn.Config("cifar_cnn.api:app", http=HeaderTimeoutProtocol)
    """

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and may say nothing."""
        super().connection_made(transport)
        self._wait_for_header()

    def data_received(self, data: bytes) -> None:
        """A part of a header, or of a body."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_header()
        else:
            self._header_has_come()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._header_has_come()
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_S, self._close)

    def _header_has_come(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _close(self) -> None:
        self._header_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
