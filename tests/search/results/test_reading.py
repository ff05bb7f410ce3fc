"""Who reads a study while its driver writes sees it at one moment."""

from __future__ import annotations

import itertools
from pathlib import Path

from sweep_checks import check_a_read_amid_writes
from sweep_makers import epoch, open_ledger, started, sweep_config

from search.study.database import opened_storage


def test_an_epoch_written_amid_a_read_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, max_epochs=99)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        started(ledger)
        numbers = itertools.count(1)
        check_a_read_amid_writes(config, lambda: ledger.report(0, epoch(next(numbers))))
