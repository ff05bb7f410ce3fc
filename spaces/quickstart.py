"""The first sweep: small networks that a laptop's CPU trains on the embedded digits in seconds each.

depth   1 to 3 blocks. The digits are 8x8 pixels enlarged to 32x32, so there is little for more to find.
width   8 to 32 channels in the first block. Twice as wide costs about four times as much, so two cores
        should not go above; the step of 8 keeps vector hardware full.
lr      0.001 to 1, three decades around what SGD with momentum likes with batch normalisation, wide
        enough that a sweep shows both ends failing. On a log scale, since learning rates act by their
        ratio (Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization").
fixed   SGD with momentum 0.9, so that `lr` means the same in every trial, and batches of 64: small
        enough that an epoch over so few images takes enough steps to learn from.
"""

from optuna.distributions import FloatDistribution, IntDistribution

from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="quickstart",
    description="Small networks for a first sweep on CPUs: depth, width and learning rate.",
    parameters={
        "depth": IntDistribution(1, 3),
        "width": IntDistribution(8, 32, step=8),
        "lr": FloatDistribution(1e-3, 1.0, log=True),
    },
    fixed={"optimizer": "sgd", "momentum": 0.9, "batch_size": 64},
)
