"""Scripts run in this process: one of its own takes seconds to import everything."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import (
    cli,
    compare_trials,
    evaluate_model,
    launch_sweep,
    list_sweeps,
    mcp_server,
    report_sweep,
    resume_sweep,
    retrain_best,
    serve_model,
    stop_trial,
    sync_mlflow,
)

APPS = {
    "launch": launch_sweep.app,
    "resume": resume_sweep.app,
    "compare": compare_trials.app,
    "retrain": retrain_best.app,
    "evaluate": evaluate_model.app,
    "report": report_sweep.app,
    "sync": sync_mlflow.app,
    "serve": serve_model.app,
    "list": list_sweeps.app,
    "stop": stop_trial.app,
    "mcp": mcp_server.app,
}


@dataclass(frozen=True)
class Result:
    """How a script ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr


def run_script(script: str, *arguments: object) -> Result:
    """What a script printed and its exit code; whatever it does not turn into one is raised."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _log_records_as_before(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main(APPS[script], [str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _log_records_as_before() -> Iterator[None]:
    """A script has the library's warnings name options; what else this process logs names fields."""
    factory = logging.getLogRecordFactory()
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)


def write_space(file: Path, parameters: str, fixed: str = "") -> Path:
    """A user's own space."""
    file.write_text(
        "from optuna.distributions import FloatDistribution, IntDistribution\n"
        "from spaces.space import SearchSpace\n"
        "SPACE = SearchSpace(name='mine', description='My own.', "
        f"parameters={{{parameters}}}, fixed={{{fixed}}})\n"
    )
    return file
