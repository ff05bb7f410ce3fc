"""A candidate becomes champion only where it is better beyond the noise; the decision is in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion

from search.tracking.models.registry import Registration, decide, register
from search.tracking.models.tested import ACCURACY, Tested
from search.tracking.store import TrackingStore


def version(
    number: int, accuracies: Sequence[float], data: str = "cifar10 abc", run_id: str | None = None
) -> ModelVersion:
    own = {
        "sweep.test_accuracies": json.dumps(list(accuracies)),
        "sweep.test_images": "10000",
        "sweep.test_data": data,
        "sweep.name": f"night-{number}",
        "sweep.trial": "3",
        "sweep.max_epochs": "6",
    }
    return ModelVersion("cifar-cnn", str(number), 0, tags=_tags(own), run_id=run_id)


def _tags(values: dict[str, str]) -> Any:
    from mlflow.entities.model_registry import ModelVersionTag

    return [ModelVersionTag(key, value) for key, value in values.items()]


CHAMPION = version(1, [0.700, 0.705, 0.695])
LUCKY = version(1, [0.950], run_id="a")  # of a single seed, as `--top 1 --seeds 1` makes it


@pytest.mark.parametrize(
    ("champion", "candidate", "promoted", "why"),
    [
        (None, version(1, [0.1]), True, "there was none"),
        (CHAMPION, version(2, [0.750, 0.755, 0.745]), True, "differs from that of version 1 by +3."),
        (CHAMPION, version(2, [0.702, 0.707, 0.697]), False, "stays candidate: its accuracy differs"),
        (CHAMPION, version(2, [0.600, 0.605, 0.595]), False, "stays candidate: its accuracy differs"),
        (
            CHAMPION,
            version(2, [0.900]),
            False,
            "undecided: this model was tested with a single seed, so a difference cannot be told from noise; "
            "retrain sweep night-2 with `trial=3`, `max_epochs=6` and `seeds=3`",
        ),
        (
            LUCKY,
            version(2, [0.96, 0.96, 0.96], run_id="b"),
            False,
            "undecided: the champion, version 1, was tested with a single seed, so a difference cannot be "
            "told from noise; retrain sweep night-1 with `trial=3`, `max_epochs=6` and `seeds=3`, "
            "then this command again",
        ),
        (
            LUCKY,
            version(2, [0.96]),
            False,
            "retrain sweep night-1 with `trial=3`, `max_epochs=6` and `seeds=3`, then sweep night-2",
        ),
        (
            LUCKY,
            version(2, [0.95, 0.60, 0.61], run_id="a"),
            True,
            "the same model as version 1, tested with 3 seeds instead of 1",
        ),
        (CHAMPION, version(2, [0.9, 0.9], "folder xyz"), False, "was tested on other images"),
        (ModelVersion("cifar-cnn", "1", 0), version(2, [0.9, 0.9]), False, "nothing is known"),
    ],
    ids=[
        "first",
        "better",
        "as good",
        "worse",
        "one seed",
        "one seed of the champion",
        "one seed each",
        "the champion with more seeds",
        "other data",
        "foreign",
    ],
)
def test_the_champion_changes_for_a_reason(
    champion: ModelVersion | None, candidate: ModelVersion, promoted: bool, why: str
) -> None:
    decided, words = decide(champion, candidate)
    assert (decided, why in words) == (promoted, True), words


def measured(number: int, metric: str | None, values: tuple[float, ...], direction: str) -> ModelVersion:
    of = Tested("night", 3, 6, len(values), metric, values, maximise=direction == "up", data="mine:Data")
    return ModelVersion("mine", str(number), 0, tags=_tags(of.tags()))


@pytest.mark.parametrize(
    ("champion", "candidate", "promoted", "why"),
    [
        (
            measured(1, "test_loss", (0.5, 0.51), "down"),
            measured(2, "test_loss", (0.2, 0.21), "down"),
            True,
            "its test_loss differs from that of version 1 by -0.33",
        ),
        (
            measured(1, "test_loss", (0.2, 0.21), "down"),
            measured(2, "test_loss", (0.5, 0.51), "down"),
            False,
            "stays candidate: its test_loss differs",
        ),
        (
            measured(1, "test_f1", (0.5, 0.51), "up"),
            measured(2, "test_r2", (0.9, 0.91), "up"),
            False,
            "this model was tested by test_r2, the champion, version 1, by test_f1",
        ),
        (
            measured(1, "test_f1", (0.5, 0.51), "up"),
            measured(2, None, (), "up"),
            False,
            "this model was tested by nothing that can be compared, the champion, version 1, by test_f1",
        ),
    ],
    ids=["lower loss", "higher loss", "another metric", "not tested"],
)
def test_any_metric_decides_whichever_way_is_better(
    champion: ModelVersion, candidate: ModelVersion, promoted: bool, why: str
) -> None:
    decided, words = decide(champion, candidate)
    assert (decided, why in words) == (promoted, True), words


def of_values(values: tuple[float, ...]) -> Tested:
    return Tested("night", 3, 6, len(values), ACCURACY, values, data="digits abc", images=10_000)


@pytest.fixture
def store(tmp_path: Path) -> TrackingStore:
    return TrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}", "models")


def registered(store: TrackingStore, accuracies: tuple[float, ...]) -> tuple[str, str]:
    """The run and URI of a logged model with these accuracies."""
    run_id = store.client.create_run(store.experiment_id).info.run_id
    model = store.client.create_logged_model(store.experiment_id, name="night-best", source_run_id=run_id)
    store.client.finalize_logged_model(model.model_id, "READY")
    return str(run_id), str(model.model_uri)


def test_aliases_follow_the_decisions_and_registering_again_changes_nothing(store: TrackingStore) -> None:
    first = registered(store, good := (0.70, 0.71, 0.70))
    assert register(store, *first, of_values(good), "cifar-cnn", 1) == Registration(
        "cifar-cnn", 1, True, "champion: there was none"
    )
    second = registered(store, worse := (0.60, 0.61, 0.60))
    kept = register(store, *second, of_values(worse), "cifar-cnn", 1)
    assert (kept.version, kept.champion) == (2, False)
    assert aliases(store) == {"champion": 1, "candidate": 2}
    third = registered(store, better := (0.80, 0.81, 0.80))
    assert register(store, *third, of_values(better), "cifar-cnn", 1).champion
    assert aliases(store) == {"champion": 3, "candidate": 3}
    assert register(store, *second, of_values(worse), "cifar-cnn", 1) == kept
    assert aliases(store) == {"champion": 3, "candidate": 3}
    assert len(store.client.search_model_versions("name = 'cifar-cnn'")) == 3


def test_a_champion_of_one_seed_is_replaced_once_it_has_more(store: TrackingStore) -> None:
    run_id, uri = registered(store, (0.95,))
    assert register(store, run_id, uri, of_values((0.95,)), "cifar-cnn", 1).champion
    other = registered(store, better := (0.80, 0.81, 0.80))
    waiting = register(store, *other, of_values(better), "cifar-cnn", 1)
    assert (waiting.champion, waiting.decision.split(":")[0]) == (False, "undecided")

    # The champion's command with more seeds, as it was told, then the same command again.
    more = store.client.create_logged_model(store.experiment_id, name="night-best", source_run_id=run_id)
    known = register(store, run_id, more.model_uri, of_values((0.95, 0.60, 0.61)), "cifar-cnn", 1)
    assert (known.version, known.champion) == (3, True)
    decided = register(store, *other, of_values(better), "cifar-cnn", 1)
    assert (decided.version, decided.champion) == (2, False)
    assert decided.decision.startswith("stays candidate: its accuracy differs from that of version 3 by ")
    assert aliases(store) == {"champion": 3, "candidate": 3}


def aliases(store: TrackingStore) -> dict[str, int]:
    found = store.client.get_registered_model("cifar-cnn").aliases
    return {alias: int(number) for alias, number in found.items()}


def test_reads_of_the_test_set_stand_beside_the_model_and_the_champion(
    store: TrackingStore,
) -> None:
    def reads() -> list[str | None]:
        versions = store.client.search_model_versions("name = 'cifar-cnn'", order_by=["version_number ASC"])
        return [version.tags.get("sweep.test_reads") for version in versions]

    def tested(values: tuple[float, ...], test_set: str) -> Tested:
        return dataclasses.replace(of_values(values), test_set=test_set)

    best, worse = (0.90, 0.91, 0.90), (0.60, 0.61, 0.60)
    register(store, *registered(store, best), tested(best, "images"), "cifar-cnn", 1)
    assert reads() == ["1"]
    register(store, *registered(store, worse), tested(worse, "images"), "cifar-cnn", 2)
    assert reads() == ["2", "2"]
    register(store, *registered(store, worse), tested(worse, "others"), "cifar-cnn", 1)
    assert reads() == ["2", "2", "1"], "the champion was tested on other images"


def test_what_to_train_more_of_is_the_same_retraining() -> None:
    on_some = dataclasses.replace(of_values((0.9,)), train_size=500, data="cifar10 abc")
    decided, words = decide(CHAMPION, ModelVersion("cifar-cnn", "2", 0, tags=_tags(on_some.tags())))
    assert not decided
    assert "sweep night with `trial=3`, `max_epochs=6`, `train_size=500` and `seeds=3`" in words


def test_models_are_compared_that_were_tested_on_the_same_whatever_they_were_trained_on() -> None:
    old, new = of_values((0.9, 0.9)), dataclasses.replace(of_values((0.9, 0.9)), data="digits xyz")
    assert not new.tested_as(old)
    assert dataclasses.replace(new, test_set="a").tested_as(dataclasses.replace(old, test_set="a"))
    assert not dataclasses.replace(old, test_set="a").tested_as(dataclasses.replace(old, test_set="b"))
    assert old.tested_as(dataclasses.replace(old, test_set="a")), "of versions from before by all of the data"
