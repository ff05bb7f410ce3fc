"""A sweep opened for reading, from Python and notebooks: tables, figures, the best. Nothing here writes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import optuna

from search.config.sweep_config import SweepConfig
from search.results.columns import Columns, apart
from search.results.leaderboard import cause, latest, outcomes
from search.results.summary import SweepSummary, summary_of
from search.study.records import TrialRecord
from search.study.snapshot import snapshot, with_epochs_joined

if TYPE_CHECKING:  # half a second of imports each, that `open_sweep` alone does without
    import pandas as pd
    import plotly.graph_objects as go

# The tables' own columns, whatever the sweep's metrics and parameters are called.
_BEFORE_PARAMS = ("trial", "state", "stop_reason", "epochs", "thawed", "train_s")
_AFTER_PARAMS = ("started", "ended", "error", "mlflow_run_id")
_OF_AN_EPOCH = ("trial", "epoch", "time")
_SHOWN_IN_NOTEBOOK = 10  # trials of the leaderboard


def open_sweep(name: str, sweeps_dir: str | Path = "sweeps") -> Sweep:
    """Open a sweep for reading; it may be running, or be one that was interrupted.

    Args:
        name: of the sweep.
        sweeps_dir: folder that holds one folder per sweep.

    Raises:
        UserError: there is no such sweep, or its storage does not answer; names the sweeps there are.
    """
    return Sweep(SweepConfig.load(name, Path(sweeps_dir)))


class Sweep:
    """A sweep as it was at one moment: when it was opened, or at the last `refresh`.

    All that it gives belongs to that moment, so that tables and figures agree while a driver goes on.
    Nothing is written, neither to the sweep nor to MLflow.

    Attributes:
        config: what defines the sweep and how it is run.

    Example:
        >>> sweep = open_sweep("night")
        >>> sweep
        <Sweep night: 2 complete, 1 pruned>
        >>> sweep.trials_frame()[["trial", "state", "val_acc", "epochs", "lr"]]
           trial     state  val_acc  epochs    lr
        0      0  complete      0.5       2  0.01
        1      1  complete      0.8       2  0.10
        2      2    pruned      0.1       1  1.00
        >>> sweep.best.key
        'trial-001'
        >>> sweep.best_configuration
        {'lr': 0.1, 'optimizer': 'sgd'}
    """

    config: SweepConfig

    def __init__(self, config: SweepConfig) -> None:
        self.config = config
        self._snapshot = snapshot(config)

    def refresh(self) -> Self:
        """Read the study again, and return this sweep.

        Raises:
            UserError: the storage does not answer, or the study is gone.
        """
        self.config = SweepConfig.load(self.config.name, self.config.sweeps_dir)  # a resume may let it grow
        self._snapshot = snapshot(self.config)
        for made in ("summary", "study"):
            self.__dict__.pop(made, None)
        return self

    @functools.cached_property
    def summary(self) -> SweepSummary:
        """Records, importances of the parameters, and what pruning saved."""
        return summary_of(self.config, self._snapshot)

    @functools.cached_property
    def study(self) -> optuna.Study:
        """A copy of its Optuna study in memory, for any of Optuna's own tools.

        What a trial reported at each epoch is together in its attribute `epochs`.
        """
        return with_epochs_joined(self._snapshot)

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial that was started, by number."""
        return self.summary.records

    @property
    def best(self) -> TrialRecord | None:
        """The best completed trial; None while there is none."""
        return next(iter(self.summary.leaderboard), None)

    @property
    def best_configuration(self) -> dict[str, Any] | None:
        """The best trial's parameters together with what the space holds fixed; None while there is none."""
        return None if self.best is None else self.config.configuration(self.best.params)

    def trials_frame(self) -> pd.DataFrame:
        """A row for each trial: state, metric, epochs, seconds of training, parameters, error, MLflow run.

        `thawed` counts how often it went on after it was frozen. The metric is the trial's value or, if it
        did not complete, what it last reported. A parameter or metric that is called like another column has
        `param.` or `metric.` before its name. `error` is the line that names it; `records` have all of it.
        Times are UTC.
        """
        import pandas as pd

        names = Columns.of([self.config], [*_BEFORE_PARAMS, *_AFTER_PARAMS])
        metric = names.metrics[self.config.metric]
        rows = [
            {
                "trial": record.number,
                "state": str(record.outcome),
                "stop_reason": None if record.stop_reason is None else str(record.stop_reason),
                "epochs": len(record.epochs),
                "thawed": record.thawed,
                "train_s": record.train_seconds,
                metric: latest(record, self.config.metric),
                **{column: record.params.get(name) for name, column in names.params.items()},
                "started": record.started_ms,
                "ended": record.ended_ms,
                "error": None if record.error is None else cause(record.error),
                "mlflow_run_id": record.run_id,
            }
            for record in self.records
        ]
        columns = [*_BEFORE_PARAMS, metric, *names.params.values(), *_AFTER_PARAMS]
        frame = pd.DataFrame(rows, columns=columns)
        for column in ("started", "ended"):
            frame[column] = pd.to_datetime(frame[column], unit="ms", utc=True)
        return frame

    def curves_frame(self) -> pd.DataFrame:
        """A row for each finished epoch of each trial, with every metric that it reported.

        `epoch` counts from 1, `time` is when the epoch was reported, in UTC. A metric that is called like one
        of these columns has `metric.` before its name.
        """
        import pandas as pd

        epochs = [(record.number, epoch) for record in self.records for epoch in record.epochs]
        names = apart("metric", (name for _, epoch in epochs for name in epoch.metrics), _OF_AN_EPOCH)
        rows = [
            {"trial": number, "epoch": epoch.epoch, "time": epoch.timestamp_ms}
            | {names[name]: value for name, value in epoch.metrics.items()}
            for number, epoch in epochs
        ]
        frame = pd.DataFrame(rows, columns=[*_OF_AN_EPOCH, *names.values()])
        frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
        return frame

    @property
    def figures(self) -> dict[str, go.Figure]:
        """The report's figures by name, such as `learning_curves`, `timeline`, `importances`, `slice_lr`.

        Those for which there are too few trials are left out. They are plotly's, made anew at each access.
        """
        from search.reporting.figures import sweep_sections

        sections = sweep_sections(self.summary)
        return {name: figure for section in sections for name, figure in section.figures.items()}

    def __repr__(self) -> str:
        return f"<Sweep {self.config.name}: {outcomes(self.records) or 'no trials yet'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the counts, the best, the top of the leaderboard."""
        from search.reporting.report import summary_html

        return summary_html(self.summary, _SHOWN_IN_NOTEBOOK)
