"""What is told of a sweep's best, trained again: confirmed, retrained, evaluated."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scripts.documents.parts import Document, Number


class Estimate(Document):
    """A mean over seeds, and how well it is known."""

    n: int = Field(description="Seeds.")
    mean: float = Field(description="Of their values.")
    deviation: Number = Field(description="Standard deviation among them; null of a single one.")
    low: Number = Field(description="Lower end of the mean's 95% interval; null while no spread is known.")
    high: Number = Field(description="Upper end.")
    probability_best: Number = Field(
        description="That its true mean is the best of those compared; null while that is not known."
    )


class Finalist(Estimate):
    """A configuration trained again with fresh seeds."""

    trial: int = Field(description="Number of its trial in the sweep.")
    params: dict[str, Any] = Field(description="By name.")
    claimed: Number = Field(description="What it scored in the sweep.")
    optimism: Number = Field(description="Claimed minus the mean: how far luck carried it.")
    values: list[float] = Field(description="Scores of the seeds that completed.")
    failed: int = Field(description="Seeds that did not.")


class Registration(Document):
    """A model's place in MLflow's registry."""

    name: str = Field(description="Of the model.")
    version: int = Field(description="Of the model.")
    champion: bool = Field(description="Whether it is the champion now.")
    decision: str = Field(description="Why, in words.")


class Retraining(Document):
    """The winner of a sweep: confirmed, retrained, tested, saved, registered."""

    sweep: str = Field(description="Its name.")
    winner: int = Field(description="Number of the trial.")
    params: dict[str, Any] = Field(description="The winner's, by name.")
    finalists: list[Finalist] = Field(
        description="The winner first; empty if nothing was confirmed. All seeds of those left out failed."
    )
    retraining: str = Field(description="Name of the small sweep over seeds that retrained it.")
    test: dict[str, Estimate] = Field(description="What the test measured, by metric; empty without a test.")
    test_images: int | None = Field(description="How many there are, if the metric is a share of them.")
    test_reads: int = Field(description="Retrainings that have read the test set, this one included.")
    checkpoint: str = Field(description="Of the first seed: a folder.")
    model_folder: str | None = Field(description="The saved model; null: it is not saved.")
    not_saved: str | None = Field(description="Why it is not.")
    model_uri: str | None = Field(description="The model in MLflow.")
    registration: Registration | None = Field(description="Null if it is not registered.")
    missing: list[str] = Field(description="What MLflow lacks, in words; running the command again adds it.")
    next: list[str] = Field(description="The command that serves the model, if it can be served.")


class Class(Document):
    """One class of a test split."""

    name: str = Field(description="Of the class.")
    accuracy: Number = Field(description="Null without images.")
    interval: tuple[float, float] | None = Field(description="95%, by the number of images alone.")
    images: int = Field(description="Of the class.")


class Evaluation(Document):
    """A retrained model on the test split."""

    sweep: str = Field(description="Its name.")
    retraining: str = Field(description="Whose first seed's model it is.")
    images: int = Field(description="Of the split.")
    accuracy: float = Field(description="Share of images classified rightly.")
    interval: tuple[float, float] = Field(description="95%, by the number of images alone.")
    loss: Number = Field(description="Mean cross-entropy in nats.")
    calibration_error: Number = Field(description="How far confidence and accuracy lie apart on average.")
    classes: list[Class] = Field(description="By label.")
    confusion: list[list[int]] = Field(description="Row i, column j: images of class i taken for class j.")
    corrupted: dict[str, list[float]] = Field(
        description="Accuracy by corruption, mild to strong; empty without `--corruptions`."
    )
    files: list[str] = Field(description="Figures and numbers that were written.")
    missing: list[str] = Field(description="What MLflow lacks, in words.")
    next: list[str] = Field(description="The command that mends it, if there is one.")
