"""What a training is called where a sweep is shown: a trial's key or, of a repetition, what it repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.config.sweep_config import SweepConfig
from search.study.records import TrialRecord, trial_key

_ARM, _REPEAT = "arm", "repeat"  # the parameters of a repetition, which mean nothing to a person


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
        self._order: dict[str, list[object]] = {arm: [] for arm in self._arms}
        self._names: dict[int, str] = {}
        self.heading = "training" if repeats else "trial"
        self.params = [] if repeats else list(config.space.parameters)

    @property
    def repeated(self) -> tuple[Sequence[str], int] | None:
        """The trials that are trained again, and how often each; None: these are trials of their own."""
        return None if self._seeds is None else (self._arms, self._seeds)

    def see(self, record: TrialRecord) -> str:
        """A training's name; seeds are counted as they come, and one that is tried again keeps its place."""
        if record.number not in self._names:
            self._names[record.number] = self._named(record.key, record.params)
        return self._names[record.number]

    def _named(self, key: str, params: Mapping[str, object]) -> str:
        if self._seeds is None or not {_ARM, _REPEAT} <= params.keys():
            return key
        arm = self._arms[int(str(params[_ARM]))]
        seen = self._order[arm]
        if params[_REPEAT] not in seen:
            seen.append(params[_REPEAT])
        return f"{arm}, seed {seen.index(params[_REPEAT]) + 1} of {self._seeds}"
