"""What an optimizer is given for each kind of weight, and what a step of it does."""

import pytest
import torch

from cifar_cnn.config import TrainConfig
from cifar_cnn.model import make_model
from cifar_cnn.optimizers import Muon, make_optimizer, orthogonalised


def groups(**changes: float | str | bool | None) -> list[dict[str, float]]:
    config = TrainConfig(**{"width": 4, "head_width": 8, **changes})
    return make_optimizer(config, make_model(config, 10)).param_groups


@pytest.mark.parametrize(
    ("changes", "lr"),
    [
        ({"lr": 0.5}, 0.5),
        ({"lr": 0.5, "optimizer": "adamw"}, 0.5),
        ({"lr": 0.5, "optimizer": "adamw", "adamw_lr": 0.002}, 0.002),
        ({"lr": 0.5, "optimizer": "muon", "muon_lr": 0.1}, 0.1),
    ],
)
def test_each_optimizer_has_its_own_learning_rate(changes: dict[str, float | str], lr: float) -> None:
    assert groups(**changes)[0]["lr"] == lr
    config = TrainConfig(**changes)
    assert config.peak_lr == lr


def test_biases_and_norms_learn_at_a_multiple_and_do_not_decay() -> None:
    matrices, others = groups(lr=0.1, bias_lr=64.0)
    assert (others["lr"], others["weight_decay"]) == (pytest.approx(6.4), 0.0)
    assert matrices["lr"] == 0.1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("batch_size", [128, 512])
def test_a_decoupled_rate_moves_weights_as_far_whatever_batches_and_momentum_are(
    momentum: float, batch_size: int
) -> None:
    config = TrainConfig(decoupled=True, lr=8.0, weight_decay=0.1, momentum=momentum, batch_size=batch_size)
    weight = torch.nn.Parameter(torch.zeros(1, 1))
    matrices, _ = make_optimizer(config, make_model(config, 10)).param_groups
    sgd = torch.optim.SGD([weight], matrices["lr"], momentum, nesterov=momentum > 0)
    steps = 100 * 1024 // batch_size
    for _ in range(steps):
        weight.grad = torch.ones(1, 1)
        sgd.step()
    # The rule counts the first part of a step twice, which is once in the end.
    share = (1 / (1 - momentum)) / (1 + 1 / (1 - momentum))
    assert weight.item() == pytest.approx(-100 * 8.0 * share, rel=0.05)
    assert matrices["weight_decay"] == pytest.approx(0.1 / 8.0), "SGD multiplies it by the rate"


def test_whitening_filters_are_left_alone() -> None:
    config = TrainConfig(whitening=True, width=4)
    model = make_model(config, 10)
    trained = {id(p) for group in make_optimizer(config, model).param_groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if id(p) not in trained} == {"stem.0.weight"}


def test_orthogonal_steps_have_singular_values_near_one() -> None:
    matrix = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    for each in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonalised(each, steps=5))
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_muon_lowers_a_loss_and_keeps_the_norm_of_filters() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 2))
    filters = network[0].weight
    muon = Muon(
        [
            {"params": [filters], "lr": 0.05, "orthogonal": True},
            {"params": list(network[2].parameters()), "lr": 0.01, "weight_decay": 0.0},
        ],
        momentum=0.6,
    )
    images, labels = torch.randn(16, 3, 8, 8), torch.arange(16) % 2
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        muon.zero_grad()
        loss.backward()
        muon.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4
    assert filters.norm().item() == pytest.approx(8**0.5, rel=0.1)
