"""Is the best really best? The finalists of a sweep, trained again with fresh seeds and compared.

The best score of many noisy ones is too good on average (the winner's curse; Schneider et al.,
"Overtuning in Hyperparameter Optimization", arXiv:2506.19540). Fresh seeds owe nothing to that choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

from optuna.trial import TrialState

from search.config.goals import Goal
from search.config.sweep_config import SweepConfig, sweep_names
from search.driver import SweepResult
from search.engine.observers import Stop
from search.errors import SweepFailed, SweepInterrupted, UserError
from search.finalists.repeats import failure_summary, repeats_config, run_repeats
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

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.results.statistics import estimates
        >>> record = TrialRecord(3, TrialState.COMPLETE, {"lr": 0.1}, value=0.80)
        >>> estimate = estimates({3: [0.77, 0.79]})[3]
        >>> Confirmation((Finalist(record, (0.77, 0.79), 0, estimate),)).winner.record.key
        'trial-003'
    """

    finalists: tuple[Finalist, ...]
    unconfirmed: tuple[TrialRecord, ...] = ()

    @property
    def winner(self) -> Finalist:
        """The one with the best confirmed mean of those with the fewest failed seeds."""
        return self.finalists[0]

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


def confirm_config(summary: SweepSummary, finalists: Sequence[TrialRecord], seeds: int) -> SweepConfig:
    """The sweep over seeds that confirms finalists on the sweep's own split, for as many epochs.

    Raises:
        UserError: as `repeats_config`.
    """
    numbers = "-".join(f"{record.number:03d}" for record in finalists)
    label = f"{numbers}-x{seeds}"
    config = repeats_config(summary, "confirm", label, finalists, seeds)
    trials = ",".join(str(record.number) for record in finalists)
    return config.model_copy(update={"tags": config.tags | {"sweep.of_trials": trials}})


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
    ended = {(each.params["arm"], each.params["repeat"]) for each in records if each.state.is_finished()}
    arms: dict[int, list[float]] = {arm: [] for arm in range(len(finalists))}
    for record in records:
        if record.state is TrialState.COMPLETE and record.value is not None:
            arms[record.params["arm"]].append(record.value)
    if len(ended) < config.most_trials or not any(arms.values()):
        return None
    return _compare(finalists, arms, config.most_trials // len(finalists), config.goal)


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


def _compare(
    finalists: Sequence[TrialRecord], arms: dict[int, list[float]], seeds: int, goal: Goal
) -> Confirmation:
    """Rank finalists by failed seeds, then by mean; of equal ones the one that the sweep liked better.

    A configuration that diverges with some seeds is known by the luckier ones only: by their mean it could
    win, to diverge again when it is retrained.
    """
    within = bounds(goal.metric, chain.from_iterable(arms.values()))
    whole = {arm: values for arm, values in arms.items() if len(values) == seeds}
    rest = {arm: values for arm, values in arms.items() if 0 < len(values) < seeds}
    estimated = estimates(whole, maximise=goal.maximises, within=within)
    for arm, estimate in estimates(rest, maximise=goal.maximises, within=within).items():
        estimated[arm] = replace(estimate, probability_best=None)
    compared = [
        Finalist(finalists[arm], tuple(arms[arm]), seeds - len(arms[arm]), estimate)
        for arm, estimate in sorted(estimated.items())
    ]
    compared.sort(key=lambda finalist: (finalist.failed, goal.sort_key(finalist.estimate.mean)))
    unconfirmed = [record for arm, record in enumerate(finalists) if not arms[arm]]
    return Confirmation(tuple(compared), tuple(unconfirmed))
