"""What a sweep found: leaderboard, importances, what pruning saved, the history of the best."""

from __future__ import annotations

import re
import statistics
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from search.config.goals import Goal
from search.config.sweep_config import SweepConfig
from search.results.columns import Columns
from search.results.digits import all_shown, scores
from search.results.freezing import freezes
from search.results.size import epochs_used, trials_used
from search.study.records import Outcome, TrialRecord, not_retried, ranked

_NOTED = 5  # trials in a sweep's note
_FEWEST_FOR_IMPORTANCE = 5  # complete trials that have a parameter; with fewer its importance is noise


@dataclass(frozen=True)
class Best:
    """The best value once a trial had ended, and all that come before it in the history.

    Example:
        >>> records = [
        ...     TrialRecord(number, TrialState.COMPLETE, {}, value=value, ended_ms=1000 * number)
        ...     for number, value in enumerate((0.5, 0.7, 0.6))
        ... ]
        >>> best_so_far(records, Goal("val_acc", "maximize"))[-1]
        Best(number=2, value=0.7, ended_ms=2000)
    """

    number: int  # of the trial; where trials freeze, of trials that had completed before it
    value: float
    ended_ms: int


@dataclass(frozen=True)
class Savings:
    """What pruning saved, measured against training every pruned trial to its end.

    Example:
        >>> from search.study.records import Epoch
        >>> epoch = Epoch(1, {"val_acc": 0.2, "epoch_s": 3.0}, timestamp_ms=3000, worker="host:1")
        >>> savings([TrialRecord(0, TrialState.PRUNED, {}, (epoch,))], max_epochs=9)
        Savings(epochs_run=1, epochs_saved=8, seconds_run=3.0, seconds_saved=24.0)
    """

    epochs_run: int
    epochs_saved: int
    seconds_run: float
    seconds_saved: float  # each pruned trial's missing epochs at its own mean time an epoch


def best_so_far(records: Sequence[TrialRecord], goal: Goal) -> list[Best]:
    """The history of the best value by trial number, as far as all trials have ended.

    A trial counts once every trial before it has ended, so that the history only ever grows at its end
    and comes out the same whenever it is made. One that waits for its start has a number and no record yet.
    Where trials freeze, most end with the sweep: there those that completed are counted, as they did.
    """
    if freezes(records):
        return _best_by_completion(records, goal)
    history: list[Best] = []
    best, ended_ms = None, 0
    for number, record in enumerate(sorted(records, key=lambda record: record.number)):
        if record.number != number or record.ended_ms is None:
            break
        ended_ms = max(ended_ms, record.ended_ms)
        if record.value is not None and (best is None or goal.better(record.value, than=best)):
            best = record.value
        if best is not None:
            history.append(Best(record.number, best, ended_ms))
    return history


def _best_by_completion(records: Sequence[TrialRecord], goal: Goal) -> list[Best]:
    complete = [record for record in records if record.state is TrialState.COMPLETE]
    history: list[Best] = []
    for place, record in enumerate(sorted(complete, key=lambda each: (each.ended_ms or 0, each.number))):
        value = record.value or 0.0
        before = history[-1].value if history else value
        best = value if goal.better(value, than=before) else before
        history.append(Best(place, best, record.ended_ms or 0))
    return history


def savings(records: Sequence[TrialRecord], max_epochs: int) -> Savings:
    """What pruning saved in epochs and seconds of training."""
    saved_epochs, saved_seconds = 0, 0.0
    for record in records:
        if record.outcome is Outcome.PRUNED:  # one that diverged had nothing left to train
            missing = max_epochs - len(record.epochs)
            saved_epochs += missing
            saved_seconds += missing * record.train_seconds / max(1, len(record.epochs))
    return Savings(
        epochs_run=sum(len(record.epochs) for record in records),
        epochs_saved=saved_epochs,
        seconds_run=sum(record.train_seconds for record in records),
        seconds_saved=saved_seconds,
    )


def counts(records: Sequence[TrialRecord]) -> dict[Outcome, int]:
    """How many trials there are of each outcome."""
    return {outcome: sum(record.outcome is outcome for record in records) for outcome in Outcome}


def outcomes(records: Sequence[TrialRecord]) -> str:
    """How many trials there are of each outcome, in words: `12 complete, 3 pruned`; empty without trials."""
    return ", ".join(f"{count} {outcome}" for outcome, count in counts(records).items() if count)


def latest(record: TrialRecord, metric: str) -> float | None:
    """A trial's value or, if it did not complete, what it last reported; None before its first epoch."""
    if record.value is not None:
        return record.value
    return record.epochs[-1].metrics[metric] if record.epochs else None


