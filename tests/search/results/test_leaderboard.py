"""What a sweep found, from the trials' records alone."""

from __future__ import annotations

import traceback

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from sweep_makers import CONDITIONAL, DISCRETE, MAXIMIZE, MINIMIZE, epoch, record, sweep_config

from search.config.goals import Goal
from search.results.digits import shown
from search.results.leaderboard import (
    Best,
    best_so_far,
    cause,
    causes,
    counts,
    importances,
    savings,
    summary_note,
    typical_seconds,
)
from search.study.hand_outs import HandOut
from search.study.records import Outcome, StopReason, TrialRecord

ENDED = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


@st.composite
def sweeps(draw: st.DrawFn) -> list[TrialRecord]:
    """The trials of a sweep that has ended, by number, having ended in any order."""
    size = draw(st.integers(1, 8))
    ends = draw(st.permutations(range(size)))
    return [
        record(
            number,
            state := draw(st.sampled_from(ENDED)),
            value=draw(st.floats(0, 1)) if state is TrialState.COMPLETE else None,
            ended_ms=1000 + end,
        )
        for number, end in enumerate(ends)
    ]


def running(of: TrialRecord) -> TrialRecord:
    """The same trial before its end."""
    return record(of.number, TrialState.RUNNING, ended_ms=None)


@settings(deadline=None)
@given(sweeps(), st.sampled_from([MAXIMIZE, MINIMIZE]))
def test_trials_that_end_later_only_lengthen_the_history(records: list[TrialRecord], goal: Goal) -> None:
    whole = best_so_far(records, goal)
    for moment in range(1000, 1001 + len(records)):
        seen = [r if r.ended_ms is not None and r.ended_ms < moment else running(r) for r in records]
        history = best_so_far(seen, goal)
        assert history == whole[: len(history)]
    values = [point.value for point in whole]
    assert values == sorted(values, key=goal.sort_key, reverse=True)
    assert [point.ended_ms for point in whole] == sorted(point.ended_ms for point in whole)


def test_the_best_so_far_waits_for_every_earlier_trial() -> None:
    records = [record(0, value=0.5), record(1, TrialState.RUNNING, ended_ms=None), record(2, value=0.9)]
    assert best_so_far(records, MAXIMIZE) == [Best(0, 0.5, 2)]
    records[1] = record(1, TrialState.FAIL, ended_ms=50)
    assert best_so_far(records, MAXIMIZE) == [Best(0, 0.5, 2), Best(1, 0.5, 50), Best(2, 0.9, 50)]
    assert best_so_far(records, MINIMIZE)[-1].value == 0.5
    assert best_so_far([records[0], records[2]], MAXIMIZE) == [Best(0, 0.5, 2)], "trial 1 has yet to start"


def test_there_is_no_best_before_a_trial_is_complete() -> None:
    assert best_so_far([], MAXIMIZE) == []
    assert best_so_far([record(0, TrialState.FAIL), record(1, TrialState.PRUNED)], MAXIMIZE) == []


def test_where_trials_freeze_the_history_counts_those_that_completed() -> None:
    handed = {"hand_outs": (HandOut(None, cost=3, reports=0, why="best"),)}
    frozen = (HandOut(1, cost=1, reports=0, why="new"),)
    records = [
        record(0, TrialState.RUNNING, epochs=(epoch(1),), hand_outs=frozen, ended_ms=None),
        record(4, value=0.5, ended_ms=20, **handed),
        record(2, value=0.9, ended_ms=30, **handed),
        record(3, value=0.7, ended_ms=40, **handed),
    ]
    assert best_so_far(records, MAXIMIZE) == [Best(0, 0.5, 20), Best(1, 0.9, 30), Best(2, 0.9, 40)]
    assert best_so_far(records[:2], MAXIMIZE) == [Best(0, 0.5, 20)], "it only grows"


