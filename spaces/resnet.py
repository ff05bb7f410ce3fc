"""A ResNet-18 with the stem that small images want, as most comparisons have it: for a GPU.

lr              0.02 to 1 on a log scale, around the 0.1 of He et al. 2016 ("Deep Residual Learning for Image
                Recognition") for batches of 128; larger batches bear more.
weight_decay    0.0001 to 0.002 on a log scale, around the usual 0.0005.
label_smoothing 0 to 0.2 around the 0.1 of Szegedy et al. 2016 ("Rethinking the Inception Architecture").
batch_size      128 to 512 in steps of 128.
fixed           Two blocks in each of four stages, 64 channels in the first: torchvision's. SGD with momentum
                0.9; one cycle, up and down in straight lines (Smith and Topin, arXiv:1708.07120).
"""

from optuna.distributions import FloatDistribution, IntDistribution

from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="resnet",
    description="A ResNet-18 with a 3x3 stem: learning rate, regularisation and batches.",
    parameters={
        "lr": FloatDistribution(0.02, 1.0, log=True),
        "weight_decay": FloatDistribution(1e-4, 2e-3, log=True),
        "label_smoothing": FloatDistribution(0.0, 0.2),
        "batch_size": IntDistribution(128, 512, step=128),
    },
    fixed={
        "network": "resnet",
        "depth": 2,
        "width": 64,
        "optimizer": "sgd",
        "momentum": 0.9,
        "schedule": "linear",
        "warmup": 0.2,
    },
)
