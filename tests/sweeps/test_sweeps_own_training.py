"""The documented example of a training function of one's own, in a smaller sweep."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from processes import ROOT, Script
from sweep_checks import check_study, check_view
from sweep_fixtures import EXAMPLES, MakeSweep

from search.driver import run_sweep
from search.finalists.repeats import to_repeat_here
from search.finalists.retrain import retrain, retrain_config
from search.results.summary import summarise


def test_the_example_trains_and_keeps_its_best_models(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    import own_training

    config = make_sweep(
        space=own_training.SPACE, objective=own_training.train, trials=4, max_epochs=3, keep_checkpoints=1
    )
    result = run_sweep(config)
    check_study(config, 4)
    check_view(config)
    best = result.best
    assert best is not None
    assert (best.value or 0) > 0.8, "it learns"
    model = pickle.loads((config.folder / "checkpoints" / best.key / "epoch-0003" / "model.pkl").read_bytes())
    assert model.get_params()["alpha"] == best.params["alpha"]

    summary = to_repeat_here(summarise(config.name, config.sweeps_dir), {})
    retrained = retrain(summary, retrain_config(summary, best, seeds=2), None, model_name="own")
    assert [record.state.name for record in retrained.result.records] == ["COMPLETE"] * 2
    again = pickle.loads((retrained.checkpoint / "model.pkl").read_bytes())
    assert again.get_params()["alpha"] == best.params["alpha"], "with the winner's parameters"
    assert (retrained.metrics, retrained.model_folder) == ({}, None), "its author alone can test it"
    assert retrained.not_saved == "what own_training:train makes of its checkpoint is known to its author"


@pytest.mark.slow
def test_the_example_that_is_interrupted_says_so_and_goes_on(tmp_path: Path) -> None:
    with Script(EXAMPLES / "own_training.py", cwd=tmp_path) as script:
        script.until(lambda: any(tmp_path.glob("sweeps/own-training/checkpoints/*/epoch-*")))
        script.press_ctrl_c()
        assert script.wait() == 1, script.stderr
        assert "interrupted; run this again to go on" in script.stdout
        script.wait_for_descendants()


MODULE = """
from beside import value  # a neighbour of its own

def train(params, context):
    from lazy import bonus  # another, when it is needed

    for epoch in range(1, context.max_epochs + 1):
        context.report(epoch, {"val_acc": value(params["x"], epoch) + bonus})
"""
SCRIPT = """
import numpy as np
from optuna.distributions import FloatDistribution
from mytraining import train
from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from spaces.space import SearchSpace

DATA = np.zeros(25_000_000)
SPACE = SearchSpace(name="x", description="One number.", parameters={"x": FloatDistribution(0.0, 1.0)})

def drags(params, context):
    context.report(1, {"val_acc": DATA.sum()})

if __name__ == "__main__":
    import sys
    objective = drags if "drags" in sys.argv else train
    config = SweepConfig(name="mine", space=SPACE, objective=objective, max_epochs=2, trials=2)
    result = run_sweep(config, objective if "given" in sys.argv else None)
    print([trial.state.name for trial in result.records])
"""


@pytest.mark.slow
def test_a_module_beside_the_script_is_found_from_anywhere(tmp_path: Path) -> None:
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for folder in (mine, elsewhere):
        folder.mkdir()
    (mine / "beside.py").write_text("def value(x, epoch):\n    return x * epoch / 4\n")
    (mine / "lazy.py").write_text("bonus = 1.0\n")
    (mine / "mytraining.py").write_text(MODULE)
    (mine / "sweep.py").write_text(SCRIPT)
    with Script(mine / "sweep.py", "drags", cwd=mine, PYTHONPATH=str(ROOT)) as script:
        assert script.wait() == 1
        assert "its global 'DATA', a ndarray, takes 200 MB" in script.stderr
        assert not (mine / "sweeps").exists(), "nothing was made"
    with Script(mine / "sweep.py", "given", cwd=elsewhere, PYTHONPATH=str(ROOT)) as script:
        assert script.wait() == 0, script.stderr
        assert "mine: starting Ray\n" in script.stderr
        assert script.stdout == "['COMPLETE', 'COMPLETE']\n"
    grow = ["mine", "--trials=4", f"--sweeps-dir={elsewhere / 'sweeps'}"]
    with Script("resume_sweep.py", *grow, cwd=tmp_path) as script:
        assert script.wait() == 0, script.stderr
        assert "4 complete, 0 pruned, 0 failed of 4 trials" in script.stdout
    (mine / "mytraining.py").rename(elsewhere / "mytraining.py")
    grow[1] = "--trials=5"
    with Script("resume_sweep.py", *grow, cwd=elsewhere) as script:
        assert script.wait() == 2
        assert f"it was {mine / 'mytraining.py'}: put it back, or say in PYTHONPATH" in script.stderr
    with Script("resume_sweep.py", *grow, cwd=elsewhere, PYTHONPATH=f"{elsewhere}:{mine}") as script:
        assert script.wait() == 0, script.stderr
        assert "5 complete, 0 pruned, 0 failed of 5 trials" in script.stdout
