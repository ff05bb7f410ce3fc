"""Everything worth turning, for machines with GPUs and a budget of a hundred trials or more.

depth, width      As in the baseline, and down to one block and up to five.
lr                0.0001 to 1 on a log scale: AdamW works at the lower end, SGD at the upper one. They
                  share the range because they share the name; the sampler learns which goes with which.
optimizer         "sgd" with its momentum or "adamw" with its beta2; neither has the other's parameter.
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
head_width        64 to 512 in steps of 64, on either side of the last block's channels.
augmentation      0 (none) to 1 (full strength).
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.space import Condition, SearchSpace

SPACE = SearchSpace(
    name="wide",
    description="Architecture, optimizer and regularisation together, for larger budgets.",
    parameters={
        "depth": IntDistribution(1, 5),
        "width": IntDistribution(16, 128, step=16),
        "head_width": IntDistribution(64, 512, step=64),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "momentum": FloatDistribution(0.8, 0.99),
        "beta2": FloatDistribution(0.9, 0.999),
        "weight_decay": FloatDistribution(1e-5, 1e-1, log=True),
        "batch_size": IntDistribution(64, 512, step=64),
        "dropout": FloatDistribution(0.0, 0.5),
        "label_smoothing": FloatDistribution(0.0, 0.2),
        "augmentation": FloatDistribution(0.0, 1.0),
    },
    conditions={"momentum": Condition("optimizer", "sgd"), "beta2": Condition("optimizer", "adamw")},
)
