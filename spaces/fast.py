"""Around a published recipe for some minutes of training, which is tried first.

K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498), but for what paid nothing
here, and for the optimizer of filters: Muon (Jordan et al. 2024), which was worth more than any other piece
(2.9 points, n = 3 seeds; docs/network.md). A sweep that tries it first does not end below it on the images
that it searches on. It is tried a second time in batches of 256, which suit a subset of the images: in the
recipe's batches that would make too few steps.

width           32 to 128 channels in the first block, four times as many in the others; 64 is the recipe's.
muon_lr         0.03 to 0.3 for filters, on a log scale, around 0.1.
lr              5 to 20 for 1,024 images, for all else, on a log scale, around 11.5.
momentum        0.6 to 0.95, around 0.85. lr and weight decay are told apart from it (`decoupled`).
bias_lr         16 to 128 times the learning rate, on a log scale, around 64.
label_smoothing 0 to 0.3, around 0.2.
batch_size      128 to 1024 in steps of 128. The recipe takes 1,024 of 50,000 images.
convolutions    2 or, with a residual, 3.
fixed           All else of the recipe, mirrored evaluation among it: a point more, for twice the time of
                a prediction.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.space import ParamValue, SearchSpace

RECIPE: dict[str, ParamValue] = {
    "depth": 3,
    "widening": "early",
    "whitening": True,
    "activation": "gelu",
    "head": "pooled",
    "optimizer": "muon",
    "decoupled": True,
    "weight_decay": 0.0153,
    "schedule": "linear",
    "warmup": 0.23,
    "augmentation": 0.5,
    "flip": "alternating",
    "mirrored": True,
}
"""What all trials have."""

FIRST: dict[str, ParamValue] = {
    "width": 64,
    "muon_lr": 0.1,
    "lr": 11.5,
    "momentum": 0.85,
    "bias_lr": 64.0,
    "label_smoothing": 0.2,
    "batch_size": 1024,
    "convolutions": 2,
}
"""What is tried first."""

SPACE = SearchSpace(
    name="fast",
    description="Around a published recipe for short trainings on CIFAR-10, which is tried first.",
    parameters={
        "width": IntDistribution(32, 128, step=32),
        "muon_lr": FloatDistribution(0.03, 0.3, log=True),
        "lr": FloatDistribution(5.0, 20.0, log=True),
        "momentum": FloatDistribution(0.6, 0.95),
        "bias_lr": FloatDistribution(16.0, 128.0, log=True),
        "label_smoothing": FloatDistribution(0.0, 0.3),
        "batch_size": IntDistribution(128, 1024, step=128),
        "convolutions": CategoricalDistribution([2, 3]),
    },
    fixed=RECIPE,
    first=[FIRST, {**FIRST, "batch_size": 256}],
)
