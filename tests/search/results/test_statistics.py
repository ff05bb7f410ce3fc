"""Intervals and probabilities obey what they must, and agree with textbook values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from search.results.statistics import Estimate, difference_interval, estimates, spreads

values = st.lists(st.floats(0.1, 0.9), min_size=2, max_size=5)
arms = st.dictionaries(st.integers(0, 9), values, min_size=2, max_size=4)


def test_one_arm_has_students_interval() -> None:
    measured = [0.71, 0.74, 0.72, 0.75]
    found = estimates({7: measured})[7]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(measured), scale=stats.sem(measured))
    assert (found.n, found.mean) == (4, pytest.approx(0.73))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.deviation == pytest.approx(np.std(measured, ddof=1))
    assert found.probability_best == 1.0


def test_accuracies_share_their_spread_and_the_probability_is_that_of_the_t_test() -> None:
    """With so many seeds that what is measured outweighs the rule."""
    rng = np.random.default_rng(1)
    a, b = (list(rng.normal(mean, 0.02, size=400)) for mean in (0.8, 0.801))
    found = estimates({0: a, 1: b}, images=400)
    pooled = math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
    assert found[0].high is not None
    assert found[0].high - found[0].mean == pytest.approx(stats.t.ppf(0.975, 802) * pooled / 20, rel=0.01)
    one_sided = stats.ttest_ind(b, a, alternative="greater").pvalue
    assert found[0].probability_best == pytest.approx(one_sided, abs=0.005)


def test_without_a_rule_each_has_its_own_spread_and_the_others_count_for_one_degree() -> None:
    a, b = [0.70, 0.72, 0.71], [0.5, 0.9, 0.7]
    own, other = np.var(a, ddof=1), np.var(b, ddof=1)
    first, second = spreads([a, b], images=None)
    assert (first.freedom, second.freedom) == (3, 3)
    assert first.deviation == pytest.approx(math.sqrt((2 * own + other) / 3))
    assert second.deviation == pytest.approx(math.sqrt((2 * other + own) / 3))
    found = estimates({0: a, 1: b})[1]
    assert found.high is not None
    half = stats.t.ppf(0.975, 3) * second.deviation / math.sqrt(3)
    assert found.high - found.mean == pytest.approx(half)
    rng = np.random.default_rng(2)
    errors = [rng.standard_t(3, 400_000) * each.deviation / math.sqrt(3) for each in (first, second)]
    assert found.probability_best == pytest.approx((0.7 + errors[1] > 0.71 + errors[0]).mean(), abs=0.005)


def test_a_single_measurement_each_leaves_everything_open() -> None:
    assert estimates({0: [0.5], 1: [0.6]}) == {
        0: Estimate(1, 0.5, None, None, None, None),
        1: Estimate(1, 0.6, None, None, None, None),
    }


@pytest.mark.parametrize("images", [None, 400])
def test_without_arms_there_is_nothing_to_compare(images: int | None) -> None:
    assert estimates({}, images=images) == {}


def test_a_single_measurement_borrows_the_spread_of_the_others() -> None:
    found = estimates({0: [0.5], 1: [0.60, 0.62, 0.61]})
    assert found[0].deviation is None
    assert found[0].low is not None
    assert found[0].mean - found[0].low == pytest.approx(stats.t.ppf(0.975, 1) * 0.01)


def test_the_spread_of_accuracies_is_known_by_rule_and_corrected_by_what_is_measured() -> None:
    once = estimates({0: [0.8], 1: [0.7]}, images=400)[0]
    assert once.high is not None
    assert once.high - 0.8 == pytest.approx(stats.t.ppf(0.975, 4) * 0.02)
    assert once.probability_best == pytest.approx(stats.t.cdf(0.1 / 0.02 / math.sqrt(2), 4), abs=0.005)
    wider = estimates({0: [0.7, 0.9], 1: [0.6, 0.8]}, images=400)[0]
    assert wider.high is not None
    deviation = math.sqrt((4 * 0.02**2 + 2 * 0.02) / 6)
    assert wider.high - 0.8 == pytest.approx(stats.t.ppf(0.975, 6) * deviation / math.sqrt(2))


def test_the_rule_is_of_shares_and_says_nothing_of_percent() -> None:
    measured = {0: [80.0, 82.0], 1: [70.0, 73.0]}
    assert estimates(measured, images=400) == estimates(measured)


def test_arms_without_spread_share_the_probability_of_a_tie() -> None:
    found = estimates({0: [0.5, 0.5], 1: [0.5, 0.5], 2: [0.4, 0.4]})
    assert [found[arm].probability_best for arm in range(3)] == [0.5, 0.5, 0.0]


@settings(max_examples=25, deadline=None)
@given(arms)
def test_probabilities_add_up_and_the_best_mean_has_the_most_at_equal_n(
    measured: dict[int, list[float]],
) -> None:
    shortest = min(len(each) for each in measured.values())
    equal = {arm: each[:shortest] for arm, each in measured.items()}
    found = estimates(equal)
    chances = {arm: estimate.probability_best or 0.0 for arm, estimate in found.items()}
    assert sum(chances.values()) == pytest.approx(1.0)
    top = max(found, key=lambda arm: found[arm].mean)
    assert chances[top] >= max(chances.values()) - 0.01


@settings(max_examples=25, deadline=None)
@given(arms, st.floats(-1, 1), st.floats(0.1, 10))
def test_shift_and_scale_carry_over(measured: dict[int, list[float]], shift: float, scale: float) -> None:
    before = estimates(measured)
    after = estimates({arm: [shift + scale * value for value in each] for arm, each in measured.items()})
    for arm, found in before.items():
        assert found.low is not None
        assert after[arm].low == pytest.approx(shift + scale * found.low, abs=1e-9)
        assert after[arm].probability_best == pytest.approx(found.probability_best, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(arms)
def test_minimising_is_maximising_the_negative(measured: dict[int, list[float]]) -> None:
    smallest = estimates(measured, maximise=False)
    largest = estimates({arm: [-value for value in each] for arm, each in measured.items()})
    for arm in measured:
        assert smallest[arm].probability_best == pytest.approx(largest[arm].probability_best, abs=0.01)


def test_a_difference_needs_the_spread_of_both_sides() -> None:
    assert difference_interval([0.7], [0.6, 0.61], 10_000) is None
    clear = difference_interval([0.80, 0.81, 0.80], [0.60, 0.61, 0.60], 10_000)
    assert clear is not None
    assert 0.15 < clear[0] < 0.2 < clear[1] < 0.25
    unclear = difference_interval([0.66, 0.62], [0.61, 0.65], 10_000)
    assert unclear is not None
    assert unclear[0] < 0 < unclear[1]


def test_without_any_spread_a_difference_has_the_binomial_error() -> None:
    found = difference_interval([0.5, 0.5], [0.5, 0.5], 1000)
    assert found == pytest.approx((-1.96 * math.sqrt(0.5 / 1000), 1.96 * math.sqrt(0.5 / 1000)), abs=1e-4)


def test_an_interval_is_cut_to_what_a_mean_can_be() -> None:
    found = estimates({0: [0.98, 1.0], 1: [0.02, 0.0]}, within=(0.0, 1.0))
    assert (found[0].high, found[1].low) == (1.0, 0.0)
    assert found[0].low == pytest.approx(estimates({0: [0.98, 1.0], 1: [0.02, 0.0]})[0].low)
