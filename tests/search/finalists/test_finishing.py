"""How much a budget finishes: trainings that fit into what is left, on all images or on the sweep's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweep_makers import epoch, record, sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists import finishing
from search.finalists.confirm import confirm_config
from search.finalists.finishing import Time, plan_finish
from search.finalists.training_images import TrainingImages
from search.launching.launch import _check_study
from search.results.leaderboard import savings
from search.results.summary import SweepSummary, summarise
from search.study.records import TrialRecord

OWN = DatasetNote(name="cifar10", digest="0a", sizes={"train": 100, "val": 50}, classes=10)
ALL = TrainingImages({"all": True}, OWN.model_copy(update={"sizes": {"train": 800, "val": 200}}))


def trials(count: int) -> list[TrialRecord]:
    """Whole trainings of three epochs of two seconds on one core, the first one the best."""
    return [
        record(
            number,
            params={"depth": 2, "lr": 0.1 + number / 10},
            value=0.9 - number / 100,
            epochs=tuple(
                epoch(n, cpus=1.0, gpus=0.5, worker=f"host:{number}", timestamp_ms=1000 * (n + 10 * number))
                for n in (1, 2, 3)
            ),
        )
        for number in range(count)
    ]


def swept(records: list[TrialRecord], **fields: Any) -> SweepSummary:
    config = sweep_config(**{"trials": None, "budget": "10x", "finish": True, **fields})
    return SweepSummary(config, "id", records, {}, savings(records, 3))


def planned(summary: SweepSummary, time: Time | None = None) -> tuple[int, int, int]:
    plan = plan_finish(summary, time)
    return len(plan.finalists), plan.confirmations, plan.retrainings


@pytest.mark.parametrize(
    ("budget", "begun", "finish"),
    [
        ("10x", 6, (2, 3, 1)),
        ("20x", 12, (3, 6, 2)),
        ("100x", 20, (3, 9, 3)),  # a search that ended early has left more than finishing takes
        ("10x", 8, (1, 0, 2)),  # --finish came late: too little is left for a race
    ],
)
def test_what_the_search_has_left_of_its_epochs_is_shared_out(
    budget: str, begun: int, finish: tuple[int, int, int]
) -> None:
    assert planned(swept(trials(begun), budget=budget)) == finish


def test_a_sweep_with_a_number_of_trials_alone_is_finished_as_by_default() -> None:
    assert planned(swept(trials(5), trials=5, budget=None)) == (3, 9, 3)


def test_a_single_configuration_is_confirmed_with_a_few_seeds() -> None:
    assert planned(swept(trials(1), budget="20x")) == (1, 3, 3)


@pytest.mark.parametrize(
    "limits",
    [
        {"core_hours": 8 * 6 / 3600},  # of which four trainings have been taken
        {"gpu_hours": 8 * 3 / 3600},
    ],
)
def test_hours_pay_for_as_many_trainings_as_the_best_have_taken(limits: dict[str, Any]) -> None:
    assert planned(swept(trials(4), trials=9, budget=None, **limits)) == (2, 3, 1)


def test_time_pays_for_as_many_trainings_as_run_at_once() -> None:
    summary = swept(trials(4), trials=4, budget=None)
    assert planned(summary, Time(seconds=3 * 6 + 0.1, slots=2)) == (2, 4, 1)
    assert planned(summary, Time(seconds=1000, slots=1)) == (3, 9, 3)


def test_images_that_do_not_fit_the_hours_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All images are ten times those that a trial learns from."""
    monkeypatch.setattr(finishing, "training_images", lambda *_: ALL)

    def images(hours_of_trainings: int) -> int:
        fields = {"trials": 9, "budget": None, "dataset": OWN, "settings": {"data": {}}}
        limit = hours_of_trainings * 6 / 3600
        plan = plan_finish(swept(trials(4), core_hours=limit, **fields), None)
        assert plan.images is not None
        return plan.images.count

    assert images(4 + 11) == 1000
    assert images(4 + 9) == 150


def test_what_pays_for_nothing_is_told_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"has used its budget up.*finish it all the same") as refusal:
        plan_finish(swept(trials(10)), None)
    assert [step.action for step in refusal.value.steps] == ["retrain"]
    with pytest.raises(UserError, match="trainings like its best, and to retrain that takes"):
        plan_finish(swept(trials(4), trials=4, budget=None), Time(seconds=1.0, slots=2))


def test_a_race_that_has_begun_is_gone_on_with(tmp_path: Path) -> None:
    """After a kill there is more time than there was, or less."""
    summary = swept(trials(4), trials=4, budget=None, sweeps_dir=tmp_path)
    confirm_config(summary, summary.leaderboard[:2], 2).save()
    assert planned(summary) == (2, 6, 3)


def on_disk(config: SweepConfig, completed: int) -> None:
    """The sweep with so many whole trainings in its study."""
    from search.policy.making import make_policy
    from search.study.opening import open_study

    with open_study(config, make_policy(config)) as (ledger, _):
        for _ in range(completed):
            number = ledger.start(ledger.ask().number).number
            for position in (1, 2, 3):
                ledger.report(number, epoch(position, worker=f"host:{number}", cpus=1.0, gpus=1.0))
            ledger.complete(number)


def test_a_resume_is_refused_before_it_starts_if_nothing_is_left_to_finish_with(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"trials": None, "sweeps_dir": tmp_path}
    on_disk(sweep_config(budget="2x", **fields), 2)
    with pytest.raises(UserError, match="has used its budget up"):
        finishing.check_finish(sweep_config(budget="2x", finish=True, **fields))
    finishing.check_finish(sweep_config(budget="4x", finish=True, **fields))


@pytest.mark.parametrize("field", ["core_hours", "gpu_hours"])
def test_a_resume_with_hours_that_are_used_up_is_refused(tmp_path: Path, field: str) -> None:
    on_disk(sweep_config(tmp_path), 2)  # 12 seconds
    told = rf"`{field}=0.003`: sweep 'try' has taken 0.0033 .* already; give more to let it go on, or leave"
    with pytest.raises(UserError, match=told):
        _check_study(sweep_config(tmp_path, **{field: 0.003}), {field: 0.003})
    _check_study(sweep_config(tmp_path, **{field: 0.004}), {field: 0.004, "tracking_uri": "elsewhere"})


def test_what_time_ended_is_finished_once_that_has_begun(tmp_path: Path) -> None:
    """A resume has time without end: it would search on, and compare other finalists."""
    config = sweep_config(tmp_path, finish=True)
    on_disk(config, 2)
    assert finishing.being_finished(config) is None
    summary = summarise(config.name, tmp_path)
    confirm_config(summary, summary.leaderboard, 2).save()
    found = finishing.being_finished(config)
    assert found is not None
    assert len(found.records) == 2
    assert finishing.being_finished(sweep_config(tmp_path, finish=True, trials=2)) is None, "none is left"


def test_a_resume_that_goes_on_after_the_test_is_refused(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"trials": None, "finish": True, "sweeps_dir": tmp_path}
    config = sweep_config(budget="4x", **fields)
    on_disk(config, 2)
    (config.folder / "reads_of_test.json").write_text('[{"retraining": "try.retrain-000-e3", "time_ms": 1}]')
    finishing.check_finish(config)
    with pytest.raises(UserError, match=r"is to go on, and try\.retrain-000-e3 has read its test split"):
        finishing.check_finish(sweep_config(budget="20x", **fields))
