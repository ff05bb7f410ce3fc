"""The errors of this floor that a caller may want to tell apart. Importing them costs nothing."""


class DataError(ValueError):
    """The data are missing, damaged or fewer than asked for: one line with the remedy."""


class DamagedImages(DataError):
    """Images of a folder cannot be decoded; `DataConfig.skip_damaged` would leave them out."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or belongs to another run: one line with the remedy."""


class NonFiniteLoss(FloatingPointError):
    """Training has left the numbers: a loss or a weight is NaN or infinite. Most often lr is too high."""
