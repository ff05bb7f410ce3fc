"""Is the best really best? The finalists of a sweep, trained again with fresh seeds and compared.

The best score of many noisy ones is too good on average (the winner's curse; Schneider et al.,
"Overtuning in Hyperparameter Optimization", arXiv:2506.19540). Fresh seeds owe nothing to that choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from search.config.sweep_config import SweepConfig, sweep_names
from search.driver import SweepResult
from search.engine.observers import Stop
from search.errors import SweepFailed, SweepInterrupted, UserError
from search.finalists.repeats import failure_summary, repeats_config, run_repeats
from search.policy.race import SURE, Arm
from search.policy.racing import RACE, SURE_TAG, Race
from search.results.statistics import Estimate, bounds, estimates
from search.results.summary import SweepSummary, summarise
from search.study.records import TrialRecord


@dataclass(frozen=True)
class Finalist:
    """A configuration as the sweep saw it and as fresh seeds see it.

    Attributes:
        record: its best trial in the sweep.
        values: scores of the fresh seeds that completed.
        failed: how many did not. Those that did tell too good a story, so it comes after all that have none.
        estimate: what the values say of its true mean; if any failed, without a probability to be best.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.results.statistics import estimates
        >>> record = TrialRecord(3, TrialState.COMPLETE, {"lr": 0.1}, value=0.80)
        >>> values = (0.77, 0.79)
        >>> finalist = Finalist(record, values, failed=0, estimate=estimates({3: list(values)})[3])
        >>> round(finalist.claimed, 2), round(finalist.optimism, 2)  # its value was partly luck
        (0.8, 0.02)
    """

    record: TrialRecord
    values: tuple[float, ...]
    failed: int
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
    """All finalists, the winner first.

    Attributes:
        finalists: those that there is a confirmed score of, at least one.
        unconfirmed: those of which no fresh seed completed.
        most: trainings that it might have taken, failed ones included.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.results.statistics import estimates
        >>> record = TrialRecord(3, TrialState.COMPLETE, {"lr": 0.1}, value=0.80)
        >>> estimate = estimates({3: [0.77, 0.79]})[3]
        >>> Confirmation((Finalist(record, (0.77, 0.79), 0, estimate),), most=2).winner.record.key
        'trial-003'
    """

    finalists: tuple[Finalist, ...]
    most: int
    unconfirmed: tuple[TrialRecord, ...] = ()

    @property
    def winner(self) -> Finalist:
        """The one with the best confirmed mean of those with the fewest failed seeds."""
        return self.finalists[0]

    @property
    def trained(self) -> int:
        """Trainings of the finalists that there is a score of, failed ones included."""
        return sum(len(finalist.values) + finalist.failed for finalist in self.finalists)

    @property
    def figures(self) -> dict[str, float | None]:
        """The winner's figures by the names that MLflow shows them under; those not known are None."""
        return {
            "confirmed_mean": self.winner.estimate.mean,
            "optimism": self.winner.optimism,
            "probability_best": self.winner.estimate.probability_best,
        }

    def to_json(self) -> list[dict[str, Any]]:
        """As plain JSON, the winner first; without the unconfirmed ones."""
        return [
            {
                "trial": finalist.record.number,
                "params": dict(finalist.record.params),
                "claimed": finalist.claimed,
                "optimism": finalist.optimism,
                "values": list(finalist.values),
                "failed": finalist.failed,
                **asdict(finalist.estimate),
            }
            for finalist in self.finalists
        ]


def confirm_config(
    summary: SweepSummary,
    finalists: Sequence[TrialRecord],
    seeds: int,
    sure: float = SURE,
    most: int | None = None,
) -> SweepConfig:
    """The race over seeds that confirms finalists on the sweep's own split, for as many epochs.

    It is the same one with more `seeds`, or to be surer: it then goes on.

    Args:
        summary: of the sweep.
        finalists: its trials that race.
        seeds: of each finalist, on average at most.
        sure: P(best) that ends the race before.
        most: trainings of all of them together, if fewer.

    Raises:
        UserError: as `repeats_config`, or `sure` is no such probability.
    """
    numbers = "-".join(f"{record.number:03d}" for record in finalists)
    if not 0.5 < sure <= 1:
        raise UserError(f"`sure={sure:g}`: give a probability above 0.5, and 1 at most")
    config = repeats_config(summary, "confirm", f"race-{numbers}", finalists, seeds)
    trials = ",".join(str(record.number) for record in finalists)
    tags = {"sweep.of_trials": trials, SURE_TAG: f"{sure:g}"}
    trainings = config.trials if most is None else most
    return config.model_copy(update={"tags": config.tags | tags, "trials": trainings})


