"""The registry: a retrained model is the candidate, and the champion if it is better beyond the noise."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from search.results.statistics import difference_interval
from search.tracking.answering import answering
from search.tracking.models.tested import ACCURACY, Tested
from search.tracking.store import TrackingStore
from search.tracking.uri import default_store

CANDIDATE, CHAMPION = "candidate", "champion"
_UNDECIDED = "undecided"  # begins a decision that is made again when the model is registered again
_URI, _DECISION = "sweep.model_uri", "sweep.decision"
_READS = "sweep.test_reads"  # by how many retrainings a version's test set was read


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


def register(
    store: TrackingStore, run_id: str, model_uri: str, tested: Tested, name: str, test_reads: int
) -> Registration:
    """Register a logged model once, as the candidate, and make it champion if it is better.

    What could not be decided before is decided now, if it can be. How often their test set was read stands
    beside the model and beside the champion.

    Raises:
        TrackingDown: the store does not answer.
    """
    with answering(store.uri), default_store(store.uri):
        version = _version(store, name, model_uri) or store.client.create_model_version(
            name,
            model_uri,
            run_id,
            tags={_URI: model_uri, **tested.tags()},
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
        theirs = None if champion is None else Tested.of_tags(champion.tags)
        shown_beside = [version]
        if champion is not None and theirs is not None and tested.tested_as(theirs):
            shown_beside.append(champion)
        for each in shown_beside:
            store.client.set_model_version_tag(name, each.version, _READS, str(test_reads))
    is_champion = champion is not None and champion.version == version.version
    return Registration(name, int(version.version), is_champion, known)


def decide(champion: ModelVersion | None, candidate: ModelVersion) -> tuple[bool, str]:
    """Whether a candidate becomes champion, and why, in words."""
    if champion is None:
        return True, "champion: there was none"
    if champion.version == candidate.version:
        return True, "champion: as was decided before a crash"
    theirs, ours = Tested.of_tags(champion.tags), Tested.of_tags(candidate.tags)
    assert ours is not None
    rival = f"version {champion.version}"
    if theirs is None:
        return False, f"stays candidate: nothing is known of how the champion, {rival}, was tested"
    if champion.run_id and champion.run_id == candidate.run_id:
        return (
            True,
            f"champion: the same model as {rival}, tested with {ours.seeds} seeds instead of {theirs.seeds}",
        )
    if ours.metric is None or ours.metric != theirs.metric:
        known = f"this model was tested by {ours.metric or 'nothing that can be compared'}"
        return False, f"stays candidate: {known}, the champion, {rival}, by {theirs.metric or 'nothing'}"
    if not ours.tested_as(theirs):
        return False, f"stays candidate: the champion, {rival}, was tested on other {_data_of(ours)}"
    interval = difference_interval(ours.values, theirs.values, ours.images)
    if interval is None:
        return False, _what_is_missing(champion.version, theirs, ours)
    difference = f"{_difference(ours.metric, rival, *interval)} (95%)"
    better = interval[0] > 0 if ours.maximise else interval[1] < 0
    return (True, f"champion: {difference}") if better else (False, f"stays candidate: {difference}")


def _data_of(tested: Tested) -> str:
    return "images" if tested.images is not None else "data"


def _difference(metric: str, rival: str, low: float, high: float) -> str:
    if metric == ACCURACY:
        return f"its accuracy differs from that of {rival} by {100 * low:+.2f} to {100 * high:+.2f} points"
    return f"its {metric} differs from that of {rival} by {low:+.4g} to {high:+.4g}"


def _what_is_missing(champion: str, theirs: Tested, ours: Tested) -> str:
    """That a single seed decides nothing, and how to get more of the one that has no more."""
    names = {f"the champion, version {champion},": theirs, "this model": ours}
    single = {name: tested for name, tested in names.items() if len(tested.values) < 2}
    which = " and ".join(single)
    again = ", then ".join(
        f"sweep {tested.sweep} with `trial={tested.trial}`, `max_epochs={tested.max_epochs}`"
        f"{f', `train_size={tested.train_size}`' if tested.train_size else ''} and `seeds=3`"
        for tested in single.values()
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
