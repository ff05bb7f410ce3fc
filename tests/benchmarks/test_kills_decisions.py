"""The kill benchmark's eye for decisions: it sees one that was lost."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from benchmarks.kills.counts import judged_again
from benchmarks.kills.formula import PARAMETERS
from search.config.sweep_config import SweepConfig
from search.policy.making import make_policy
from search.study.database import opened_storage
from search.study.ledger import Ledger
from search.study.records import Epoch
from spaces.space import SearchSpace


def test_a_decision_that_was_not_carried_out_is_noticed(tmp_path: Path) -> None:
    config = SweepConfig(
        name="kills",
        space=SearchSpace(name="kills", description="Two parameters.", parameters=PARAMETERS),
        objective="m:f",
        max_epochs=4,
        trials=3,
        sampler="random",
        sweeps_dir=tmp_path,
    )
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = Ledger.open(config, storage, make_policy(config))
        for number, value in enumerate((0.9, 0.1, 0.2)):
            ledger.start(ledger.ask().number)
            for step in range(1, 3):
                if ledger.record(number).state.is_finished():
                    break
                ledger.report(number, Epoch(step, {"val_acc": value}, 1000 * step, "host:1"))
        states = [record.state.name for record in ledger.records()]
        assert states == ["RUNNING", "PRUNED", "PRUNED"]
        assert judged_again(config) == [True] * len(judged_again(config))
        with storage.engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE trials SET state = 'RUNNING' WHERE number = 1"))
        assert judged_again(config).count(False) == 1
