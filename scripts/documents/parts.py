"""What documents have in common: trials, and what is written where there is nothing to tell."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["running", "frozen", "complete", "pruned", "diverged", "failed", "waiting"]
Counts = dict[State, int]
Number = float | None
Direction = Literal["maximize", "minimize"]


class Document(BaseModel):
    """A frozen object of which every key is known."""

    # Built when it is first used: a command's --help does not look at it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Failure(Document):
    """What any command writes in place of its own document when it could not do what it was asked for."""

    error: str = Field(description="One line: the value, the rule, the remedy.")
    kind: Literal["usage", "failed", "interrupted"] = Field(
        description="`usage`: what was asked for cannot be done (exit code 2); `failed`: it was begun (1); "
        "`interrupted`: Ctrl-C or SIGTERM (130)."
    )
    next: list[str] = Field(description="Commands that the line advises.")


class Trial(Document):
    """A trial."""

    trial: int = Field(description="Its number, from 0.")
    state: State = Field(description="`running` is unfinished where nobody drives the sweep.")
    stop_reason: str | None = Field(description="Why it ended: finished, early, pruned, diverged, oom, ...")
    value: Number = Field(description="Its metric or, if it did not complete, what it last reported.")
    epochs: int = Field(description="Finished ones.")
    thawed: int = Field(description="How often it went on after it was frozen.")
    train_s: float = Field(description="Seconds spent in its epochs.")
    params: dict[str, Any] = Field(description="By name; those that a condition left out are not there.")
    error: str | None = Field(description="The line that names the error, if it failed or diverged.")
    mlflow_run_id: str | None = Field(description="Null while MLflow lacks it.")


class Epoch(Document):
    """A finished epoch."""

    epoch: int = Field(description="From 1.")
    metrics: dict[str, Number] = Field(description="All that was reported, by name.")


class HandOut(Document):
    """A trial was given to a worker, in a sweep that freezes trials."""

    until: int | None = Field(description="The epoch that it freezes at; null: it trains to its end.")
    cost: int = Field(description="Epochs to train for that.")
    reports: int = Field(description="Epochs that the study held when this was decided.")
    why: str = Field(description="In words.")


class WholeTrial(Trial):
    """A trial with its curve."""

    history: list[Epoch] = Field(description="Its epochs.")
    hand_outs: list[HandOut] = Field(description="Empty where trials are not frozen.")
