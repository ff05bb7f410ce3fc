"""Evaluation against scikit-learn's figures, and against ones worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from cifar_cnn.calibration import calibration_bins
from cifar_cnn.checkpoint import load_checkpoint
from cifar_cnn.config import DataConfig
from cifar_cnn.data import ImageDataModule
from cifar_cnn.errors import DataError
from cifar_cnn.evaluate import evaluate, summarise
from cifar_cnn.intervals import wilson_interval
from cifar_cnn.predict import Predictor


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_agrees_with_scikit_learn(split: str, trained: Path, digits_dir: Path) -> None:
    evaluation = evaluate(trained, split)  # type: ignore[arg-type]
    model = load_checkpoint(trained).model
    module = ImageDataModule(DataConfig(data_dir=digits_dir), batch_size=1, seed=0)
    images, labels = zip(*module.plain_batches(split), strict=True)  # type: ignore[arg-type]
    with torch.no_grad():
        probabilities = model(torch.cat(images)).double().softmax(dim=1).numpy()
    truth, predicted = torch.cat(labels).numpy(), probabilities.argmax(axis=1)
    expected = confusion_matrix(truth, predicted)
    assert evaluation.n == len(truth)
    assert np.array_equal(evaluation.confusion, expected)
    assert evaluation.accuracy == accuracy_score(truth, predicted)
    assert evaluation.class_accuracy == pytest.approx(expected.diagonal() / expected.sum(axis=1))
    assert evaluation.loss == pytest.approx(log_loss(truth, probabilities), rel=1e-4)
    assert evaluation.accuracy > 0.9


def test_validation_is_what_training_reported(trained: Path) -> None:
    last = load_checkpoint(trained).history[-1]
    evaluation = evaluate(trained, "val")
    assert evaluation.accuracy == last["val_acc"]
    assert evaluation.loss == pytest.approx(last["val_loss"], rel=1e-4)


def test_is_json(trained: Path) -> None:
    evaluation = evaluate(trained, "test")
    written = json.loads(json.dumps(evaluation.to_json()))
    assert written["split"] == "test"
    assert written["n"] == 360 == sum(map(sum, written["confusion"]))


def test_data_may_have_moved_but_not_changed(trained: Path, tmp_path: Path, image_folder: Path) -> None:
    moved = evaluate(trained, "test", data=DataConfig(data_dir=tmp_path / "moved"))
    assert moved == evaluate(trained, "test")
    with pytest.raises(DataError, match=r"trained on 'digits' .* 'folder'"):
        evaluate(trained, "test", data=DataConfig(dataset="folder", data_dir=image_folder))


def test_on_cpu_leaves_a_gpu_alone(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = evaluate(trained, "test")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # though there is none that works
    assert evaluate(trained, "test", accelerator="cpu") == on_cpu
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        evaluate(trained, "test")


def test_class_without_images_has_no_accuracy() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 0.0, 0.0]])
    evaluation = summarise(logits, torch.tensor([0, 1, 1]), ("a", "b", "c"), "test")
    assert evaluation.class_accuracy == (1.0, 0.5, None)
    assert evaluation.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 0))

    assert evaluation.class_counts == (1, 2, 0)
    assert evaluation.class_intervals == (wilson_interval(1, 1), wilson_interval(0.5, 2), None)


def test_predictions_do_not_depend_on_the_number_of_cores(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, told = Predictor(trained, "test"), []
    before = torch.get_num_threads()
    predicted = predictor.predict(on_images=told.append)
    assert sum(told) == len(predictor) == 360
    assert torch.get_num_threads() == before
    monkeypatch.setattr("cifar_cnn.predict.usable_cores", lambda: 7)
    assert torch.equal(predictor.predict().logits, predicted.logits)


def test_bf16_is_close_to_fp32(trained: Path) -> None:
    predictor = Predictor(trained, "test")
    fp32, bf16 = predictor.predict(), predictor.predict(precision="bf16")
    assert bf16.logits.dtype == torch.float32
    assert not torch.equal(bf16.logits, fp32.logits)
    assert bf16.accuracy == pytest.approx(fp32.accuracy, abs=0.02)


def test_images_are_changed_before_they_are_normalised_each_batch_with_its_own_seed(trained: Path) -> None:
    seeds: list[int] = []

    def black(images: torch.Tensor, seed: int) -> torch.Tensor:
        assert images.dtype == torch.uint8
        seeds.append(seed)
        return torch.zeros_like(images)

    logits = Predictor(trained, "test").predict(black).logits
    assert sorted(seeds) == list(range(len(seeds)))
    assert torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-5)


def test_calibration_error_by_hand() -> None:
    # Two bins: 0.9 twice with one right (gap 0.4), 0.6 twice with both right (gap 0.4).
    confidence = torch.tensor([0.9, 0.9, 0.6, 0.6], dtype=torch.float64)
    correct = torch.tensor([True, False, True, True])
    assert calibration_bins(confidence, correct).expected_error == pytest.approx(0.4)


@given(st.lists(st.tuples(st.floats(0.1, 1), st.booleans()), min_size=1, max_size=100))
def test_calibration_error_equals_the_papers_sum(answers: list[tuple[float, bool]]) -> None:
    confidence = np.array([confidence for confidence, _ in answers])
    correct = np.array([right for _, right in answers])
    total = 0.0
    for number in range(15):
        inside = np.ceil(confidence * 15) == number + 1
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            total += inside.sum() / len(answers) * gap
    found = calibration_bins(torch.from_numpy(confidence), torch.from_numpy(correct)).expected_error
    assert found == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(("right", "n"), [(9000, 10000), (0, 100), (100, 100), (1, 2)])
def test_wilsons_interval_is_scipys(right: int, n: int) -> None:
    theirs = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
