"""What both configurations have in common: frozen, strict, and errors that name what would do."""

import difflib
import numbers
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator


class Frozen(BaseModel):
    """Strict and frozen: no silent conversions, no unknown names, no NaN or infinity.

    Example:
        >>> class Shape(Frozen):
        ...     side: int = 3
        >>> Shape(side=4).side
        4
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and (
            unknown := [name for name in values if name not in cls.model_fields]
        ):
            close = difflib.get_close_matches(str(unknown[0]), cls.model_fields, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{cls.__name__} knows no {', '.join(map(repr, unknown))}.{hint} "
                f"Known names: {', '.join(cls.model_fields)}."
            )
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _plain_numbers(cls, value: Any) -> Any:
        # Samplers hand out numpy numbers. One np.float64 in a checkpoint and torch.load(weights_only=True)
        # refuses the whole file, so they become Python numbers here.
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return float(value)
        return value
