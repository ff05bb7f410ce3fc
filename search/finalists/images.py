"""A retrained CNN: tested on the test images, and saved to be served with a page for images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.cifar.sweep import accelerator_of, data_of
from search.errors import UserError
from search.finalists.confirm import Confirmation
from search.finalists.product import Evaluations, Product
from search.results.statistics import estimates
from search.study.launch_notes import describe_launch
from search.tracking.models.tested import ACCURACY, Tested


@contextlib.contextmanager
def one_line_errors(of_data: str = "") -> Iterator[None]:
    """Images or a checkpoint that cannot be read are for the user to mend: a `UserError` tells it.

    Args:
        of_data: what to add where it is the images.
    """
    from cifar_cnn.errors import CheckpointError, DataError

    try:
        yield
    except DataError as error:
        raise UserError(f"{str(error).rstrip('.')}{of_data}" if of_data else str(error)) from error
    except CheckpointError as error:
        raise UserError(str(error)) from error


@dataclass(frozen=True)
class ImageClassifier(Product):
    """This project's own network.

    Example:
        >>> from search.results.leaderboard import savings
        >>> from search.results.summary import SweepSummary
        >>> from search.config.sweep_config import SweepConfig
        >>> from spaces.quickstart import SPACE
        >>> sweep = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> classifier = ImageClassifier(SweepSummary(sweep, "id", [], {}, savings([], 1)), sweep)
        >>> classifier.metrics([{"accuracy": 0.81}, {"accuracy": 0.79}])
        {'test_acc': (0.81, 0.79)}
    """

    def has_test(self) -> bool:
        """It has: the test images."""
        return True

    def test_set(self) -> str | None:
        """Digest of the test images and their labels."""
        from cifar_cnn.prepare import open_data

        with one_line_errors():
            return open_data(data_of(self.config)).test_digest()

    def evaluate(self, checkpoint: Path) -> dict[str, Any]:
        """A whole evaluation on the test images."""
        from cifar_cnn.evaluate import evaluate

        with one_line_errors():
            where = accelerator_of(self.config)
            return evaluate(checkpoint, "test", data=data_of(self.config), accelerator=where).to_json()

    def metrics(self, evaluations: Evaluations) -> dict[str, tuple[float, ...]]:
        """The accuracy."""
        return {ACCURACY: tuple(float(each["accuracy"]) for each in evaluations)}

    def tested(self, evaluations: Evaluations, seeds: int) -> Tested:
        """By its accuracy on these images."""
        dataset = self.config.dataset
        assert dataset is not None
        is_whole = data_of(self.config).train_size is None
        return Tested(
            sweep=self.summary.config.name,
            trial=self.trial,
            max_epochs=self.config.max_epochs,
            seeds=seeds,
            metric=ACCURACY,
            values=self.metrics(evaluations)[ACCURACY],
            data=f"{dataset.name} {dataset.digest.partition('-')[0]}",
            images=int(evaluations[0]["n"]),
            train_size=None if is_whole else dataset.sizes["train"] + dataset.sizes["val"],
            test_set=self.test_set(),
        )

    def save(
        self,
        checkpoint: Path,
        confirmation: Confirmation | None,
        evaluations: Evaluations,
        test_reads: int,
    ) -> Path:
        """Save it with its card: uint8 images in, probabilities of the classes out."""
        from cifar_cnn.checkpoint import load_checkpoint
        from cifar_cnn.export import InferenceModel
        from search.tracking.models.save import ModelCard, save_model

        with one_line_errors():
            loaded = load_checkpoint(checkpoint)
        launch, accuracies = describe_launch(), self.metrics(evaluations)[ACCURACY]
        card = ModelCard(
            name=f"{self.summary.config.name}-best",
            class_names=loaded.class_names,
            sweep=self.summary.config.name,
            trial=self.trial,
            train_config=loaded.train_config.model_dump(mode="json"),
            data=loaded.data_info.model_dump(mode="json"),
            test_accuracies=accuracies,
            test=asdict(estimates({0: accuracies}, within=(0.0, 1.0))[0]),
            confirmation=None if confirmation is None else confirmation.to_json(),
            code=launch["code"],
            versions=launch["versions"],
            test_reads=test_reads,
        )
        return save_model(InferenceModel(loaded), card, self.model_folder)
