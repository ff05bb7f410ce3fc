"""How large a sweep is: trials, epochs of a budget, or both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from search.config.model import Settings

_EPOCHS_OR_TRAININGS = re.compile(r"[1-9][0-9]*x?")


def _budget(given: Any) -> Any:
    match = _EPOCHS_OR_TRAININGS.fullmatch(str(given).strip())
    if match is None:
        raise ValueError("write epochs, such as 540, or whole trainings, such as 20x")
    return match[0] if match[0].endswith("x") else int(match[0])


# Epochs; a text such as `20x` says whole trainings.
Budget = Annotated[int | str, BeforeValidator(_budget)]


class Size(Settings):
    """How much is trained; of two limits the one that is used up first ends the sweep.

    >>> Size(budget="540").budget, Size(budget="20x").budget
    (540, '20x')
    """

    trials: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Trials in all, pruned and failed ones included; by default as many as the budget of "
        "epochs is for.",
    )
    budget: Budget | None = Field(
        default=None,
        description="Epochs to train in all, such as 540, or whole trainings, such as 20x; with a number of "
        "trials too, what is used up first ends the sweep.",
    )

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        if self.trials is None and self.budget is None:
            raise ValueError(
                "how large the sweep is nobody says: give `trials=30`, or `budget=20x` for the epochs of 20 "
                "whole trainings"
            )
        return self


def sized(fields: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """These fields with those that are given; a size that is given takes the place of the whole one before.

    >>> sized({"trials": 60, "seed": 7}, {"budget": "20x"})
    {'trials': None, 'seed': 7, 'budget': '20x'}
    """
    size = Size.model_fields.keys()
    before = dict.fromkeys(size & fields.keys()) if any(given.get(name) for name in size) else {}
    return {**fields, **before, **given}
