"""What is told of sweeps: planned, ended, compared, listed, repaired."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scripts.documents.models import Retraining
from scripts.documents.parts import Counts, Direction, Document, Trial, WholeTrial


class Utilisation(Document):
    """What this launch or resume made of its slots, from its first epoch to its last."""

    slots: int = Field(description="Trials that ran at a time.")
    wall_s: float = Field(description="Seconds.")
    training_s: float = Field(description="Seconds of all epochs together.")
    tail_s: float = Field(description="Slot-seconds after a worker's last epoch, while others still trained.")
    efficiency: float = Field(description="Share of the slots' time in which an epoch was trained.")


class Cost(Document):
    """What a sweep's epochs took of the machines."""

    core_hours: float = Field(description="Hours of epochs times the cores that the trial had.")
    gpu_hours: float = Field(description="The same of GPUs.")
    is_whole: bool = Field(description="False: there are epochs of which nobody knows what they had.")


class Outlook(Document):
    """What another hour of the same training would bring to the best value."""

    gain: float = Field(description="To be expected.")
    most: float = Field(description="What comes nine times of ten at most.")
    noise: float | None = Field(description="Deviation between seeds; null if nothing is known of it.")


class Spending(Document):
    """What a sweep has spent, its confirmations and retrainings included, and what is left of its budgets."""

    search: int = Field(description="Epochs of its own trials.")
    confirm: int = Field(description="Epochs of its confirmations.")
    retrain: int = Field(description="Epochs of its retrainings.")
    saved: int = Field(
        description="Epochs that training every trial to its end would have taken beyond those that were "
        "trained: of pruned and frozen trials and, where it was not worth another hour, of those to begin."
    )
    cost: Cost | None = Field(description="Of all three; null if no epoch says what it had.")
    epochs_left: int | None = Field(description="Null where no such budget was given.")
    core_hours_left: float | None = Field(description="The same.")
    gpu_hours_left: float | None = Field(description="The same.")


class SweepEnd(Document):
    """How a launch or a resume ended."""

    sweep: str = Field(description="Its name.")
    folder: str = Field(description="Where its study, checkpoints and report lie.")
    metric: str = Field(description="What it optimises.")
    direction: Direction = Field(description="Of the metric.")
    succeeded: bool = Field(
        description="Whether it ended by itself or by a budget or rule of its own, all of it shown."
    )
    stop: Literal["interrupted", "time_budget", "hours", "worthless", "failures"] | None = Field(
        description="Why it ended before the sweep was done; null: it is done."
    )
    seconds: float = Field(description="Wall time of this launch or resume.")
    trials: Counts = Field(
        description="How many there are of each state that occurs; retried ones do not count."
    )
    most_trials: int = Field(description="How many it ends with at the latest.")
    leaderboard: list[Trial] = Field(description="The five best complete trials, the best first.")
    failed: list[Trial] = Field(description="Those that failed, without retried ones.")
    utilisation: Utilisation | None = Field(description="Null if no epoch was trained.")
    cost: Cost | None = Field(description="Of its own trials; null if no epoch says what it had.")
    spending: Spending = Field(description="Of its epochs, with its confirmations and retrainings.")
    outlook: Outlook | None = Field(description="Null while too little is known.")
    report: str = Field(description="The HTML file that was written.")
    mlflow: dict[str, str] = Field(description="Addresses of its pages in MLflow's UI, by name.")
    missing: list[str] = Field(description="What MLflow and loggers lack, in words.")
    retraining: Retraining | None = Field(description="What `--finish` made of it; null without it.")
    next: list[str] = Field(description="The command that goes on from here, if there is one.")


class PlannedCost(Document):
    """What a sweep of CNNs would cost, measured on this machine."""

    images_per_s: float = Field(description="Of one trial, the mean over a few configurations.")
    seconds: float = Field(description="Wall time of the whole sweep, if nothing is pruned.")
    largest_bytes: int = Field(description="What training the largest model takes.")
    available_bytes: int | None = Field(description="Null where it is not known.")


