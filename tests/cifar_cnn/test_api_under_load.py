"""The API under work: bounded pixels, waiting and patience, while it answers others and says how it is."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from cifar_cnn import decoding, slow_clients
from cifar_cnn.api import Limits, ServedModel, create_app
from cifar_cnn.batching import Images, Probabilities
from cifar_cnn.decoding import _Room
from cifar_cnn.pixels import decode_image
from cifar_cnn.slow_clients import HeaderTimeoutProtocol

CLASSES = ("cat", "dog")


def even(batch: Images) -> Probabilities:
    return np.full((len(batch), 2), 0.5, np.float32)


def png(side: int, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


SMALL = png(32)


def upload(*files: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{number}.png", file)) for number, file in enumerate(files)]


def app(predict: Any = even, **limits: Any) -> FastAPI:
    return create_app(ServedModel(predict, CLASSES, "here"), Limits(**limits))


class Held:
    """A model that waits, after the warm-up, until it is let go."""

    def __init__(self) -> None:
        self.warm = False
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, batch: Images) -> Probabilities:
        if self.warm:
            self.entered.set()
            assert self.go.wait(30)
        self.warm = True
        return even(batch)


# Pixels.


def test_pixels_of_a_request_are_limited_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def decode(data: bytes) -> Images:
        decoded.append(len(data))
        return decode_image(data)

    monkeypatch.setattr(decoding, "decode_image", decode)
    with TestClient(app(pixels=1_000_000)) as client:
        answer = client.post("/predict", files=upload(SMALL, png(1001)))
        assert answer.status_code == 413
        assert answer.json()["detail"] == (
            "1.png: with it the request has 1 million pixels, more than 1 million a request; "
            "send fewer at a time, or smaller ones"
        )
        answer = client.post("/predict", files=upload(*[png(300)] * 12))
        assert (answer.status_code, answer.json()["detail"][:6]) == (413, "11.png")
        assert decoded == []
        assert client.post("/predict", files=upload(*[png(300)] * 11)).status_code == 200
        assert len(decoded) == 11


def test_a_large_picture_in_a_small_file_is_refused_by_default() -> None:
    bomb = png(7000, "1")
    assert len(bomb) < 10_000
    with TestClient(app()) as client:
        answer = client.post("/predict", files=upload(*[bomb] * 32))
        assert answer.status_code == 413
        assert "49 million pixels, more than 25 million a request" in answer.json()["detail"]
        assert client.post("/predict", files=upload(png(4900, "1"))).status_code == 200, "24 megapixels"


def test_large_images_are_decoded_in_turn_and_small_ones_beside_them() -> None:
    async def run() -> None:
        room, order = _Room(10), []
        let_go = asyncio.Event()

        async def decode(name: str, size: int) -> None:
            async with room.taken(size):
                order.append(name)
                await let_go.wait()

        tasks = [asyncio.create_task(decode(*each)) for each in (("a", 8), ("b", 2), ("c", 8), ("d", 1))]
        await asyncio.sleep(0.01)
        assert order == ["a", "b"], "c waits, and d behind it"
        tasks[2].cancel()
        await asyncio.sleep(0.01)
        assert order == ["a", "b"]
        let_go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["a", "b", "d"]
        async with room.taken(10):
            pass

    asyncio.run(run())


# Waiting.


def test_waiting_is_bounded_and_the_others_are_answered() -> None:
    model = Held()
    with TestClient(app(model, requests=3)) as client, ThreadPoolExecutor(3) as pool:
        ask = [pool.submit(client.post, "/predict", files=upload(SMALL)) for _ in range(3)]
        assert model.entered.wait(10)
        deadline = time.monotonic() + 10
        while (answer := client.post("/predict", files=upload(SMALL))).status_code != 503:
            assert time.monotonic() < deadline
        assert answer.json()["detail"] == "3 requests are waiting already; try again in some seconds"
        assert answer.headers["retry-after"] == "2"
        assert client.get("/healthz").status_code == client.get("/metrics").status_code == 200
        assert client.get("/readyz").text == "ready"
        model.go.set()
        assert [each.result().status_code for each in ask] == [200] * 3
        assert client.post("/predict", files=upload(SMALL)).status_code == 200
        assert 'cifar_requests_total{route="other",status="503"}' in client.get("/metrics").text


def test_patience_is_bounded_and_readiness_says_so() -> None:
    model = Held()
    with TestClient(app(model, answer_s=0.2)) as client:
        answer = client.post("/predict", files=upload(SMALL))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "no answer within 0.2 s" in answer.json()["detail"]
        assert client.get("/readyz").status_code == 503, "a pass has not ended for that long"
        assert client.post("/predict", files=upload(SMALL)).status_code == 503
        model.go.set()
        deadline = time.monotonic() + 10
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
        assert client.post("/predict", files=upload(SMALL)).status_code == 200


def test_a_batcher_that_has_ended_is_not_ready_and_nobody_waits() -> None:
    served = app()
    with TestClient(served) as client:
        assert client.portal is not None
        client.portal.call(served.state.service.batcher._task.cancel)
        assert client.get("/readyz").status_code == 503
        assert client.post("/predict", files=upload(SMALL)).status_code == 503
        assert client.get("/healthz").status_code == 200


# What the model answers.


def marked(answer: Any) -> Any:
    """A model that answers so for white images, and well for the others."""

    def predict(batch: Images) -> Probabilities:
        rows = even(batch)
        rows[batch[:, 0, 0, 0] == 255] = answer
        return rows

    return predict


@pytest.mark.parametrize("answer", [np.nan, np.inf, 0.0, -1.0, [0.9, 0.9], [1.5, -0.5]])
def test_what_are_no_probabilities_is_that_requests_fault_alone(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    white = io.BytesIO()
    Image.new("RGB", (32, 32), "white").save(white, "PNG")
    with TestClient(app(marked(answer))) as client, ThreadPoolExecutor(2) as pool:
        bad = pool.submit(client.post, "/predict", files=upload(white.getvalue()))
        good = pool.submit(client.post, "/predict", files=upload(SMALL))
        assert (bad.result().status_code, good.result().status_code) == (500, 200)
        assert bad.result().json() == {"detail": "the model failed; the server's log tells why"}
        assert client.get("/readyz").status_code == 200
    assert "are no probabilities" in caplog.text


@pytest.mark.parametrize("classes", [1, 3])
def test_a_model_of_other_classes_is_not_served_at_all(classes: int) -> None:
    with (
        pytest.raises(Exception, match="not 2 classes"),
        TestClient(app(lambda batch: np.full((len(batch), classes), 1 / classes, np.float32))),
    ):
        pass


# Slow clients, over a real connection.


@contextmanager
def listening(served: FastAPI) -> Iterator[int]:
    """The API on a port, as the script runs it."""
    server = uvicorn.Server(uvicorn.Config(served, http=HeaderTimeoutProtocol, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(20)
    come = b""
    while part := connection.recv(65_536):
        come += part
    return come


FORM = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=x\r\n"


def test_a_slow_upload_is_cut_off_and_its_place_is_free_again() -> None:
    with listening(app(upload_s=0.5, requests=1)) as port:
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(FORM + b"Content-Length: 1000\r\n\r\n--x\r\n")
            time.sleep(0.1)
            busy = httpx2.post(f"http://127.0.0.1:{port}/predict", files=upload(SMALL))
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
            answer = all_of(slow)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"the upload took longer than 0.5 s; send smaller images" in answer
        assert httpx2.post(f"http://127.0.0.1:{port}/predict", files=upload(SMALL)).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: he", FORM])
def test_a_connection_without_a_whole_header_is_closed(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "HEADER_S", 0.3)
    with listening(app()) as port, socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(begun)
        began = time.monotonic()
        assert all_of(slow) == b""
        assert 0.2 < time.monotonic() - began < 10


def test_a_connection_that_is_used_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "HEADER_S", 0.3)
    model = Held()
    with listening(app(model)) as port, httpx2.Client() as client, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{port}"
        asked = pool.submit(client.post, f"{url}/predict", files=upload(SMALL))
        assert model.entered.wait(10)
        time.sleep(0.6)
        model.go.set()
        assert asked.result().status_code == 200, "an answer may take longer than a header"
        assert client.get(f"{url}/healthz").status_code == 200


PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'


def test_uploads_together_are_bounded() -> None:
    """Each is small enough; what all of them keep is counted, and given back."""
    served = app(files=1, file_bytes=100_000)
    most = served.state.service.limits.uploads.all_bytes

    async def run() -> None:
        transport = httpx2.ASGITransport(served)
        async with (
            served.router.lifespan_context(served),
            httpx2.AsyncClient(transport=transport, base_url="http://here") as client,
        ):
            hold = asyncio.Event()

            async def part() -> AsyncIterator[bytes]:
                yield PART + b"y" * 150_000
                await hold.wait()

            headers = {"content-type": "multipart/form-data; boundary=x"}
            held = [
                asyncio.create_task(client.post("/predict", content=part(), headers=headers))
                for _ in range(most // 150_000)
            ]
            await asyncio.sleep(0.1)
            refused = await client.post("/predict", files=upload(SMALL + b"z" * 90_000))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert "other uploads take all the room" in refused.json()["detail"]
            hold.set()
            await asyncio.gather(*held)
            assert (await client.post("/predict", files=upload(SMALL))).status_code == 200

    asyncio.run(run())
