"""Curves in arrays: what is looked at of each, and that it makes no difference in which steps they came."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.policy.curves.table import Curve, Curves, CurveTable


def curve(*values: float, failed: bool = False, x: float = 0.5) -> Curve:
    return Curve(np.array([x]), tuple(range(1, len(values) + 1)), values, failed)


def table(*curves: Curve) -> CurveTable:
    made = CurveTable(dimensions=1)
    for number, each in enumerate(curves):
        made.put(number, each)
    return made


def same(one: Curves, other: Curves) -> bool:
    """Whether they are the same, however much room there is beyond what is looked at."""
    most = max(one.epochs.shape[1], other.epochs.shape[1])

    def columns(curves: Curves, name: str) -> np.ndarray:
        rows = np.where(curves.epochs > 0, getattr(curves, name), 0)
        return np.pad(rows, [(0, 0), (0, most - rows.shape[1])])

    wide = ("epochs", "values")
    return all(np.array_equal(columns(one, name), columns(other, name)) for name in wide) and all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(Curves)
        if field.name not in wide
    )


def test_of_a_curve_the_epochs_1_3_9_and_the_last_are_looked_at() -> None:
    curves = table(curve(*np.linspace(1, 0, 11))).curves()
    assert curves.epochs[curves.epochs > 0].tolist() == [1, 3, 9, 11]
    assert (curves.lengths[0], curves.lasts[0], curves.bests[0]) == (11, 0, 0)


def test_a_trial_that_failed_has_the_worst_value_in_the_epoch_after_its_last() -> None:
    curves = table(curve(0.4, 0.2, failed=True), curve(failed=True)).curves()
    assert [row[row > 0].tolist() for row in curves.epochs] == [[1, 2, 3], [1]]
    assert curves.values[0, :3].tolist() == [0.4, 0.2, math.inf]
    assert curves.lasts.tolist() == [math.inf] * 2
    assert curves.bests.tolist() == [0.2, math.inf]


def test_trials_without_a_curve_and_those_left_out_are_not_among_them() -> None:
    made = table(curve(0.1), curve(), curve(0.3), curve(0.4))
    made.drop(3)
    assert made.curves().numbers.tolist() == [0, 2]
    assert made.curves(but=0).numbers.tolist() == [2]


CURVES = st.builds(
    lambda values, failed: curve(*values, failed=failed),
    st.lists(st.floats(0, 1), max_size=30),
    st.booleans(),
)


@given(st.lists(st.tuples(st.integers(0, 40), CURVES), max_size=20))
def test_a_table_that_was_changed_is_as_one_made_anew(changes: list[tuple[int, Curve]]) -> None:
    changed, anew = CurveTable(dimensions=1), CurveTable(dimensions=1)
    for number, each in changes:
        changed.put(number, each)
    for number, each in dict(changes).items():
        anew.put(number, each)
    assert same(changed.curves(), anew.curves())
