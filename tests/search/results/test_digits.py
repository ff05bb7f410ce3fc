"""Numbers are told apart wherever they differ, and are short where four digits do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.results.digits import all_shown, score, scores, shown

numbers = st.floats(-1e300, 1e300)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.9123, 0.5], ["0.9123", "0.5000"]),
        ([0.91231, 0.91232, 0.5], ["0.91231", "0.91232", "0.50000"]),
        ([1.25e-9, 3.5e-9], ["1.250e-09", "3.500e-09"]),
        ([1.00001e-9, 1.00002e-9], ["1.00001e-09", "1.00002e-09"]),
        ([0.7, 0.7, None], ["0.7000", "0.7000", "-"]),
        ([2.3026, 12345.6, 5e7, 0.0], ["2.3026", "12345.6000", "5.000e+07", "0.0000"]),
        ([-0.5, -1e-12, -0.0], ["-0.5000", "-1.000e-12", "0.0000"]),
        ([], []),
    ],
)
def test_a_column_of_scores(values: list[float | None], told: list[str]) -> None:
    assert scores(values) == told


def test_signs_are_told_where_they_are_asked_for() -> None:
    assert scores([0.01, -0.01, 0.0, 2e-9], sign=True) == ["+0.0100", "-0.0100", "+0.0000", "+2.000e-09"]


def test_a_column_of_a_parameter() -> None:
    assert all_shown([0.012345, 0.0123451, 3, "sgd", None, True]) == [
        *("0.012345", "0.0123451", "3", "sgd", "-", "True")
    ]
    assert all_shown([0.123456, 0.2]) == ["0.1235", "0.2"]
    assert shown(0.9999) == "0.9999"


@given(st.lists(numbers))
def test_different_numbers_never_read_alike(values: list[float]) -> None:
    for write in (scores, all_shown):
        told = write(values)
        assert len(set(told)) == len(set(values))
        assert [float(text) for text in told] == pytest.approx(values, rel=1e-3, abs=5e-5)


@given(numbers)
def test_what_is_not_nothing_does_not_read_as_nothing(value: float) -> None:
    assert (float(score(value)) == 0) == (value == 0)