def importances(study: optuna.Study) -> dict[str, float]:
    """Each parameter's share of what tells the best trials from the rest, largest first; empty if guesswork.

    PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255): how its values among the best tenth
    differ from those among all. It is no share of the value's variance.
    """
    # Here, for it takes a second of scikit-learn.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _FEWEST_FOR_IMPORTANCE or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        # It warns of a conditional parameter that few trials have; those are left out below.
        warnings.simplefilter("ignore", UserWarning)
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    having = Counter(name for trial in complete for name in trial.params)
    enough = {name: share for name, share in shares.items() if having[name] >= _FEWEST_FOR_IMPORTANCE}
    total = sum(enough.values())
    return {name: share / total for name, share in enough.items()} if total else {}


def summary_note(config: SweepConfig, records: Sequence[TrialRecord]) -> str:
    """A sweep in a few lines of Markdown."""
    count = counts(not_retried(records))
    frozen = f"{count[Outcome.FROZEN]} frozen, " if count[Outcome.FROZEN] else ""
    lines = [
        f"**{config.name}**: {trials_used(config, records)}: {count[Outcome.COMPLETE]} complete, {frozen}"
        f"{count[Outcome.PRUNED]} pruned, {count[Outcome.DIVERGED]} diverged, "
        f"{count[Outcome.FAILED]} failed, {count[Outcome.RUNNING]} running. "
        f"{cost_text(config, records)}.",
    ]
    best = ranked(records, config.goal)[:_NOTED]
    if best:
        columns = Columns.of([config], ["trial"])
        headings = ["trial", columns.metrics[config.metric], *columns.params.values()]
        lines += ["", f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in leading(best, columns.params)]
    return "\n".join(lines)


def cost_text(config: SweepConfig, records: Sequence[TrialRecord]) -> str:
    """What a sweep has trained, and what pruning saved: nothing where trials freeze instead."""
    trained = epochs_used(config, records)
    saved = savings(records, config.max_epochs).epochs_saved
    return trained if freezes(records) else f"{trained}, {saved} saved by pruning"


def cause(error: str) -> str:
    """The line of an error's text that names it: after a traceback's last frame, or else the last line.

    An exception's own text may go on for lines of advice below its name.
    """
    lines = [line for line in error.splitlines() if any(map(str.isalnum, line))]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    after = lines[frames[-1] + 1 :] if frames else []
    named = next((line for line in after if not line.startswith(" ")), "".join(lines[-1:]))
    return named.strip(" |")  # an exception group draws a frame


def place_of_fault(error: str) -> str:
    """Where an error's text says that it arose, outside of installed libraries; empty if it does not.

    >>> place_of_fault('  File "mine.py", line 3, in train\\nValueError: no such file')
    ' (mine.py, line 3, in train)'
    """
    frames = re.findall(r'^  File "(.*)", line (\d+), in (.*)$', error, re.MULTILINE)
    own = [frame for frame in frames if not re.search(r"[\\/](site-packages|lib[\\/]python)", frame[0])]
    return f" ({own[-1][0]}, line {own[-1][1]}, in {own[-1][2]})" if own else ""


def failure_text(record: TrialRecord) -> str:
    """`failed (error): ValueError: no such file`; a trial that was ended from outside has no error."""
    why = cause(record.error) if record.error else ""
    return f"failed ({record.stop_reason}){': ' if why else ''}{why}"


def causes(records: Sequence[TrialRecord]) -> list[str]:
    """Why trials failed, a line for each distinct cause with the trials that it ended.

    `trial-000 and 2 more failed (error): ValueError: no such file`
    """
    trials: dict[str, list[str]] = {}  # by cause
    for record in records:
        if record.outcome is Outcome.FAILED:
            trials.setdefault(failure_text(record), []).append(record.key)
    return [f"{keys[0]}{_and_more(keys)} {why}" for why, keys in trials.items()]


def leading(best: Sequence[TrialRecord], params: Iterable[str]) -> list[list[str]]:
    """Trials as rows of text, told apart by enough digits: key, value, parameters."""
    cells = [[record.key for record in best], scores([record.value for record in best])]
    cells += [all_shown([record.params.get(name) for record in best]) for name in params]
    return [list(row) for row in zip(*cells, strict=True)]


def typical_seconds(records: Sequence[TrialRecord]) -> float | None:
    """The median training time of the trials that have ended; None if there are none."""
    seconds = [record.train_seconds for record in records if record.ended_ms is not None]
    return statistics.median(seconds) if seconds else None


def _and_more(keys: Sequence[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""
