"""A sweep of a LightningModule of one's own: five lines, everything that the CNN gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from optuna.trial import TrialState
from processes import ROOT, Script
from sweep_checks import check_study, check_view, records_in, view_of
from sweep_fixtures import EXAMPLES

from search.config.sweep_config import SweepConfig
from search.lightning import lightning_sweep
from search.study.records import StopReason


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tracking_uri: str, local_ray: None) -> SweepConfig:
    """The example's sweep, smaller and with step metrics, run to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        import lightning_mlp

        sweep = lightning_sweep(
            lightning_mlp.Mlp,
            lightning_mlp.Digits,
            space=lightning_mlp.SPACE,
            metric="val_acc",
            max_epochs=5,
            budget="4x",
            trainer={"log_every_n_steps": 2, "limit_train_batches": 5},
            tracking_uri=tracking_uri,
            sweeps_dir=tmp_path_factory.mktemp("lightning"),
            cpus_per_trial=1.0,
            gpus_per_trial=0.0,
            concurrency=2,
        )
        result = sweep.run(progress=False)
    assert result.succeeded
    return sweep.config


def test_its_trials_are_frozen_thawed_and_counted_as_any(config: SweepConfig) -> None:
    records = records_in(config)
    assert sum(len(record.epochs) for record in records) <= 20
    assert any(record.thawed for record in records), "from Lightning's own checkpoints"
    assert {record.state for record in records} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert all(record.stop_reason is not StopReason.ERROR for record in records)
    check_study(config, len(records))
    check_view(config)


def test_what_is_logged_by_step_is_in_mlflow_with_its_steps_once(config: SweepConfig) -> None:
    view = view_of(config)
    longest = max(records_in(config), key=lambda record: len(record.epochs))
    run = view.trials[longest.number]
    steps = [step for step, _, _ in view.points(run, "train_loss_step")]
    assert steps == sorted(set(steps))
    assert steps[:4] == [1, 3, 5, 7]
    assert [step for step, _, _ in view.points(run, "val_acc")] == [epoch.epoch for epoch in longest.epochs]


SCRIPT = """
from lightning_mlp import SPACE, Digits, Mlp
from torch.utils.data import DataLoader
from search.lightning import lightning_sweep

class Loaded(Digits):
    def train_dataloader(self):
        return DataLoader(self.train, 64, shuffle=True, num_workers=2)

space = {name: each for name, each in SPACE.items() if name != "batch_size"}
sweep = lightning_sweep(
    Mlp, Loaded, space=space, metric="val_acc", max_epochs=6, trials=6, pruner="none", cpus_per_trial=1.0,
    gpus_per_trial=0.0, concurrency=2,
)
print(sweep.run(progress=False).succeeded)
"""


@pytest.mark.slow
def test_a_script_whose_loaders_have_workers_is_killed_and_run_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    path = f"{ROOT}:{EXAMPLES}"
    with Script(tmp_path / "mine.py", cwd=tmp_path, PYTHONPATH=path) as script:
        script.until(lambda: len(list(tmp_path.glob("sweeps/mlp/checkpoints/*/epoch-*"))) >= 4)
        script.kill()
        script.wait_for_descendants()
    with Script(tmp_path / "mine.py", cwd=tmp_path, PYTHONPATH=path) as script:
        assert script.wait() == 0, script.stderr
        assert script.stdout.strip() == "True"
        script.wait_for_descendants()
    config = SweepConfig.load("mlp", tmp_path / "sweeps")
    records = records_in(config)
    assert [len(record.epochs) for record in records] == [6] * 6
    check_study(config, 6)
    check_view(config)


BROKEN = """
import sys
sys.path.insert(0, sys.argv[1])
from lightning_mlp import SPACE, Digits, Mlp
from search.lightning import lightning_sweep

class Broken(Mlp):
    def setup(self, stage):
        raise RuntimeError("no such table")

if __name__ == "__main__":
    print(lightning_sweep(Broken, Digits, space=SPACE, metric="val_acc", max_epochs=3, trials=8).run())
"""


@pytest.mark.slow
def test_an_error_of_the_users_is_on_the_screen_at_once_and_ends_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BROKEN)
    with Script(tmp_path / "bad.py", EXAMPLES, cwd=tmp_path) as script:
        assert script.wait() == 0, script.stderr
        script.wait_for_descendants()
    assert "failed (error): RuntimeError: no such table" in script.stderr
    assert re.search("[34] failed, stopped: too many trials failed", script.stdout), "one beside the third"
    records = records_in(SweepConfig.load("broken", tmp_path / "sweeps"))
    failed = [record for record in records if record.state is TrialState.FAIL]
    assert {record.times_lost for record in failed} == {0}, "each failed once"
