"""The finalists of a confirmation as a table of text, the winner first."""

from __future__ import annotations

from search.finalists.confirm import Confirmation, Finalist
from search.results.digits import NONE, score, scores

HEADINGS = ("trial", "claimed", "confirmed", "95% interval", "sd", "n", "P(best)", "optimism")


def finalist_rows(confirmation: Confirmation) -> list[list[str]]:
    """A row for each finalist, then one for each of which no seed completed.

    `sd` is the standard deviation among the `n` seeds that completed, `optimism` the claimed score minus the
    confirmed one. Numbers have as many digits as tell the finalists apart.
    """
    finalists = confirmation.finalists
    estimates = [finalist.estimate for finalist in finalists]
    lows, highs = scores([each.low for each in estimates]), scores([each.high for each in estimates])
    columns = (
        [finalist.record.key for finalist in finalists],
        scores([finalist.claimed for finalist in finalists]),
        scores([each.mean for each in estimates]),
        [NONE if low == NONE else f"{low} to {high}" for low, high in zip(lows, highs, strict=True)],
        scores([each.deviation for each in estimates]),
        [_count(finalist) for finalist in finalists],
        [_chance(each.probability_best) for each in estimates],
        scores([finalist.optimism for finalist in finalists], sign=True),
    )
    out = [
        [record.key, score(record.value), NONE, NONE, NONE, "0", NONE, NONE]
        for record in confirmation.unconfirmed
    ]
    return [*map(list, zip(*columns, strict=True)), *out]


def _count(finalist: Finalist) -> str:
    n = finalist.estimate.n
    return f"{n} of {n + finalist.failed}" if finalist.failed else str(n)


def _chance(probability: float | None) -> str:
    return NONE if probability is None else f"{probability:.2f}"
