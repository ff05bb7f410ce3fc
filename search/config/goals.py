"""What a sweep optimises: a metric, and whether larger is better; by the metric's name where nobody says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Goal:
    """A metric and which way is better.

    >>> goal = Goal("val_loss", "minimize")
    >>> goal.better(0.1, than=0.2)
    True
    >>> sorted([0.3, 0.1, 0.2], key=goal.sort_key)
    [0.1, 0.2, 0.3]
    """

    metric: str
    direction: Direction

    @property
    def maximises(self) -> bool:
        """Whether larger is better."""
        return self.direction == "maximize"

    def better(self, value: float, than: float) -> bool:
        """Whether one value is better than another; an equal one is not."""
        return value > than if self.maximises else value < than

    def sort_key(self, value: float) -> float:
        """A number that is smaller the better the value is: to sort by, best first."""
        return -value if self.maximises else value

    def __str__(self) -> str:
        """`maximising val_acc`."""
        return f"{'maximising' if self.maximises else 'minimising'} {self.metric}"


_LARGER_IS_BETTER = """
    acc accuracy balanced_accuracy top1 top5 top1_acc top5_acc top1_accuracy top5_accuracy acc1 acc5
    auc auroc roc_auc auprc pr_auc average_precision ap map map50 f1 f1_score f1_macro f1_micro precision
    recall sensitivity specificity iou miou mean_iou jaccard dice dice_score mcc kappa r2 r2_score
    explained_variance bleu rouge psnr ssim reward return win_rate log_likelihood elbo throughput images_per_s
"""
_SMALLER_IS_BETTER = """
    loss error err error_rate cross_entropy ce bce nll negative_log_likelihood log_loss logloss perplexity ppl
    bits_per_byte bpb bpc bits_per_dim mse rmse mae mape msle rmsle mean_squared_error mean_absolute_error
    root_mean_squared_error huber_loss kl kl_divergence brier brier_score ece calibration_error wer cer ter
    fid lpips hinge_loss hamming_loss regret latency latency_s epoch_s seconds runtime
"""
_DIRECTIONS: dict[str, Direction] = {
    **dict.fromkeys(_LARGER_IS_BETTER.split(), "maximize"),
    **dict.fromkeys(_SMALLER_IS_BETTER.split(), "minimize"),
}
_SPLIT = re.compile(r"(train|training|val|valid|validation|eval|dev|test|mean|avg)_")


def direction_of(metric: str) -> Direction:
    """The direction of a metric by its name, as `val_loss`, `val/accuracy` or `ValAUROC`.

    Only whole names are known, after that of a split: `neg_loss` and `-loss` are to be larger, and say it
    nowhere else.

    Raises:
        ValueError: the name is not in the table.
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric).lower()
    name = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    while name not in _DIRECTIONS and _SPLIT.match(name):
        name = _SPLIT.sub("", name, count=1)
    if name not in _DIRECTIONS or metric.lstrip().startswith("-"):
        raise ValueError(
            f"whether a larger {metric!r} is better its name does not tell: "
            'give direction="maximize" or direction="minimize"'
        )
    return _DIRECTIONS[name]
