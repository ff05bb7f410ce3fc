"""What a retraining and an evaluation say of themselves: the cost before, what went wrong after."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState
from rich.console import Console
from script_runs import run_script
from sweep_fixtures import scripted_sweep

from cifar_cnn.evaluate import summarise
from scripts.confirmation_output import print_confirmation
from scripts.evaluation_output import EvaluationProgress
from scripts.retrain_output import cost, print_retrained
from search.config.definition import DatasetNote
from search.driver import SweepResult
from search.finalists.confirm import Confirmation, Finalist
from search.finalists.examine import Examination
from search.finalists.publish import Published
from search.finalists.retrain import Retrained
from search.finalists.training_images import TrainingImages
from search.results.leaderboard import savings
from search.results.statistics import estimates
from search.results.summary import SweepSummary
from search.study.records import Epoch, TrialRecord
from search.tracking.models.registry import Registration
from search.tracking.models.tested import ACCURACY, Tested

EPOCHS = tuple(Epoch(number, {"val_acc": 0.7, "epoch_s": 10.0}, 0, "host:1") for number in (1, 2, 3, 4))
BEST = TrialRecord(7, TrialState.COMPLETE, {"rate": 0.1}, EPOCHS, value=0.8)
SECOND = TrialRecord(2, TrialState.COMPLETE, {"rate": 0.2}, EPOCHS, value=0.7)
SUMMARY = SweepSummary(scripted_sweep(name="night"), "id", [BEST, SECOND], {}, savings([], 4))
RESULT = SweepResult(SUMMARY.config, [], None, None, 1.0, None, None)
TESTED = Tested("night", 7, 4, 1, ACCURACY, (0.7,), images=1000)
RETRAINED = Retrained(
    RESULT,
    TESTED,
    {ACCURACY: (0.7,)},
    1,
    Path("night/final"),
    Path("night/model"),
    None,
    Published("models:/m-1"),
)
PLACE = Registration("cifar-cnn", 1, True, "champion: there was none")


def test_any_metric_of_a_module_is_shown_and_why_there_is_no_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tested = dataclasses.replace(TESTED, metric="test_loss", values=(0.2, 0.3), seeds=2, images=None)
    module = dataclasses.replace(
        RETRAINED,
        tested=tested,
        metrics={"test_loss": (0.2, 0.3), "test_f1": (0.8, 0.9)},
        model_folder=None,
        not_saved="it has no forward",
        published=Published(),
    )
    print_retrained(SUMMARY, BEST, module, quick=False)
    shown = capsys.readouterr()
    assert "test_loss        0.2500 (-0.3853 to 0.8853 over 2 seeds, 95%)" in shown.out
    assert "test_f1          0.8500" in shown.out
    assert "checkpoint       night/final" in shown.out
    assert "no model to serve: it has no forward" in shown.out
    assert shown.err == ""


def test_more_seeds_are_of_the_same_retraining(capsys: pytest.CaptureFixture[str]) -> None:
    longer = dataclasses.replace(RESULT, config=RESULT.config.model_copy(update={"max_epochs": 60}))
    on_some = dataclasses.replace(
        RETRAINED, result=longer, tested=dataclasses.replace(TESTED, train_size=500)
    )
    print_retrained(SUMMARY, BEST, on_some, quick=False)
    assert "--trial 7 --seeds 3 --max-epochs 60 --train-size 500 does" in capsys.readouterr().out


def test_the_cost_is_in_trainings_and_time() -> None:
    assert cost(SUMMARY, [BEST, SECOND], 6, 3, None, None) == (
        "confirm 2 finalists with up to 6 seeds, retrain x 3: up to 9 runs, 36 epochs; about "
        "6 min 00 s if run one at a time, less if several run at once"
    )
    assert cost(SUMMARY, [BEST], 0, 1, 1, None).startswith("retrain x 1: 1 run, 1 epoch; about 10 s if run")


def test_the_cost_of_more_images_than_the_sweep_had_is_so_much_more() -> None:
    sizes = {"train": 40_000, "val": 10_000, "test": 10_000}
    note = DatasetNote(name="cifar10", digest="abc", sizes={"train": 8000, "val": 2000}, classes=10)
    of_subset = dataclasses.replace(SUMMARY, config=SUMMARY.config.model_copy(update={"dataset": note}))
    images = TrainingImages({}, note.model_copy(update={"sizes": sizes}))
    # 4 epochs on 8,000 images to confirm, 40 s; 2 on 50,000 to retrain, 125 s.
    assert cost(of_subset, [BEST], 1, 1, 2, images).startswith(
        "confirm 1 finalist with up to 1 seed, retrain x 1 on 50,000 images: 2 runs, 6 epochs; about "
        "2 min 45 s if run"
    )


def test_failed_seeds_are_told_with_what_they_mean(capsys: pytest.CaptureFixture[str]) -> None:
    found = estimates({0: (0.6, 0.61), 1: (0.9,)})
    unstable = Finalist(BEST, (0.9,), 1, dataclasses.replace(found[1], probability_best=None))
    third = TrialRecord(9, TrialState.COMPLETE, {"rate": 0.3}, EPOCHS, value=0.6)
    print_confirmation(
        SUMMARY, Confirmation((Finalist(SECOND, (0.6, 0.61), 0, found[0]), unstable), 6, (third,)), sure=0.95
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["trial-002", "trial-007", "trial-009"]
    assert ("1 of 2" in lines[3], " 0 " in lines[4]) == (True, True)
    assert lines[5].startswith("trial-007: 1 of its seeds failed, so it comes after those of which none did")
    assert lines[6] == "trial-009: all of its seeds failed, so it is out"


@pytest.mark.parametrize(
    ("values", "most", "told"),
    [
        ((0.9, 0.91), 9, "trial-007 is the best with P >= 0.95 after 4 trainings of at most 9"),
        ((0.62, 0.63), 4, "all 4 trainings are used, and P(best) is not 0.95: more --seeds go on from here"),
    ],
)
def test_why_no_more_seeds_are_trained_is_told(
    values: tuple[float, ...], most: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = estimates({0: values, 1: (0.6, 0.63)})
    finalists = (Finalist(BEST, values, 0, found[0]), Finalist(SECOND, (0.6, 0.63), 0, found[1]))
    print_confirmation(SUMMARY, Confirmation(finalists, most), sure=0.95)
    assert capsys.readouterr().out.splitlines()[-1] == told


@pytest.mark.parametrize(
    ("published", "missing"),
    [
        (Published(missing="the server is away"), "the model"),
        (Published("models:/m-1", missing="the server is away"), "the model's registration"),
        (Published("models:/m-1", PLACE, missing="the server is away"), "some of the trainings"),
        (Published("models:/m-1", PLACE), None),
    ],
    ids=["no model", "not registered", "trainings behind", "all there"],
)
def test_results_are_shown_whatever_mlflow_lacks(
    published: Published, missing: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    print_retrained(SUMMARY, BEST, dataclasses.replace(RETRAINED, published=published), quick=True)
    shown = capsys.readouterr()
    assert "test accuracy    0.7000" in shown.out
    assert "model folder     night/model" in shown.out
    assert "--trial 7 --seeds 3" in shown.out, "the finalist may be another with more seeds"
    assert ("model in MLflow" in shown.out) == (published.model_uri is not None)
    expected = f"not in MLflow: {missing} (the server is away); run the command again" if missing else ""
    assert shown.err.startswith(expected)
    assert bool(shown.err) == bool(missing)


def test_an_evaluation_says_that_mlflow_lacks_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = scripted_sweep(name="night", sweeps_dir=tmp_path)
    sweep.save()
    retraining = scripted_sweep(name="night.retrain-007-e4")
    right = torch.tensor([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    evaluation = summarise(right, torch.tensor([0] * 7 + [1] + [0] * 2), ("cat", "dog"), "test")
    examined = Examination(retraining, evaluation, {"noise": [0.6, 0.5, 0.4]}, [])
    monkeypatch.setattr("search.finalists.examine.examine", lambda *_, **__: examined)
    monkeypatch.setattr("search.finalists.examine.log_examination", lambda _: False)
    result = run_script("evaluate", "night", "--sweeps-dir", tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "test accuracy      0.7000 (0.3968 to 0.8922, 95% by 10 images)",
        "model              the first seed's, which is saved",
        f"calibration error  {evaluation.calibration_error:.4f}",
        "class  accuracy      95% interval  images",
        "cat      0.7778  0.4526 to 0.9368       9",
        "dog      0.0000  0.0000 to 0.7935       1",
        "under noise        0.6000  0.5000  0.4000",
        "under all          0.5000 on average",
        "figures            reports/figures/night",
    ]
    assert result.stderr == (
        "MLflow has no run of night.retrain-007-e4, so the figures are not in it: "
        "`uv run scripts/sync_mlflow.py night.retrain-007-e4` brings it up to date, then run this again\n"
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_an_evaluation_tells_how_far_it_is(terminal: bool) -> None:
    told = io.StringIO()
    console = Console(file=told, width=80, force_terminal=terminal, soft_wrap=True)
    with EvaluationProgress("night", console) as progress:
        progress("loading the model", 0, 0)
        for done in (0, 500, 1000):
            progress("test images", done, 2000)
        progress("noise 1 of 3", 1000, 2000)
    if terminal:
        assert "noise 1 of 3" in told.getvalue()
        assert "1000/2000" in told.getvalue()
    else:
        assert told.getvalue().splitlines() == [
            "night: loading the model",
            "night: test images, 0 of 2,000 images",
            "night: noise 1 of 3, 1,000 of 2,000 images",
        ]
