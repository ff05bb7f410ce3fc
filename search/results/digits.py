"""Numbers as people read them: as few digits as serve, and as many as tell the rows of a column apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_FEWEST, _MOST = 4, 17  # 17 significant digits tell any two floats apart
_SMALL, _LARGE = 1e-3, 1e6  # outside of these a score is written with an exponent
NONE = "-"  # what does not exist


def scores(values: Sequence[float | None], sign: bool = False) -> list[str]:
    """A column of metrics: four decimals, or more where that leaves different values alike.

    With `sign` there is a plus before what is not negative.

    Example:
        >>> scores([0.91231, 0.91234, None])
        ['0.91231', '0.91234', '-']
        >>> scores([1.25e-9])
        ['1.250e-09']
    """
    known = [value for value in values if value is not None]
    digits = _enough(known, _score)
    plus = "+" if sign else ""
    return [NONE if value is None else f"{_signed(plus, value)}{_score(value, digits)}" for value in values]


def score(value: float | None, sign: bool = False) -> str:
    """A metric that stands alone."""
    return scores([value], sign)[0]


def all_shown(values: Sequence[object]) -> list[str]:
    """A column of a parameter's values: four digits, or more where that leaves different values alike."""
    digits = _enough([value for value in values if isinstance(value, float)], _plain)
    return [_plain(value, digits) if isinstance(value, float) else _word(value) for value in values]


def shown(value: object) -> str:
    """A parameter's value that stands alone; a dash where it does not exist."""
    return all_shown([value])[0]


def human_seconds(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _enough(values: Sequence[float], write: Callable[[float, int], str]) -> int:
    different = set(values)
    for digits in range(_FEWEST, _MOST):
        if len({write(value, digits) for value in different}) == len(different):
            return digits
    return _MOST


def _score(value: float, digits: int) -> str:
    if value == 0 or _SMALL <= abs(value) < _LARGE:
        return f"{value or 0.0:.{digits}f}"  # zero has no sign
    return f"{value:.{digits - 1}e}"


def _signed(plus: str, value: float) -> str:
    return plus if value >= 0 else ""


def _plain(value: float, digits: int) -> str:
    return f"{value or 0.0:.{digits}g}"


def _word(value: object) -> str:
    return NONE if value is None else str(value)
