"""What the scripts sweep unless they are told otherwise: CIFAR-10 CNNs on a folder of images.

For others: `sweep` (from names on a command line to a `SweepConfig`), `objective` (its training function).
This and retraining are the only rooms of `search` that know what is trained.
"""
