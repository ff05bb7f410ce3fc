"""What a training run is: `TrainConfig` says how to learn and `DataConfig` from what.

Both are frozen values that travel: sampled by a sweep, stored in every checkpoint, shown by the API.
Importing them loads neither torch nor Lightning, so that `--help` stays quick.
"""

from cifar_cnn.config.data import DataConfig
from cifar_cnn.config.train import LEFT_OUT, MAX_DEPTH, TrainConfig

__all__ = ["IMAGE_SIZE", "LEFT_OUT", "MAX_DEPTH", "DataConfig", "TrainConfig"]

IMAGE_SIZE = 32
"""Height and width in pixels of every image a model sees."""
