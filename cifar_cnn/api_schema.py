"""The API's answers: what /openapi.json and /docs tell of them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ClassProbability(BaseModel):
    """One class of a prediction.

    Example:
        >>> ClassProbability(name="cat", probability=0.93).model_dump()
        {'name': 'cat', 'probability': 0.93}
    """

    name: str = Field(description="Name of the class.", examples=["cat"])
    probability: float = Field(ge=0, le=1, description="Its probability.", examples=[0.93])


class Prediction(BaseModel):
    """What a model sees in one image.

    Example:
        >>> cat = ClassProbability(name="cat", probability=1.0)
        >>> Prediction(file="cat.jpg", label="cat", probabilities=[cat]).label
        'cat'
    """

    file: str = Field(description="Name of the file.", examples=["cat.jpg"])
    label: str = Field(description="The most probable class.", examples=["cat"])
    probabilities: list[ClassProbability] = Field(
        description="Every class, the most probable first; they sum to 1."
    )


class Predictions(BaseModel):
    """The answer to a request, in the order of its files.

    Example:
        >>> Predictions(predictions=[]).model_dump_json()
        '{"predictions":[]}'
    """

    predictions: list[Prediction]


class ModelInfo(BaseModel):
    """What is served.

    Example:
        >>> info = ModelInfo(source="here", class_names=["cat", "dog"], provenance={"sweep": "night"})
        >>> info.provenance["sweep"]
        'night'
    """

    source: str = Field(description="Where it was loaded from.", examples=["models:/cifar-cnn@champion"])
    class_names: list[str] = Field(description="Its classes.", examples=[["airplane", "automobile", "bird"]])
    provenance: dict[str, Any] = Field(description="How it was found, trained and tested.")


class Problem(BaseModel):
    """Why a request was refused.

    Example:
        >>> Problem(detail="a.txt: no image").detail
        'a.txt: no image'
    """

    model_config = ConfigDict(extra="allow")

    detail: Any = Field(description="What is wrong, and what would be right.")


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "No multipart form with files."},
    408: {"model": Problem, "description": "The files came too slowly."},
    413: {"model": Problem, "description": "Too many files, bytes or pixels."},
    422: {"model": Problem, "description": "A file that is no image, or a damaged one."},
    500: {"model": Problem, "description": "The model failed."},
    503: {"model": Problem, "description": "The model is not ready, or has too much to do: see Retry-After."},
}