def test_savings_are_the_epochs_that_pruned_trials_did_not_train() -> None:
    records = [
        record(0, epochs=tuple(epoch(n) for n in range(1, 10)), value=0.5),
        record(1, TrialState.PRUNED, epochs=(epoch(1), epoch(2))),
        record(2, TrialState.FAIL, epochs=(epoch(1),)),
        record(3, TrialState.PRUNED, stop_reason=StopReason.DIVERGED),
    ]
    saved = savings(records, max_epochs=9)
    assert (saved.epochs_run, saved.epochs_saved) == (12, 7)
    assert (saved.seconds_run, saved.seconds_saved) == (24.0, 14.0)


def test_a_trial_pruned_before_an_epoch_saves_no_time_that_is_known() -> None:
    saved = savings([record(0, TrialState.PRUNED)], max_epochs=9)
    assert (saved.epochs_saved, saved.seconds_saved) == (9, 0.0)


def test_every_state_is_counted() -> None:
    diverged = record(3, TrialState.PRUNED, stop_reason=StopReason.DIVERGED)
    old = record(4, TrialState.FAIL, stop_reason=StopReason("nan"))  # as sweeps of earlier versions have it
    there = counts([record(0), record(1), record(2, TrialState.PRUNED), diverged, old])
    assert there[Outcome.COMPLETE] == there[Outcome.DIVERGED] == 2
    assert there[Outcome.PRUNED] == 1
    assert there[Outcome.FAILED] == there[Outcome.RUNNING] == 0


def study_of(values: list[float], params: list[dict[str, float]]) -> optuna.Study:
    """A study of complete trials."""
    study = optuna.create_study(direction="maximize")
    for value, given_params in zip(values, params, strict=True):
        distributions = {name: FloatDistribution(0, 1) for name in given_params}
        study.add_trial(create_trial(value=value, params=given_params, distributions=distributions))
    return study


def test_importances_rank_what_matters_first() -> None:
    params = [{"lr": n / 40, "dropout": (n * 17 % 40) / 40} for n in range(40)]
    found = importances(study_of([p["lr"] for p in params], params))
    assert list(found) == ["lr", "dropout"]
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize("values", [[], [0.1, 0.2, 0.3, 0.4], [0.5] * 12])
def test_there_are_no_importances_where_they_would_be_guesswork(values: list[float]) -> None:
    assert importances(study_of(values, [{"lr": n / 20} for n in range(len(values))])) == {}


@settings(deadline=None, max_examples=20)
@given(st.integers(5, 12), st.integers(0, 2**16))
def test_importances_of_a_conditional_space_are_shares(trials: int, seed: int) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed))
    for number in range(trials):
        trial = study.ask()
        CONDITIONAL.suggest(trial)
        study.tell(trial, (number * 7 % 5) / 5)
    found = importances(study)
    assert set(found) <= set(CONDITIONAL.parameters)
    assert all(0 <= share <= 1 for share in found.values())


def test_a_parameter_that_few_trials_have_is_left_out() -> None:
    params: list[dict[str, float]] = [{"lr": n / 20, "dropout": (n * 7 % 20) / 20} for n in range(20)]
    for number in (3, 9, 14, 18):
        params[number]["momentum"] = number / 20
    found = importances(study_of([p["lr"] for p in params], params))
    assert set(found) == {"lr", "dropout"}
    assert sum(found.values()) == pytest.approx(1)
    params[7]["momentum"] = 0.35
    assert "momentum" in importances(study_of([p["lr"] for p in params], params))


def test_the_note_sums_the_sweep_up() -> None:
    records = [
        record(0, value=0.25, epochs=(epoch(1), epoch(2), epoch(3))),
        record(1, value=0.75, params={"depth": 3, "lr": 0.012345}),
        record(2, TrialState.PRUNED, epochs=(epoch(1),)),
        record(3, TrialState.RUNNING, ended_ms=None),
    ]
    note = summary_note(sweep_config(trials=9), records)
    assert (
        "4 of 9 trials: 2 complete, 1 pruned, 0 diverged, 0 failed, 1 running. 4 epochs trained, 2 saved"
        in note
    )
    heading, _, *rows = note.splitlines()[-4:]
    assert heading == "| trial | val_acc | depth | lr |"
    assert rows == ["| trial-001 | 0.7500 | 3 | 0.01235 |", "| trial-000 | 0.2500 | 2 | 0.1 |"]


