"""Is the best really best? The finalists of a sweep, trained again with fresh seeds and compared.

The best score of many noisy ones is too good on average (the winner's curse; Schneider et al.,
"Overtuning in Hyperparameter Optimization", arXiv:2506.19540). Fresh seeds owe nothing to that choice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import TrialState

from search.comparison import SweepSummary
from search.config import SweepConfig
from search.dispatch import Observer
from search.driver import SweepResult, run_sweep
from search.errors import SweepFailed, UserError
from search.records import TrialRecord
from search.repeats import repeats_config
from search.statistics import Estimate, estimates


@dataclass(frozen=True)
class Finalist:
    """A configuration as the sweep saw it and as fresh seeds see it.

    Attributes:
        record: its best trial in the sweep.
        values: scores of the fresh seeds.
        estimate: what they say of its true mean.
    """

    record: TrialRecord
    values: tuple[float, ...]
    estimate: Estimate

    @property
    def claimed(self) -> float | None:
        """What the trial scored in the sweep; None if it did not complete and was asked for by number."""
        return self.record.value

    @property
    def optimism(self) -> float | None:
        """Claimed minus confirmed mean: how far luck carried the trial in the sweep."""
        return None if self.claimed is None else self.claimed - self.estimate.mean


@dataclass(frozen=True)
class Confirmation:
    """All finalists, the winner first."""

    finalists: tuple[Finalist, ...]

    @property
    def winner(self) -> Finalist:
        """The one with the best confirmed mean."""
        return self.finalists[0]

    def to_json(self) -> list[dict[str, Any]]:
        """As plain JSON, the winner first."""
        return [
            {
                "trial": finalist.record.number,
                "params": dict(finalist.record.params),
                "claimed": finalist.claimed,
                "optimism": finalist.optimism,
                "values": list(finalist.values),
                **asdict(finalist.estimate),
            }
            for finalist in self.finalists
        ]


def choose_finalists(summary: SweepSummary, top: int, number: int | None = None) -> list[TrialRecord]:
    """The best distinct configurations of a sweep, one trial each, or the one that was asked for.

    A configuration that was tried more than once is one finalist, by its best trial.

    Raises:
        UserError: no trial has completed, or there is no such trial.
    """
    if number is not None:
        by_number = {record.number: record for record in summary.records}
        if number not in by_number:
            there = f"trials 0 to {max(by_number)}" if by_number else "no trials yet"
            raise UserError(f"--trial {number}: sweep {summary.config.name!r} has {there}")
        return [by_number[number]]
    if not summary.leaderboard:
        raise UserError(
            f"sweep {summary.config.name!r} has no completed trial yet: resume it, or name --trial"
        )
    distinct: dict[str, TrialRecord] = {}
    for record in summary.leaderboard:
        distinct.setdefault(json.dumps(dict(record.params), sort_keys=True), record)
    return list(distinct.values())[:top]


def confirm_config(summary: SweepSummary, finalists: Sequence[TrialRecord], seeds: int) -> SweepConfig:
    """The sweep over seeds that confirms finalists on the sweep's own split, for as many epochs.

    Raises:
        UserError: as `repeats_config`.
    """
    numbers = "-".join(f"{record.number:03d}" for record in finalists)
    name = f"{summary.config.name}.confirm-{numbers}-x{seeds}"
    config = repeats_config(summary, "confirm", name, finalists, seeds, summary.config.max_epochs)
    trials = ",".join(str(record.number) for record in finalists)
    return config.model_copy(update={"tags": config.tags | {"sweep.of_trials": trials}})


def confirm(
    config: SweepConfig, finalists: Sequence[TrialRecord], observers: Sequence[Observer] = ()
) -> tuple[Confirmation, SweepResult]:
    """Train the finalists with fresh seeds and compare them; after a crash it goes on where it was.

    Raises:
        UserError: as `run_sweep`.
        SweepFailed: a training was stopped, or no seed of a finalist completed.
    """
    result = run_sweep(config, observers=observers)
    if result.stop is not None:
        raise SweepFailed(f"confirming was stopped ({result.stop.value}): run the command again to go on")
    arms: dict[int, list[float]] = {arm: [] for arm in range(len(finalists))}
    for record in result.records:
        if record.state is TrialState.COMPLETE and record.value is not None:
            arms[record.params["arm"]].append(record.value)
    for arm, values in arms.items():
        if not values:
            raise SweepFailed(
                f"no training of finalist {finalists[arm].key} completed; see the errors above, "
                "or choose another with --trial"
            )
    return compare(finalists, arms, config.direction), result


def compare(finalists: Sequence[TrialRecord], arms: dict[int, list[float]], direction: str) -> Confirmation:
    """Rank finalists by the mean of their fresh seeds; of equal ones the one that the sweep liked better."""
    maximise = direction == "maximize"
    # What is maximised is an accuracy, what is minimised a loss.
    found = estimates(arms, maximise=maximise, within=(0.0, 1.0 if maximise else math.inf))
    compared = [Finalist(record, tuple(arms[arm]), found[arm]) for arm, record in enumerate(finalists)]
    sign = -1.0 if maximise else 1.0
    return Confirmation(tuple(sorted(compared, key=lambda finalist: sign * finalist.estimate.mean)))