class Plan(Document):
    """What a launch would do (`--dry-run`); all checks have passed, nothing was started."""

    sweep: str = Field(description="Its name.")
    metric: str = Field(description="What it optimises.")
    direction: Direction = Field(description="Of the metric.")
    most_trials: int = Field(description="How many it ends with at the latest.")
    max_epochs: int = Field(description="Of a trial.")
    sampler: str = Field(description="By name.")
    pruner: str = Field(description="By name.")
    space: dict[str, str] = Field(description="What may vary, in words, by name.")
    slots: int = Field(description="Trials at a time.")
    cpus: float = Field(description="Of a trial.")
    gpus: float = Field(description="Of a trial.")
    cost: PlannedCost | None = Field(description="Null of a module that this project does not know.")


class SavedFile(Document):
    """A sweep file that was written (`--save-config`); nothing was started."""

    file: str = Field(description="The file.")
    next: list[str] = Field(description="The command that launches it.")


class Pruning(Document):
    """What pruning saved, against training every pruned trial to its end."""

    epochs_run: int = Field(description="Epochs that were trained.")
    epochs_saved: int = Field(description="Epochs that were not.")
    seconds_run: float = Field(description="Seconds of the first.")
    seconds_saved: float = Field(description="Seconds of the second, at each trial's own mean.")


class Summary(Document):
    """One sweep of a comparison."""

    sweep: str = Field(description="Its name.")
    metric: str = Field(description="What it optimises.")
    direction: Direction = Field(description="Of the metric.")
    trials: Counts = Field(description="How many there are of each state that occurs.")
    leaderboard: list[Trial] = Field(description="The best complete trials, as many as `--top` says.")
    importances: dict[str, float] = Field(
        description="By PED-ANOVA, by parameter, the largest first; empty with too few complete trials."
    )
    pruning: Pruning = Field(description="What it saved.")
    cost: Cost | None = Field(description="Null if no epoch says what it had.")
    outlook: Outlook | None = Field(description="Null while too little is known.")
    all_trials: list[WholeTrial] | None = Field(description="Every trial by number; null without `--all`.")


class Comparison(Document):
    """Sweeps one by one; they are not ranked together."""

    sweeps: list[Summary] = Field(description="In the order asked for.")


class Best(Document):
    """The best complete trial of a sweep."""

    trial: int = Field(description="Its number.")
    value: float = Field(description="Its metric.")


class ListedSweep(Document):
    """A sweep of a folder."""

    sweep: str = Field(description="Its name.")
    state: Literal["running", "interrupted", "finished", "not begun", "unreadable"] = Field(
        description="`running`: a driver is at work; `interrupted`: a resume would go on; `not begun`: its "
        "launch was cut short before it had a study."
    )
    driver: str | None = Field(description="Host and pid of the driver at work.")
    metric: str | None = Field(description="What it optimises; null if its file cannot be read.")
    direction: Direction | None = Field(description="Of the metric.")
    best: Best | None = Field(description="The best complete trial.")
    trials: Counts = Field(description="How many there are of each state that occurs.")
    most_trials: int | None = Field(description="How many it ends with at the latest.")
    began: str | None = Field(description="When its first trial started: ISO 8601 in UTC.")
    changed: str | None = Field(description="When a trial last finished an epoch or ended.")
    bytes: int = Field(description="Of its folder; checkpoints and databases elsewhere are not counted.")
    error: str | None = Field(description="Why it cannot be read.")


class Listing(Document):
    """The sweeps of a folder."""

    sweeps: list[ListedSweep] = Field(description="Those first that have changed last.")


class Stopped(Document):
    """A trial that was ended."""

    sweep: str = Field(description="Name of the sweep.")
    trial: Trial = Field(description="As it is now.")
    max_epochs: int = Field(description="As many as it would have trained.")
    driver: str | None = Field(
        description="Host and pid of the driver, which stops the worker when the epoch under way ends; null: "
        "nobody drives the sweep."
    )


class Files(Document):
    """Files that were written."""

    files: list[str] = Field(description="The report, then the figures if they were asked for.")


class Synchronised(Document):
    """An MLflow view that is exact now."""

    sweep: str = Field(description="Its name.")
    created: int = Field(description="Runs that were not there.")
    completed: int = Field(description="Runs that lacked something.")
    replaced: int = Field(description="Runs that had something the study does not: written anew.")
    duplicates: int = Field(description="Second runs of a trial: removed.")
