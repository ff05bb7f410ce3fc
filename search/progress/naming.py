"""What a training is called where a sweep is shown: a trial's key or, of a repetition, what it repeats."""

from __future__ import annotations

from collections.abc import Sequence

from search.config.sweep_config import SweepConfig
from search.objective.repeated import ARM, REPEAT
from search.study.records import TrialRecord, trial_key


class Naming:
    """Names of a sweep's trainings: `trial-007`, or `trial-011, seed 2 of 3` where one is trained again.

    Args:
        config: the sweep.

    Attributes:
        heading: of a column of such names.
        params: the parameters that are worth showing, in the space's order.

    Example:
        >>> from optuna.distributions import IntDistribution
        >>> from optuna.trial import TrialState
        >>> from spaces.space import SearchSpace
        >>> parameters = {"arm": IntDistribution(0, 0), "repeat": IntDistribution(0, 999)}
        >>> space = SearchSpace(name="seeds", description="Seeds.", parameters=parameters)
        >>> needed = {"name": "day", "space": space, "objective": "math:sqrt", "trials": 3, "max_epochs": 1}
        >>> naming = Naming(SweepConfig(**needed, kind="retrain", tags={"sweep.of_trial": "11"}))
        >>> naming.see(TrialRecord(0, TrialState.RUNNING, {"arm": 0, "repeat": 993}))
        'trial-011, seed 1 of 3'
    """

    def __init__(self, config: SweepConfig) -> None:
        tags = config.tags
        of = tags.get("sweep.of_trials") or tags.get("sweep.of_trial") or ""
        self._arms = [trial_key(int(number)) for number in of.split(",")] if of else []
        repeats = config.kind != "sweep" and bool(self._arms)
        self._seeds = config.most_trials // len(self._arms) if repeats else None
        self._kind = config.kind
        self._seed: dict[int, int] = {}  # by the training's number, from 1
        self.heading = "training" if repeats else "trial"
        self.params = [] if repeats else list(config.space.parameters)

    @property
    def repeated(self) -> tuple[Sequence[str], int] | None:
        """The trials that are trained again, and how often each; None: these are trials of their own."""
        return None if self._seeds is None else (self._arms, self._seeds)

    def see(self, record: TrialRecord) -> str:
        """A training's name; one that is tried again keeps its seed's number."""
        if self._seeds is None or not {ARM, REPEAT} <= record.params.keys():
            return record.key
        if record.number not in self._seed:
            self._seed[record.number] = self._seed_of(record)
        of = "" if self._kind == "confirm" else f" of {self._seeds}"  # of a race nobody knows how many
        return f"{self._arms[record.params[ARM]]}, seed {self._seed[record.number]}{of}"

    def _seed_of(self, record: TrialRecord) -> int:
        if self._kind == "confirm":  # which trains them in turn
            return int(record.params[REPEAT]) + 1
        if record.retry_of is None:  # they are drawn from very many
            return record.number + 1
        return self._seed.get(record.retry_of, record.retry_of + 1)
