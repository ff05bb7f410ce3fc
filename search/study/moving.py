"""Checkpoints that are to lie elsewhere from now on: copied before anything forgets where they were."""

from __future__ import annotations

import logging

from search.config.credentials import hide
from search.config.run_settings import URL_FIELDS
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.checkpoints import CheckpointStore

_logger = logging.getLogger(__name__)


def bring_checkpoints(config: SweepConfig, sweep_id: str) -> None:
    """Copy a sweep's checkpoints to where they are to lie now, if its file names another place.

    Those that somebody has moved there already are taken as they are. What cannot be copied is told, and the
    sweep goes on without it. A copy that is cut short is made again by the next that names the new place, for
    the file of the sweep still names the old one.

    Args:
        config: the sweep, as it goes on.
        sweep_id: identity of its study.

    Raises:
        UserError: the new place does not answer, or has another study's.
    """
    new = CheckpointStore(config.checkpoint_root)
    others = set(URL_FIELDS) - {"checkpoints"}
    try:
        before = SweepConfig.load(config.name, config.sweeps_dir, given=others).checkpoint_root
        if before == config.checkpoint_root:
            return
        old = CheckpointStore(before)
        is_old_owner = old.owner() == sweep_id
    except UserError as error:
        _logger.warning("the checkpoints so far are not to be had (%s)", error)
        is_old_owner = False
    if new.owner() is not None:
        new.claim(sweep_id)  # moved there by hand, or another study's
    elif is_old_owner:
        trials, where = new.bring(old), (hide(config.checkpoint_root), hide(before))
        _logger.info("checkpoints of %d trials copied to %s; those at %s can be deleted", trials, *where)
    else:
        _logger.warning(
            "no checkpoints to copy to %s: unfinished trials start anew", hide(config.checkpoint_root)
        )
