"""Everything worth turning, for machines with GPUs and a budget of a hundred trials or more.

depth, width      As in the baseline, and down to one block.
widening          Doubling from block to block, or four times at once, as in the fast recipe.
convolutions      2 or, with a residual over the last one, 3 in a block.
whitening         A first layer computed from the images, or none.
activation        ReLU or GELU.
head              A hidden layer of 64 to 512 features (head_width, in steps of 64), or none.
optimizer         "sgd" with its momentum, "adamw" with its beta2, "muon"; none has the others' parameters.
lr                0.005 to 0.5 for SGD, on a log scale: the rate of He et al. 2016, 0.1, and what is near it.
adamw_lr          0.0003 to 0.03 for AdamW, on a log scale around the 0.002 of short runs. Each optimizer
                  has a range of its own: in one for all, half of each would be wasted.
muon_lr           0.02 to 0.5 for Muon's filters, on a log scale around 0.1; all else has SGD's 0.05.
momentum          0.8 to 0.99 around the usual 0.9. Sutskever et al. 2013 ("On the importance of
                  initialization and momentum in deep learning") try values up to 0.999.
beta2             0.9 to 0.999, up to the default of Kingma and Ba 2015 ("Adam"). Lower ones forget old
                  gradients sooner, which short runs can use.
weight_decay      0.00001 to 0.1 on a log scale. The good values for SGD and for decoupled decay lie
                  decades apart (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization").
batch_size        64 to 512 in steps of 64. Numbers rather than choices, since a sampler learns from
                  neighbours in a range, while choices have none.
dropout           0 to 0.5, the value that Srivastava et al. 2014 ("Dropout") recommend for hidden layers.
label_smoothing   0 to 0.2 around the 0.1 of Szegedy et al. 2016 ("Rethinking the Inception Architecture").
augmentation      0 (none) to 1 (full strength).
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.space import Condition, SearchSpace

SPACE = SearchSpace(
    name="wide",
    description="Architecture, optimizer and regularisation together, for larger budgets.",
    parameters={
        "depth": IntDistribution(1, 4),
        "width": IntDistribution(16, 128, step=16),
        "widening": CategoricalDistribution(["doubling", "early"]),
        "convolutions": CategoricalDistribution([2, 3]),
        "whitening": CategoricalDistribution([False, True]),
        "activation": CategoricalDistribution(["relu", "gelu"]),
        "head": CategoricalDistribution(["hidden", "pooled"]),
        "head_width": IntDistribution(64, 512, step=64),
        "optimizer": CategoricalDistribution(["sgd", "adamw", "muon"]),
        "lr": FloatDistribution(0.005, 0.5, log=True),
        "adamw_lr": FloatDistribution(3e-4, 3e-2, log=True),
        "muon_lr": FloatDistribution(0.02, 0.5, log=True),
        "momentum": FloatDistribution(0.8, 0.99),
        "beta2": FloatDistribution(0.9, 0.999),
        "weight_decay": FloatDistribution(1e-5, 1e-1, log=True),
        "batch_size": IntDistribution(64, 512, step=64),
        "dropout": FloatDistribution(0.0, 0.5),
        "label_smoothing": FloatDistribution(0.0, 0.2),
        "augmentation": FloatDistribution(0.0, 1.0),
    },
    conditions={
        "head_width": Condition("head", "hidden"),
        "lr": Condition("optimizer", "sgd"),
        "momentum": Condition("optimizer", "sgd"),
        "adamw_lr": Condition("optimizer", "adamw"),
        "beta2": Condition("optimizer", "adamw"),
        "muon_lr": Condition("optimizer", "muon"),
    },
)
