"""Where an attempt begins: at its trial's newest checkpoint, or at that of the trial that it retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.study.checkpoints import Checkpoint, CheckpointStore, checkpoint_path
from search.study.records import Epoch, trial_key
from search.text import encodable

CHECKPOINTS_WAIT_S = 300.0  # for checkpoints that do not answer; then the attempt counts as lost
FIRST_LOOK_S, LONGEST_LOOK_S = 1.0, 15.0  # between two looks; each is twice as long as the one before


@dataclass(frozen=True)
class Beginning:
    """What an attempt resumes from.

    Example:
        >>> Beginning().epochs_done
        0
    """

    checkpoint: Path | None = None
    history: tuple[Epoch, ...] = ()
    notes: list[str] = field(default_factory=list)  # what the user should hear of it

    @property
    def epochs_done(self) -> int:
        """Epochs that need not be trained any more."""
        return self.history[-1].epoch if self.history else 0


def find_beginning(
    store: CheckpointStore,
    number: int,
    *,
    origins: Sequence[int],
    epochs_known: int,
    to: Path,
    say: Callable[[str], None],
) -> Beginning:
    """Fetch the newest whole checkpoint that there is; waits for a store that does not answer.

    Args:
        store: the sweep's checkpoints.
        number: of the trial.
        origins: trials whose checkpoints it may take up if it has none: it retries them.
        epochs_known: epochs of it that the study holds.
        to: the folder to fetch the checkpoint to.
        say: tells the driver while it is waited; what it raises ends the waiting.

    Raises:
        OSError: the checkpoints do not answer for `CHECKPOINTS_WAIT_S`.
    """
    give_up, pause, waited = time.monotonic() + CHECKPOINTS_WAIT_S, FIRST_LOOK_S, False
    while True:
        try:
            if epochs_known or origins:
                store.check_there()
            beginning = _newest(store, number, origins, to)
            break
        except OSError as error:
            if time.monotonic() + pause > give_up:
                raise
            say("" if waited else f"checkpoints do not answer ({os_cause(error)}); waiting for them")
        waited = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_LOOK_S)
    notes = ["checkpoints answer again"] if waited else []
    notes += beginning.notes
    if beginning.epochs_done < epochs_known:
        notes.append(
            f"resumes from epoch {beginning.epochs_done}, though the study knows {epochs_known} epochs of it"
        )
    return replace(beginning, notes=[encodable(note) for note in notes])


def os_cause(error: OSError) -> str:
    """What the system said, on one line."""
    return encodable(error.strerror or " ".join(str(error).split()))


def _newest(store: CheckpointStore, number: int, origins: Sequence[int], to: Path) -> Beginning:
    newest, faults = store.newest(number)
    if newest:
        return Beginning(store.fetch(newest, to), newest.history, faults)
    for origin in origins:
        newest, damaged = store.newest(origin)
        faults += damaged
        if newest:
            return _taken_up(store, number, origin, newest, to, faults)
    return Beginning(notes=faults)


def _taken_up(
    store: CheckpointStore, number: int, origin: int, newest: Checkpoint, to: Path, faults: list[str]
) -> Beginning:
    """Go on from another trial's checkpoint, of which this one gets a copy of its own."""
    folder, last = store.fetch(newest, to), newest.history[-1]
    own = replace(last, checkpoint=checkpoint_path(number, last.epoch))
    history = (*newest.history[:-1], own)
    notes = [*faults, f"resumes from epoch {last.epoch} of {trial_key(origin)}, which it retries"]
    try:
        store.save(number, history, folder)
    except OSError as error:
        notes.append(f"no checkpoint of epoch {last.epoch} ({os_cause(error)}); training continues")
    return Beginning(folder, history, notes)
