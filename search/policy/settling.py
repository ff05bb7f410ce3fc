"""What `auto` stands for, decided once: when a sweep is made, and kept in its definition from then on."""

from __future__ import annotations

from search.config.folder_file import CONFIG_FILE
from search.config.run_settings import URL_FIELDS
from search.config.sweep_config import SweepConfig
from search.policy.pruners import pruner_name
from spaces import ranges

AUTO = "auto"
# Replayed on recorded curves, freezing trials found more than stopping them with 5, 7, 9, 27 and 51 epochs a
# trial and with 3 and 7 parameters; with 3 epochs the interval touches nothing gained, and fewer parameters
# were not tried. It needs a budget in epochs: of so many trials, it trains fewer to their ends.
_FEWEST_EPOCHS = 5
_FEWEST_PARAMETERS = 3


def settled(config: SweepConfig) -> SweepConfig:
    """The sweep with names in the place of `auto`: those that it was made with, if it was made already.

    So a sweep that is given another size goes on as it began.

    Raises:
        UserError: a name is unknown, or the sweep was made and its file cannot be read.
    """
    if AUTO not in (config.sampler, config.pruner):
        return config
    chosen = _made(config) if (config.folder / CONFIG_FILE).exists() else _chosen(config)
    names = {"sampler": config.sampler, "pruner": config.pruner}
    return config.model_copy(
        update={field: chosen[field] if name == AUTO else name for field, name in names.items()}
    )


def _made(config: SweepConfig) -> dict[str, str]:
    made = SweepConfig.load(config.name, config.sweeps_dir, given=URL_FIELDS)
    return {"sampler": made.sampler, "pruner": made.pruner}


def _chosen(config: SweepConfig) -> dict[str, str]:
    """Freezing, and the sampler that learns from curves, where they were seen to find more."""
    freezes = config.pruner == "promotion"
    if config.pruner == AUTO and config.sampler in (AUTO, "curves"):
        varied = sum(ranges.count(distribution) != 1 for distribution in config.space.parameters.values())
        enough = config.max_epochs >= _FEWEST_EPOCHS and varied >= _FEWEST_PARAMETERS
        freezes = config.budget is not None and enough
    return {
        "sampler": "curves" if freezes else "tpe",
        "pruner": "promotion" if freezes else pruner_name(AUTO, config.max_epochs),
    }
