"""The documented example of a training function of one's own, in a smaller sweep."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from processes import Script
from sweep_checks import check_study, check_view
from sweep_fixtures import EXAMPLES, MakeSweep

from search.driver import run_sweep


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


@pytest.mark.slow
def test_the_example_that_is_interrupted_says_so_and_goes_on(tmp_path: Path) -> None:
    with Script(EXAMPLES / "own_training.py", cwd=tmp_path) as script:
        script.until(lambda: any(tmp_path.glob("sweeps/own-training/checkpoints/*/epoch-*")))
        script.press_ctrl_c()
        assert script.wait() == 1, script.stderr
        assert "interrupted; run this again to go on" in script.stdout
        script.wait_for_descendants()