def confirm(
    config: SweepConfig,
    finalists: Sequence[TrialRecord],
    *,
    retry_failed: bool = False,
) -> tuple[Confirmation, SweepResult]:
    """Train the finalists with fresh seeds and compare them; after a crash it continues where it was.

    Args:
        config: as from `confirm_config`.
        finalists: the trials that it was made of.
        retry_failed: first train again what failed when this was run before.

    Raises:
        UserError: as `run_sweep`.
        SweepInterrupted: by Ctrl-C or SIGTERM.
        SweepFailed: it was stopped otherwise, too many trainings failed to go on, or all of them.
    """
    result = run_repeats(config, retry_failed=retry_failed)
    # Trainings that failed again one after the other stop the driver, though nothing is left to train.
    if result.stop not in (None, Stop.FAILURES):
        kind = SweepInterrupted if result.stop is Stop.INTERRUPTED else SweepFailed
        raise kind(f"confirming was stopped ({result.stop.value}): run the command again to continue")
    confirmation = confirmed(config, result.records, finalists)
    if confirmation is None:
        raise SweepFailed(
            f"the finalists could not be confirmed: {failure_summary(result.records)}: "
            "run the command again to train those once more, or choose another finalist with `trial`"
        )
    return confirmation, result


def confirmed(
    config: SweepConfig, records: Sequence[TrialRecord], finalists: Sequence[TrialRecord]
) -> Confirmation | None:
    """What the trainings of a confirmation say; None while some have not ended, or none has completed.

    Args:
        config: of the confirmation.
        records: its trainings.
        finalists: the trials that it was made of.
    """
    race = Race.of(config)
    arms = race.arms(records)
    if not race.is_over(records) or not any(arm.values for arm in arms):
        return None
    return _compare(finalists, arms, config)


def newest_confirmation(summary: SweepSummary) -> Confirmation | None:
    """What is known of a sweep's finalists: its newest confirmation of which all seeds were trained."""
    folder = summary.config.folder / "confirm"
    names = sorted(sweep_names(folder), key=lambda name: (folder / name).stat().st_mtime)
    records = {record.number: record for record in summary.records}
    for name in reversed(names):
        try:
            confirming = summarise(name, folder)
        except UserError:  # killed before it had a study: it tells nothing
            continue
        finalists = [records[int(number)] for number in confirming.config.tags["sweep.of_trials"].split(",")]
        confirmation = confirmed(confirming.config, confirming.records, finalists)
        if confirmation is not None:
            return confirmation
    return None


def _compare(finalists: Sequence[TrialRecord], arms: Sequence[Arm], config: SweepConfig) -> Confirmation:
    """Rank finalists by failed seeds, then by mean; of equal ones the one that the sweep liked better.

    A configuration that diverges with some seeds is known by the luckier ones only: by their mean it could
    win, to diverge again when it is retrained.
    """
    goal, raced = config.goal, config.sampler == RACE
    within = bounds(goal.metric, chain.from_iterable(arm.values for arm in arms))
    whole = {place: arm.values for place, arm in enumerate(arms) if arm.values and not arm.failed}
    rest = {place: arm.values for place, arm in enumerate(arms) if arm.values and arm.failed}
    estimate_all = partial(
        estimates, maximise=goal.maximises, within=within, images=config.validation_images, raced=raced
    )
    estimated = estimate_all(whole)
    for place, estimate in estimate_all(rest).items():
        estimated[place] = replace(estimate, probability_best=None)
    compared = [
        Finalist(finalists[place], tuple(arms[place].values), arms[place].failed, estimate)
        for place, estimate in sorted(estimated.items())
    ]
    compared.sort(key=lambda finalist: (finalist.failed, goal.sort_key(finalist.estimate.mean)))
    unconfirmed = [record for record, arm in zip(finalists, arms, strict=True) if not arm.values]
    return Confirmation(tuple(compared), config.most_trials, tuple(unconfirmed))
