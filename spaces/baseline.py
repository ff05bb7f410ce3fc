"""The mission's three: how deep, how wide, how fast to learn; all else as suits short trainings.

depth   2 to 4 blocks. The first halving or two of a 32x32 image leave it large, the fifth would leave a
        single pixel.
width   16 to 128 channels in the first block, four times as many in later ones. In steps of 16 rather than
        on a log scale: a log scale draws widths such as 37, and matrix hardware is at its best with
        channel counts that are multiples of 8 (NVIDIA, "Convolutional Layers User's Guide"), so that
        the odd ones would cost time and teach nothing. Cheap networks lose their share by it; pruning
        is what keeps the dear ones short.
lr      0.001 to 1, on a log scale (Bergstra and Bengio 2012, "Random Search for Hyper-Parameter
        Optimization"). He et al. 2016 ("Deep Residual Learning for Image Recognition") train with 0.1
        on CIFAR-10; the range reaches two decades below it and one above.
fixed   SGD with momentum 0.9, as He et al. have it: a range of learning rates fits one optimizer. The pieces
        of a network for short trainings that were worth something here (docs/network.md): 16 trials of
        six epochs on 8,000 images found 0.738 with them, and 0.635 without (n = 1 sweep each).
"""

from optuna.distributions import FloatDistribution, IntDistribution

from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="baseline",
    description="The three that matter most: depth, width and learning rate.",
    parameters={
        "depth": IntDistribution(2, 4),
        "width": IntDistribution(16, 128, step=16),
        "lr": FloatDistribution(1e-3, 1.0, log=True),
    },
    fixed={
        "widening": "early",
        "whitening": True,
        "head": "pooled",
        "optimizer": "sgd",
        "momentum": 0.9,
        "bias_lr": 64.0,
        "label_smoothing": 0.2,
        "augmentation": 0.5,
        "flip": "alternating",
    },
)
