"""A trained model behind HTTP: predictions, provenance, health, metrics, and a page to try it on."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as resources
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, File, HTTPException, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cifar_cnn.api_schema import REFUSALS, ClassProbability, ModelInfo, Prediction, Predictions
from cifar_cnn.batching import Batcher, ModelFault, Predict, Probabilities
from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.decoding import Decoder, Refused
from cifar_cnn.serving_metrics import Measured, ServingMetrics
from cifar_cnn.uploads import RETRY_LATER, UploadLimits, Uploads

log = logging.getLogger(__name__)

_FORM_OVERHEAD = 65_536  # bytes of a multipart form beside its files


@dataclass(frozen=True)
class ServedModel:
    """What is served.

    Attributes:
        predict: uint8 (B, 32, 32, 3) -> probabilities float32 (B, C).
        class_names: C names.
        source: where it was loaded from.
        card: its provenance, plain JSON.

    Example:
        >>> from fastapi.testclient import TestClient
        >>> def even(images: np.ndarray) -> Probabilities:
        ...     return np.full((len(images), 2), 0.5, np.float32)
        >>> app = create_app(ServedModel(even, ("cat", "dog"), "here"))
        >>> with TestClient(app) as client:
        ...     print(client.get("/readyz").text, client.get("/model").json()["class_names"])
        ready ['cat', 'dog']
    """

    predict: Predict
    class_names: tuple[str, ...]
    source: str
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a request may hold, and what may be there at a time; more is refused before it is decoded.

    Example:
        >>> Limits(files=4, file_bytes=1_000_000).uploads.body_bytes
        4065536
    """

    file_bytes: int = 10_000_000  # a large photograph
    files: int = 32  # more come better in several requests, which share forward passes anyway
    pixels: int = 25_000_000  # of all images of a request: one of a good camera, or thousands of 32x32
    requests: int = 64  # being uploaded, decoded or predicted; as many share a forward pass
    pixels_at_once: int = 50_000_000  # being decoded, for 8 bytes of memory each
    upload_s: float = 60.0
    answer_s: float = 30.0  # from the last byte of the upload on

    @property
    def uploads(self) -> UploadLimits:
        """Of bodies on their way in; four of the largest fit at a time."""
        body = self.files * self.file_bytes + _FORM_OVERHEAD
        return UploadLimits(body, 4 * body, self.upload_s, self.requests)


class Service:
    """A model being served, as the routes see it.

    Args:
        model: what to serve.
        limits: of requests.

    Example:
        >>> def even(images: np.ndarray) -> Probabilities:
        ...     return np.full((len(images), 2), 0.5, np.float32)
        >>> service = Service(ServedModel(even, ("cat", "dog"), "here"), Limits())
        >>> async def run() -> bool:
        ...     async with service.running():
        ...         return service.ready
        >>> service.ready, asyncio.run(run())
        (False, True)
    """

    def __init__(self, model: ServedModel, limits: Limits) -> None:
        self.model = model
        self.limits = limits
        self.metrics = ServingMetrics()
        self.decode = Decoder(limits.pixels, limits.pixels_at_once)
        self.batcher = Batcher(model.predict, self.metrics.batch_size.observe)
        self._warm = False

    @property
    def ready(self) -> bool:
        """Whether the model was warmed up, and still answers."""
        return self._warm and self.batcher.serves(within_s=self.limits.answer_s)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm, from the first to the last request.

        Raises:
            ModelFault: the model does not predict probabilities of its classes.
        """
        async with self.batcher:
            two = np.zeros((2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
            _predictions(["", ""], self.model.class_names, await self.batcher(two))
            self._warm = True
            try:
                yield
            finally:
                self._warm = False

    async def predict(self, files: Sequence[UploadFile]) -> Predictions:
        """What the model sees in some files."""
        async with asyncio.timeout(self.limits.answer_s):
            images = await self.decode(files)
            probabilities = await self.batcher(images)
        names = [upload.filename or "" for upload in files]
        predicted = _predictions(names, self.model.class_names, probabilities)
        self.metrics.images.inc(len(images))
        return Predictions(predictions=predicted)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]
router = APIRouter()


def create_app(model: ServedModel, limits: Limits | None = None) -> FastAPI:
    """The application; it warms the model up when it starts.

    Args:
        model: what to serve.
        limits: of requests.
    """
    service = Service(model, limits or Limits())
    app = FastAPI(
        title="CIFAR classifier",
        version="1",
        description="Upload images, get the probability of each class.",
        lifespan=lambda _: service.running(),
    )
    app.state.service = service
    app.include_router(router)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(ModelFault, _apologise)
    app.add_middleware(Uploads, limits=service.limits.uploads)
    app.add_middleware(Measured, metrics=service.metrics)
    return app


@router.post("/predict", responses=REFUSALS)
async def predict(
    service: Serving, files: Annotated[list[UploadFile], File(description="One or several images.")]
) -> Predictions:
    """The probability of each class for each image, the most probable class first."""
    limits = service.limits
    if not service.ready:
        raise HTTPException(503, "the model is not ready; ask /readyz", RETRY_LATER)
    if len(files) > limits.files:
        raise HTTPException(413, f"{len(files)} files are more than {limits.files}; send fewer at a time")
    for upload in files:
        if (upload.size or 0) > limits.file_bytes:
            most = limits.file_bytes / 1e6
            raise HTTPException(413, f"{upload.filename}: larger than {most:g} MB; send a smaller image")
    try:
        return await service.predict(files)
    except TimeoutError as error:
        late = f"no answer within {limits.answer_s:g} s, there is too much to do; try again in some seconds"
        raise HTTPException(503, late, RETRY_LATER) from error


@router.get("/model")
async def info(service: Serving) -> ModelInfo:
    """Which model this is: its classes and provenance."""
    model = service.model
    return ModelInfo(source=model.source, class_names=list(model.class_names), provenance=dict(model.card))


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Whether the process answers."""
    return "ok"


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready."}})
async def readyz(service: Serving) -> Response:
    """Whether the model has been warmed up and predicts."""
    return PlainTextResponse("ready" if service.ready else "not ready", 200 if service.ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(service: Serving) -> Response:
    """Counts and times for Prometheus."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page() -> str:
    return resources("cifar_cnn").joinpath("static/index.html").read_text("utf-8")


def _refuse(_: Request, refused: Exception) -> JSONResponse:
    assert isinstance(refused, Refused)
    return JSONResponse({"detail": str(refused)}, refused.status)


def _apologise(_: Request, fault: Exception) -> JSONResponse:
    log.error("a prediction failed", exc_info=fault)
    return JSONResponse({"detail": "the model failed; the server's log tells why"}, 500)


def _predictions(
    names: Sequence[str], class_names: Sequence[str], probabilities: Probabilities
) -> list[Prediction]:
    if probabilities.shape != (len(names), len(class_names)):
        raise ModelFault(f"the model answered with {probabilities.shape}, not {len(class_names)} classes")
    rows = probabilities.astype(np.float64)
    # Float32 rows miss 1 by some 1e-7. What is NaN compares as false.
    if not ((rows >= 0).all() and (abs(rows.sum(axis=1) - 1) < 1e-3).all()):
        raise ModelFault(
            "the model's answers are no probabilities: negative, not a number, or not summing to 1"
        )
    predictions = []
    for name, row in zip(names, rows / rows.sum(axis=1, keepdims=True), strict=True):
        order = np.argsort(-row, kind="stable")
        ranked = [ClassProbability(name=class_names[i], probability=float(row[i])) for i in order]
        predictions.append(Prediction(file=name, label=ranked[0].name, probabilities=ranked))
    return predictions
