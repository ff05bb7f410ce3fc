"""The registry: a retrained model is the candidate, and the champion if it is better beyond the noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from search.results.statistics import difference_interval
from search.tracking.answering import answering
from search.tracking.models.save import ModelCard
from search.tracking.store import TrackingStore
from search.tracking.uri import default_store

CANDIDATE, CHAMPION = "candidate", "champion"
_UNDECIDED = "undecided"  # begins a decision that is made again when the model is registered again
_URI, _ACCURACIES, _IMAGES, _DATA, _DECISION = (
    "sweep.model_uri",
    "sweep.test_accuracies",
    "sweep.test_images",
    "sweep.test_data",
    "sweep.decision",
)
_SWEEP, _TRIAL, _EPOCHS = "sweep.name", "sweep.trial", "sweep.max_epochs"


@dataclass(frozen=True)
class Registration:
    """A model's place in the registry, and why.

    Example:
        >>> Registration("cifar-cnn", version=2, champion=False, decision="stays candidate").champion
        False
    """

    name: str
    version: int
    champion: bool
    decision: str  # in words


def register(store: TrackingStore, run_id: str, model_uri: str, card: ModelCard, name: str) -> Registration:
    """Register a logged model once, as the candidate, and make it champion if it is better.

    What could not be decided before is decided now, if it can be.

    Raises:
        TrackingDown: the store does not answer.
    """
    with answering(store.uri), default_store(store.uri):
        version = _version(store, name, model_uri) or store.client.create_model_version(
            name,
            model_uri,
            run_id,
            tags=_tags(model_uri, card),
            model_id=model_uri.removeprefix("models:/"),
        )
        known = version.tags.get(_DECISION)
        if known is None:
            store.client.set_registered_model_alias(name, CANDIDATE, version.version)
        if known is None or known.startswith(_UNDECIDED):
            promoted, known = decide(_champion(store, name), version)
            if promoted:
                store.client.set_registered_model_alias(name, CHAMPION, version.version)
            # Written last: a version with a decision is through with it.
            store.client.set_model_version_tag(name, version.version, _DECISION, known)
        champion = _champion(store, name)
    is_champion = champion is not None and champion.version == version.version
    return Registration(name, int(version.version), is_champion, known)


def decide(champion: ModelVersion | None, candidate: ModelVersion) -> tuple[bool, str]:
    """Whether a candidate becomes champion, and why, in words."""
    if champion is None:
        return True, "champion: there was none"
    if champion.version == candidate.version:
        return True, "champion: as was decided before a crash"
    theirs, ours = champion.tags, candidate.tags
    rival = f"version {champion.version}"
    if _ACCURACIES not in theirs:
        return False, f"stays candidate: nothing is known of how the champion, {rival}, was tested"
    if champion.run_id and champion.run_id == candidate.run_id:
        seeds = len(_accuracies(theirs)), len(_accuracies(ours))
        return (
            True,
            f"champion: the same model as {rival}, tested with {seeds[1]} seeds instead of {seeds[0]}",
        )
    if theirs[_DATA] != ours[_DATA]:
        return False, f"stays candidate: the champion, {rival}, was tested on other images"
    interval = difference_interval(_accuracies(ours), _accuracies(theirs), int(ours[_IMAGES]))
    if interval is None:
        return False, _what_is_missing(champion, candidate)
    low, high = (100 * end for end in interval)
    difference = f"its accuracy differs from that of {rival} by {low:+.2f} to {high:+.2f} points (95%)"
    return (True, f"champion: {difference}") if low > 0 else (False, f"stays candidate: {difference}")


def _what_is_missing(champion: ModelVersion, candidate: ModelVersion) -> str:
    """That a single seed decides nothing, and how to get more of the one that has no more."""
    names = {f"the champion, version {champion.version},": champion, "this model": candidate}
    single = {name: version for name, version in names.items() if len(_accuracies(version.tags)) < 2}
    which = " and ".join(single)
    again = ", then ".join(
        f"sweep {tags[_SWEEP]} with `trial={tags[_TRIAL]}`, `max_epochs={tags[_EPOCHS]}` and `seeds=3`"
        for tags in (version.tags for version in single.values())
    )
    then = "" if "this model" in single else ", then this command again"
    return (
        f"{_UNDECIDED}: {which} was tested with a single seed, so a difference cannot be told from noise; "
        f"retrain {again}{then}"
    )


def _version(store: TrackingStore, name: str, model_uri: str) -> ModelVersion | None:
    """The version that was registered for this model before; makes the registered model if it is new."""
    try:
        store.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        store.client.create_registered_model(name)
    for version in store.client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(_URI) == model_uri:
            return version
    return None


def _champion(store: TrackingStore, name: str) -> ModelVersion | None:
    number = store.client.get_registered_model(name).aliases.get(CHAMPION)
    return None if number is None else store.client.get_model_version(name, number)


def _tags(model_uri: str, card: ModelCard) -> dict[str, str]:
    data = card.data
    return {
        _URI: model_uri,
        _ACCURACIES: json.dumps(card.test_accuracies),
        _IMAGES: str(data["sizes"]["test"]),
        _DATA: f"{data['dataset']} {data['fingerprint']}",
        _SWEEP: card.sweep,
        _TRIAL: str(card.trial),
        _EPOCHS: str(card.train_config["max_epochs"]),
    }


def _accuracies(tags: Mapping[str, str]) -> list[float]:
    accuracies: list[float] = json.loads(tags[_ACCURACIES])
    return accuracies
