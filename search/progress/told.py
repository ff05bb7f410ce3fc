"""What is said of a sweep in lines: its start, what is waited for, each trial's end, a stop."""

from __future__ import annotations

import math
import time

from search.config.sweep_config import SweepConfig
from search.engine.observers import Stop
from search.policy.racing import RACE
from search.progress.naming import Naming
from search.results.digits import human_seconds, score, shown
from search.results.freezing import Choice, newest_choice, thaws_text
from search.results.leaderboard import cause, latest
from search.study.records import Outcome, TrialRecord


def headline(config: SweepConfig, naming: Naming) -> str:
    """What is about to run."""
    data, note = "its own data", config.dataset
    if note is not None:
        sizes = f"{note.sizes['train']:,} train, {note.sizes['val']:,} val"
        if config.kind == "retrain":
            sizes = f"{note.sizes['train'] + note.sizes['val']:,} train, with the validation images"
        data = f"{note.name} ({sizes})"
    return f"{_what(config, naming)}, {config.goal}, {data}"


def _what(config: SweepConfig, naming: Naming) -> str:
    if naming.repeated is None:
        return f"{config.kind} {config.name}: {config.size_text}"
    trials, seeds = naming.repeated
    often = "one seed" if seeds == 1 else f"{seeds} seeds"
    each = " each" if len(trials) > 1 else ""
    if config.sampler == RACE and len(trials) > 1:
        often, each = f"up to {config.most_trials} seeds", ""
    doing = {"confirm": "confirming", "retrain": "retraining"}[config.kind]
    of = config.tags.get("sweep.of", config.name)
    return f"{doing} {', '.join(trials)} of {of} with {often}{each}, {config.max_epochs} epochs"


def end_line(record: TrialRecord, config: SweepConfig, naming: Naming, is_best: bool) -> str:
    """How a trial ended or froze, short: for the lines above a live table."""
    value, name = score(latest(record, config.metric)), naming.see(record)
    if naming.repeated is not None:  # what these are trained for is not what the sweep was
        value, name = f"{config.metric} {value}", f"{name}:"
    done = f"at {len(record.epochs)}/{config.max_epochs}"
    match record.outcome:
        case Outcome.COMPLETE:
            early = "" if len(record.epochs) == config.max_epochs else f" {done}"
            return f"{name} complete{early}, {value}{', the best so far' if is_best else ''}"
        case Outcome.FAILED | Outcome.DIVERGED:
            reason = f" ({record.stop_reason})" if record.outcome is Outcome.FAILED else ""
            why = f": {cause(record.error)}" if record.error else ""
            return f"{name} {record.outcome}{reason} {done}{why}"
        case outcome:
            return f"{name} {outcome} {done}, {value}"


def end_text(record: TrialRecord, config: SweepConfig, naming: Naming) -> str:
    """The same with all that is known of it: for a log."""
    name = naming.see(record)
    params = "".join(f" {param}={shown(record.params.get(param))}" for param in naming.params)
    reason = f" ({record.stop_reason})" if record.outcome is Outcome.FAILED else ""
    thaws = f", {thaws_text(record)}" if record.thawed else ""
    return (
        f"{name} {record.outcome}{reason} {config.metric}={score(latest(record, config.metric))} "
        f"after {len(record.epochs)} of {config.max_epochs} epochs{thaws}{',' if params else ''}{params}"
    )


def choice_since(before: TrialRecord | None, record: TrialRecord) -> Choice | None:
    """What was chosen about a trial since it was seen before; None: nothing."""
    known = 0 if before is None else len(before.hand_outs)
    return newest_choice(record) if len(record.hand_outs) > known else None


def wait_line(what: str, since: float) -> str:
    """What is waited for, and for how long."""
    return f"{what}, {human_seconds(time.monotonic() - since)}"


def stop_line(reason: Stop, until: float | None) -> str:
    """That a stop was heard, and what it waits for."""
    if until is None:
        return f"stopping ({reason.value}): running epochs end first; an interrupt gives them a few seconds"
    left = until - time.monotonic()
    if left <= 0:
        return f"stopping ({reason.value}): workers are ended and MLflow is brought up to date"
    grace = f"running epochs have {math.ceil(left)} s to end"
    return f"stopping ({reason.value}): {grace}; interrupt again to stop at once"
