"""Which state of a trial follows which, and in which one each reason ends it."""

from __future__ import annotations

import itertools

import pytest
from optuna.trial import TrialState

from search.study.records import StopReason
from search.study.transitions import IllegalTransition, TrialEnd, check_transition

ENDS = {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
LEGAL = {
    (TrialState.WAITING, TrialState.RUNNING),
    (TrialState.WAITING, TrialState.FAIL),
    *((TrialState.RUNNING, end) for end in ENDS),
}


@pytest.mark.parametrize(("now", "then"), [*itertools.product(TrialState, repeat=2)])
def test_no_other_state_follows(now: TrialState, then: TrialState) -> None:
    if (now, then) in LEGAL:
        check_transition(7, now, then)
    else:
        with pytest.raises(IllegalTransition, match=f"trial 7 is {now.name} and cannot become {then.name}"):
            check_transition(7, now, then)


@pytest.mark.parametrize("reason", StopReason)
def test_a_trial_is_complete_if_it_finished_and_pruned_if_it_is_a_result_all_the_same(
    reason: StopReason,
) -> None:
    end = TrialEnd(reason)
    results = {
        StopReason.FINISHED: (TrialState.COMPLETE, "complete"),
        StopReason.EARLY: (TrialState.COMPLETE, "complete"),
        StopReason.PRUNED: (TrialState.PRUNED, "prune"),
        StopReason.DIVERGED: (TrialState.PRUNED, "prune"),
    }
    assert (end.state, end.write) == results.get(reason, (TrialState.FAIL, "fail"))
