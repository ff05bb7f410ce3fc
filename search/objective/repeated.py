"""A training function called again with configurations that are there already, and with fresh seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cifar_cnn.seeds import derive_seed
from search.objective.context import Objective, TrialContext

REPEATS = "sweep.repeats"  # of a sweep's settings, beside those of the training function
KIND, ARMS = "kind", "arms"  # what it repeats for, and which configurations
ARM, REPEAT = "arm", "repeat"  # the parameters: which configuration, and with which of its seeds
MOST_SEEDS = 1000  # of a configuration


@dataclass(frozen=True)
class Repeated:
    """The objective of a sweep over seeds, whose parameters are `arm` and `repeat`.

    Its settings have the `kind` of the repetition and the `arms`, a configuration each, which the training
    function does not see. A seed follows from kind and repeat, so that it is none of those that the arms
    were chosen by, and the same for all arms.

    Attributes:
        objective: the training function.

    Example:
        >>> def train(params, context):
        ...     print(params, context.seed < 2**31)
        >>> settings = {REPEATS: {KIND: "confirm", ARMS: [{"lr": 0.1}, {"lr": 0.2}]}}
        >>> context = TrialContext(max_epochs=1, scratch=None, on_report=print, settings=settings)
        >>> Repeated(train)({"arm": 1, "repeat": 0}, context)
        {'lr': 0.2} True
    """

    objective: Objective

    def makers(self) -> list[Callable[..., Any]]:
        """What the user has written."""
        return makers(self.objective)

    def __call__(self, params: Mapping[str, Any], context: TrialContext) -> None:
        """Train one of the configurations with one of the fresh seeds.

        Raises:
            Exception: as the training function.
        """
        arm, repeats = params[ARM], context.settings[REPEATS]
        context.settings = {name: value for name, value in context.settings.items() if name != REPEATS}
        # Small enough for numpy's and Lightning's own seeding; of the time when arms had seeds of their own
        # the first arm's stay, which retrainings have.
        context.seed = derive_seed(f"fresh, {repeats[KIND]}", 0, params[REPEAT]) % 2**31
        self.objective(repeats[ARMS][arm], context)


def makers(objective: Objective) -> list[Callable[..., Any]]:
    """The functions and classes that a training function is made of, whose modules its workers need."""
    made_of = getattr(objective, "makers", None)
    return [objective] if made_of is None else list(made_of())
