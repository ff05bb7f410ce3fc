"""A trained model behind HTTP: predictions, provenance, health, metrics, and a page to try it on."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, File, HTTPException, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from cifar_cnn.batching import Batcher, Images, Predict, Probabilities
from cifar_cnn.body_limit import BodyLimit
from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.pixels import ImageTooLarge, NotAnImage, decode_image
from cifar_cnn.serving_metrics import ServingMetrics

_FORM_OVERHEAD = 65_536  # bytes of a multipart form beside its files


@dataclass(frozen=True)
class ServedModel:
    """What is served.

    Attributes:
        predict: uint8 (B, 32, 32, 3) -> probabilities float32 (B, C).
        class_names: C names.
        source: where it was loaded from.
        card: its provenance, plain JSON.
    """

    predict: Predict
    class_names: tuple[str, ...]
    source: str
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a request may hold; more is refused before it is decoded."""

    file_bytes: int = 10_000_000  # a large photograph
    files: int = 32  # more come better in several requests, which share forward passes anyway


class ClassProbability(BaseModel):
    """One class of a prediction."""

    name: str = Field(description="Name of the class.", examples=["cat"])
    probability: float = Field(ge=0, le=1, description="Its probability.", examples=[0.93])


class Prediction(BaseModel):
    """What a model sees in one image."""

    file: str = Field(description="Name of the file.", examples=["cat.jpg"])
    label: str = Field(description="The most probable class.", examples=["cat"])
    probabilities: list[ClassProbability] = Field(
        description="Every class, the most probable first; they sum to 1."
    )


class Predictions(BaseModel):
    """The answer to a request, in the order of its files."""

    predictions: list[Prediction]


class ModelInfo(BaseModel):
    """What is served."""

    source: str = Field(description="Where it was loaded from.", examples=["models:/cifar-cnn@champion"])
    class_names: list[str] = Field(description="Its classes.", examples=[["airplane", "automobile", "bird"]])
    provenance: dict[str, Any] = Field(description="How it was found, trained and tested.")


class Problem(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(extra="allow")

    detail: Any = Field(description="What is wrong, and what would be right.")


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "No multipart form with files."},
    413: {"model": Problem, "description": "Too many files, bytes or pixels."},
    422: {"model": Problem, "description": "A file that is no image, or a damaged one."},
    503: {"model": Problem, "description": "The model is not ready."},
}


def create_app(model: ServedModel, limits: Limits | None = None) -> FastAPI:
    """The application; it warms the model up when it starts.

    Args:
        model: what to serve.
        limits: of a request.
    """
    bounds, metrics = limits or Limits(), ServingMetrics()
    batcher = Batcher(model.predict, metrics.batch_size.observe)
    decoding = asyncio.Semaphore(os.cpu_count() or 1)  # more at a time are no faster, and take memory each
    ready = False

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal ready
        async with batcher:
            await batcher(np.zeros((2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8))
            ready = True
            yield
            ready = False

    app = FastAPI(
        title="CIFAR classifier",
        version="1",
        description="Upload images, get the probability of each class.",
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit, most=bounds.files * bounds.file_bytes + _FORM_OVERHEAD)

    @app.middleware("http")
    async def measure(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.perf_counter()
        status = 500  # what Starlette, further out, makes of an exception
        try:
            response = await handle(request)
            status = response.status_code
            return response
        finally:
            route = request.scope.get("route")
            metrics.answered(getattr(route, "path", "other"), status, time.perf_counter() - began)

    @app.post("/predict", responses=_REFUSALS)
    async def predict(
        files: Annotated[list[UploadFile], File(description="One or several images.")],
    ) -> Predictions:
        """The probability of each class for each image, the most probable class first."""
        if not ready:
            raise HTTPException(503, "the model is not ready; ask /readyz")
        if len(files) > bounds.files:
            raise HTTPException(413, f"{len(files)} files are more than {bounds.files}; send fewer at a time")
        for upload in files:
            if (upload.size or 0) > bounds.file_bytes:
                most = bounds.file_bytes / 1e6
                raise HTTPException(413, f"{upload.filename}: larger than {most:g} MB; send a smaller image")
        async with decoding:
            images = await run_in_threadpool(_decode_all, files)
        probabilities = await batcher(images)
        metrics.images.inc(len(images))
        names = [upload.filename or "" for upload in files]
        return Predictions(predictions=_predictions(names, model.class_names, probabilities))

    @app.get("/model")
    async def info() -> ModelInfo:
        """Which model this is: its classes and provenance."""
        return ModelInfo(
            source=model.source, class_names=list(model.class_names), provenance=dict(model.card)
        )

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready yet."}})
    async def readyz() -> Response:
        """Whether the model has been warmed up and predicts."""
        return PlainTextResponse("ready" if ready else "not ready", 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Counts and times for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> str:
        return files("cifar_cnn").joinpath("static/index.html").read_text("utf-8")

    @app.exception_handler(_Refused)
    async def refuse(_: Request, refused: _Refused) -> JSONResponse:
        return JSONResponse({"detail": str(refused)}, refused.status)

    return app


class _Refused(ValueError):
    """A file of a request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _decode_all(uploads: Sequence[UploadFile]) -> Images:
    images = []
    for upload in uploads:
        try:
            images.append(decode_image(upload.file.read()))
        except ImageTooLarge as error:
            raise _Refused(413, f"{upload.filename}: {error}") from error
        except NotAnImage as error:
            raise _Refused(422, f"{upload.filename}: {error}") from error
    return np.stack(images)


def _predictions(
    names: Sequence[str], class_names: Sequence[str], probabilities: Probabilities
) -> list[Prediction]:
    found = []
    for name, row in zip(names, probabilities.astype(np.float64), strict=True):
        shares = row / row.sum()  # float32 rows miss 1 by some 1e-7
        order = np.argsort(-shares, kind="stable")
        ranked = [ClassProbability(name=class_names[i], probability=float(shares[i])) for i in order]
        found.append(Prediction(file=name, label=ranked[0].name, probabilities=ranked))
    return found
