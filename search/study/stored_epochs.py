"""A trial's finished epochs as attributes of the trial: few, for Optuna's own pages and tables show each.

An attribute takes epochs until it is full, and the next one goes on: so a report writes little again, also
of a trial of many epochs. Earlier versions had an attribute for each epoch, `epoch:0001`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.trial import FrozenTrial

from search.study.records import Epoch

FULL = 16_384
"""Characters from which on an attribute takes no further epoch: some sixty without metrics of steps."""

_PACKED = re.compile(r"epochs:\d{3,}")
_ALONE = re.compile(r"epoch:\d{4,}")


def with_epoch(attrs: Mapping[str, Any], epoch: Epoch) -> tuple[str, list[dict[str, Any]]]:
    """The attribute that takes a trial's new epoch, and all that it then holds.

    >>> first = Epoch(1, {"val_acc": 0.5}, timestamp_ms=0, worker="host:1")
    >>> key, value = with_epoch({}, first)
    >>> key, [each["epoch"] for each in value]
    ('epochs:000', [1])

    Args:
        attrs: the trial's attributes.
        epoch: reported by it.
    """
    keys = _packed(attrs)
    held = attrs[keys[-1]] if keys else []
    if keys and len(json.dumps(held)) < FULL:
        # One of this number is there if a driver was killed between the writes of a report.
        return keys[-1], [*(each for each in held if each["epoch"] != epoch.epoch), epoch.to_json()]
    return f"epochs:{len(keys):03d}", [epoch.to_json()]


def epochs_of(trial: FrozenTrial) -> tuple[Epoch, ...]:
    """A trial's epochs, in their order: those of which there is the value, too, that a report writes last.

    What somebody else has added to the study has values alone.
    """
    epochs = {stored["epoch"]: stored for stored in _stored(trial.user_attrs)}
    return tuple(
        Epoch.from_json(epochs[step]) for step in sorted(trial.intermediate_values) if step in epochs
    )


def without_epochs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's attributes but for its epochs."""
    return {
        key: value for key, value in attrs.items() if not (_PACKED.fullmatch(key) or _ALONE.fullmatch(key))
    }


def _stored(attrs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (value for key, value in attrs.items() if _ALONE.fullmatch(key))
    for key in _packed(attrs):
        yield from attrs[key]


def _packed(attrs: Mapping[str, Any]) -> list[str]:
    return sorted(filter(_PACKED.fullmatch, attrs), key=lambda key: int(key.partition(":")[2]))
