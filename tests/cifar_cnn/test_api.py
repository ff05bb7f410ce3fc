"""The API answers what it promises, refuses what it must with a reason, and is never brought down."""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cifar_cnn import decoding
from cifar_cnn.api import Limits, ServedModel, create_app
from cifar_cnn.batching import Images, Probabilities
from cifar_cnn.pixels import decode_image

CLASSES = tuple(f"class {index}" for index in range(10))


def by_brightness(batch: Images) -> Probabilities:
    """Puts most on the class of an image's brightness, in tenths."""
    place = (batch[:, 0, 0, 0].astype(int) * 10) // 256
    probabilities = np.full((len(batch), 10), 0.05, np.float32)
    probabilities[np.arange(len(batch)), place] = 0.55
    return probabilities


MODEL = ServedModel(by_brightness, CLASSES, "models:/test@champion", {"sweep": "night", "trial": 3})
LIMITS = Limits(file_bytes=20_000, files=3)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(MODEL, LIMITS), raise_server_exceptions=False) as client:
        yield client


def grey(value: int, size: tuple[int, int] = (32, 32), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, kind)
    return buffer.getvalue()


def upload(*named: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", each) for each in named]


def test_each_image_gets_all_probabilities_the_top_class_first(client: TestClient) -> None:
    answer = client.post(
        "/predict", files=upload(("dark.png", grey(10)), ("light.jpg", grey(250, kind="JPEG")))
    )
    assert answer.status_code == 200
    first, second = answer.json()["predictions"]
    assert (first["file"], first["label"]) == ("dark.png", "class 0")
    assert (second["file"], second["label"]) == ("light.jpg", "class 9")
    for prediction in (first, second):
        shares = [each["probability"] for each in prediction["probabilities"]]
        assert {each["name"] for each in prediction["probabilities"]} == set(CLASSES)
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-12)
        assert prediction["label"] == prediction["probabilities"][0]["name"]


@pytest.mark.parametrize(
    ("files", "status", "why"),
    [
        (upload(("a.txt", b"hello")), 422, "a.txt: no image"),
        (upload(("a.png", b"")), 422, "a.png: the file is empty"),
        (upload(("cut.png", grey(0, (200, 200))[:60])), 422, "cut.png: "),
        (upload(("good.png", grey(0)), ("bad.png", b"x")), 422, "bad.png: no image"),
        (upload(("big.png", b"x" * 20_001)), 413, "big.png: larger than 0.02 MB"),
        (upload(*[("a.png", grey(0))] * 4), 413, "4 files are more than 3"),
        (upload(*[("a.png", b"x" * 50_000)] * 3), 413, "the request is larger than"),
    ],
    ids=["text", "empty", "truncated", "one of two", "large file", "many files", "large request"],
)
def test_bad_input_is_refused_with_a_reason(
    client: TestClient, files: list[tuple[str, tuple[str, bytes]]], status: int, why: str
) -> None:
    answer = client.post("/predict", files=files)
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    assert client.get("/readyz").status_code == 200


def test_a_body_without_a_length_is_cut_off_too(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 10_000

    answer = client.post(
        "/predict", content=body(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 413
    assert "larger than" in answer.json()["detail"]


@pytest.mark.parametrize(
    "request_of",
    [
        {"method": "GET", "url": "/predict"},
        {"method": "POST", "url": "/predict"},
        {"method": "POST", "url": "/predict", "json": {"files": ["a"]}},
        {"method": "POST", "url": "/predict", "data": {"files": "text"}},
        {
            "method": "POST",
            "url": "/predict",
            "content": b"x",
            "headers": {"content-type": "multipart/form-data"},
        },
        {"method": "POST", "url": "/model"},
        {"method": "GET", "url": "/nowhere"},
    ],
    ids=["method", "nothing", "json", "text field", "no boundary", "model", "path"],
)
def test_a_wrong_request_is_the_clients_fault(client: TestClient, request_of: dict[str, object]) -> None:
    answer = client.request(**request_of)  # type: ignore[arg-type]
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


def test_the_model_tells_where_it_comes_from(client: TestClient) -> None:
    assert client.get("/model").json() == {
        "source": "models:/test@champion",
        "class_names": list(CLASSES),
        "provenance": {"sweep": "night", "trial": 3},
    }


def test_health_metrics_and_page_are_there(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").text == "ready"
    client.post("/predict", files=upload(("a.png", grey(0))))
    told = client.get("/metrics").text
    assert 'cifar_requests_total{route="/predict",status="200"}' in told
    assert "cifar_batch_size_bucket" in told
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "Drop images here" in page.text


def test_it_is_not_ready_before_it_has_started() -> None:
    cold = TestClient(create_app(MODEL))
    assert cold.get("/healthz").status_code == 200
    assert cold.get("/readyz").status_code == 503
    assert cold.post("/predict", files=upload(("a.png", grey(0)))).status_code == 503


def test_a_fault_of_the_model_is_no_stack_trace() -> None:
    broken = False

    def predict(batch: Images) -> Probabilities:
        if broken:
            raise RuntimeError("secret detail")
        return by_brightness(batch)

    served = ServedModel(predict, CLASSES, "here")
    with TestClient(create_app(served), raise_server_exceptions=False) as client:
        broken = True
        answer = client.post("/predict", files=upload(("a.png", grey(0))))
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert 'cifar_requests_total{route="/predict",status="500"} 1.0' in client.get("/metrics").text
        broken = False
        assert client.post("/predict", files=upload(("a.png", grey(0)))).status_code == 200


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were being decoded whenever another one began; it takes a while."""
    at_once, lock, running = [], threading.Lock(), 0

    def decode(data: bytes) -> NDArray[np.uint8]:
        nonlocal running
        with lock:
            running += 1
            at_once.append(running)
        time.sleep(0.1)
        with lock:
            running -= 1
        return decode_image(data)

    monkeypatch.setattr(decoding, "decode_image", decode)
    return at_once


def test_no_more_are_decoded_at_once_than_there_are_cores(
    decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "usable_cores", lambda: 2)
    with TestClient(create_app(MODEL)) as client, ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda _: client.post("/predict", files=upload(("a.png", grey(0)))), range(6))
        assert [answer.status_code for answer in answers] == [200] * 6
    assert len(decoded) == 6
    assert max(decoded) <= 2


def test_uploads_are_read_where_they_hold_nobody_up(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, on_loop = tempfile.SpooledTemporaryFile.read, []

    def reading(file: tempfile.SpooledTemporaryFile[bytes], *size: int) -> bytes:
        on_loop.append(asyncio._get_running_loop() is not None)
        return read(file, *size)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "read", reading)
    assert client.post("/predict", files=upload(("a.png", grey(0)))).status_code == 200
    assert on_loop
    assert not any(on_loop)


# Too much is refused by its own status, whatever else is wrong with it.
REFUSALS = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["400", "405", "413", "415", "422"]}}}
)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(MODEL, LIMITS), config=REFUSALS)


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True)
def test_whatever_its_own_schema_allows_never_breaks_it(case: schemathesis.Case) -> None:
    """Statuses, types and bodies are those of the schema; that a file is an image it cannot say."""
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