def test_the_note_of_a_sweep_that_freezes_tells_its_epochs_and_no_savings() -> None:
    frozen = record(
        0,
        TrialState.RUNNING,
        epochs=(epoch(1),),
        ended_ms=None,
        hand_outs=(HandOut(1, cost=1, reports=0, why="new"),),
    )
    note = summary_note(sweep_config(trials=None, budget="20x"), [frozen, record(1, value=0.5)])
    assert "2 trials: 1 complete, 1 frozen, 0 pruned, 0 diverged, 0 failed, 0 running. " in note
    assert note.splitlines()[0].endswith(" 1 of 60 epochs trained.")


def test_the_note_counts_a_retry_once_and_a_grid_as_what_it_holds() -> None:
    grid = sweep_config(trials=9, space=DISCRETE, sampler="grid")
    records = [
        record(0, value=0.25),
        record(1, TrialState.FAIL),
        record(2, value=0.5, retry_of=1),
        record(3, TrialState.FAIL),
    ]
    note = summary_note(grid, records)
    assert "3 of 6 trials: 2 complete, 0 pruned, 0 diverged, 1 failed, 0 running." in note


def test_a_note_of_nothing_has_no_table() -> None:
    assert "|" not in summary_note(sweep_config(), [])


def test_a_parameter_that_does_not_exist_is_a_dash() -> None:
    best = record(0, value=0.5, params={"optimizer": "adamw", "lr": 0.1})
    assert summary_note(sweep_config(space=CONDITIONAL), [best]).endswith("| adamw | 0.1 | - |")
    assert [shown(v) for v in (None, 0.123456, 3, "sgd", True)] == ["-", "0.1235", "3", "sgd", "True"]


def test_the_typical_time_is_the_median_of_trials_that_ended() -> None:
    records = [record(n, epochs=(epoch(1),) * times) for n, times in enumerate((1, 2, 9))]
    assert typical_seconds(records) == 4.0
    assert typical_seconds([running(records[0])]) is None


def told(error: Exception) -> str:
    """An error as the study keeps it."""
    try:
        raise error
    except Exception as raised:  # of whatever kind the caller has given
        return "".join(traceback.format_exception(raised)).strip()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            told(RuntimeError("CUDA error: no image\nCompile with TORCH_USE_CUDA_DSA\n")),
            "RuntimeError: CUDA error: no image",
        ),
        (told(ValueError("two\n\n  indented\n")), "ValueError: two"),
        (told(ExceptionGroup("several", [KeyError("a")])), "KeyError: 'a'"),
        ("worker died (attempt 3 of 3)", "worker died (attempt 3 of 3)"),
        ("", ""),
    ],
    ids=["advice below", "indented below", "group", "no traceback", "nothing"],
)
def test_a_cause_is_the_line_that_names_the_error(error: str, line: str) -> None:
    assert cause(error) == line


def test_causes_that_are_alike_are_told_once_with_their_trials() -> None:
    failed = [
        record(number, TrialState.FAIL, stop_reason=StopReason.ERROR, error=error)
        for number, error in enumerate(["ValueError: a", "ValueError: a", "KeyError: 'b'", "ValueError: a"])
    ]
    outside = record(5, TrialState.FAIL, stop_reason=StopReason.EXTERNAL)
    assert causes([*failed, record(4, value=0.5), outside]) == [
        "trial-000 and 2 more failed (error): ValueError: a",
        "trial-002 failed (error): KeyError: 'b'",
        "trial-005 failed (external)",
    ]
