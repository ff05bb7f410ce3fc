"""What another hour would bring, by what the last ones have brought; and when that is too little."""

from __future__ import annotations

import math

import pytest
from sweep_makers import epoch, record, sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.outlook import Outlook, Progress, check_stop_when, outlook, seed_noise
from search.study.records import TrialRecord

NOTE = DatasetNote(name="digits", digest="a", sizes={"train": 100, "val": 400}, classes=10)


def trained(
    values: list[float], seconds: float = 60.0, at_once: int = 1, pause: float = 0.0
) -> list[TrialRecord]:
    """A trial of one epoch for each value, so many at a time."""
    records = []
    for number, value in enumerate(values):
        end_s = (number // at_once + 1) * (seconds + pause)
        metrics = {"val_acc": value, "epoch_s": seconds}
        done = epoch(1, metrics=metrics, timestamp_ms=round(1000 * end_s), worker=f"host:{number % at_once}")
        records.append(record(number, epochs=(done,), value=value))
    return records


# The best of the first quarter, half and whole: 0.5, 0.6, 0.64.
RISING = [0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.2, 0.3, 0.64, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1]


def test_a_doubling_begins_with_half_of_the_last_one_and_a_quarter_of_the_one_before_and_slows() -> None:
    hour_is_a_doubling = trained(RISING, seconds=3600 / len(RISING))
    found = outlook(sweep_config(), hour_is_a_doubling)
    assert found is not None
    a_doubling = (0.64 - 0.6) / 2 + (0.6 - 0.5) / 4
    assert found.gain == pytest.approx(a_doubling * 0.5 / math.log(2))
    assert found.most == pytest.approx(4 * found.gain)


def test_an_hour_of_several_at_a_time_is_more_training() -> None:
    alone = outlook(sweep_config(), trained(RISING, at_once=1))
    four = outlook(sweep_config(), trained(RISING, at_once=4))
    assert alone is not None
    assert four is not None
    trained_hours = len(RISING) / 60
    assert alone.gain / (1 - 1 / (1 + 1 / trained_hours)) == pytest.approx(
        four.gain / (1 - 1 / (1 + 4 / trained_hours))
    )


def test_a_night_between_two_launches_is_no_training() -> None:
    straight = outlook(sweep_config(), trained(RISING))
    assert outlook(sweep_config(), trained(RISING, pause=9999.0)) == straight


def test_an_accuracy_has_no_more_to_come_than_there_is_to_one() -> None:
    """After seconds of training an hour is many doublings."""
    high = [0.2, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.98, 0.1, 0.1, 0.1]
    found = outlook(sweep_config(), trained(high, seconds=1.0))
    assert found is not None
    assert found.gain == found.most == pytest.approx(0.02)
    assert found.noise is None


def test_smaller_is_better_where_it_is() -> None:
    falling = trained([1 - value for value in RISING])
    rising = outlook(sweep_config(), trained(RISING))
    found = outlook(sweep_config(direction="minimize"), falling)
    assert found is not None
    assert rising is not None
    assert found.gain == pytest.approx(rising.gain)


@pytest.mark.parametrize("trials", [0, 1, 7])
def test_nothing_is_said_of_a_few_trials(trials: int) -> None:
    assert outlook(sweep_config(), trained(RISING[:trials])) is None


def test_it_is_the_same_however_it_is_told() -> None:
    """As a driver hears of it, and as one that is resumed does."""
    records, progress = trained(RISING, at_once=3), Progress(sweep_config())
    for each in records:
        progress.add([each])
        progress.add([each])
    assert progress.outlook == outlook(sweep_config(), records[::-1])


def test_seeds_differ_as_coins_do_where_accuracy_and_images_are_known() -> None:
    known = sweep_config(dataset=NOTE)
    assert seed_noise(known, 0.8) == pytest.approx(0.02)
    assert seed_noise(sweep_config(), 0.8) is None
    assert seed_noise(sweep_config(metric="val_loss", dataset=NOTE), 0.8) is None
    found = outlook(known, trained(RISING))
    assert found is not None
    assert str(found).endswith("; seeds differ by 0.024")


@pytest.mark.parametrize(
    ("stop_when", "gain", "noise", "ends"),
    [
        ("worthless", 0.0009, 0.002, True),
        ("worthless", 0.0011, 0.002, False),
        ("worthless", 0.0, None, False),
        ("0.001/h", 0.0009, None, True),
        ("1e-3/h", 0.0011, 0.1, False),
    ],
)
def test_when_it_is_too_little(stop_when: str, gain: float, noise: float | None, ends: bool) -> None:
    assert Outlook(gain, 4 * gain, noise).is_too_little(stop_when) == ends


@pytest.mark.parametrize("stop_when", ["soon", "0.001", "/h", "-1/h", "0/h", "0.1 /h", "nan/h"])
def test_what_cannot_be_read_is_refused(stop_when: str) -> None:
    with pytest.raises(ValueError, match="neither 'worthless' nor a gain an hour above 0: write it as"):
        sweep_config(stop_when=stop_when)


def test_a_noise_that_nobody_knows_is_compared_with_nothing() -> None:
    def of(**fields: object) -> SweepConfig:
        return sweep_config(stop_when="worthless", **fields)

    check_stop_when(of(dataset=NOTE))
    check_stop_when(sweep_config(stop_when="0.1/h"))
    with pytest.raises(
        UserError, match=r"not of this sweep's val_loss: give a rate, such as `stop_when=0.001/h`"
    ):
        check_stop_when(of(metric="val_loss", dataset=NOTE))
