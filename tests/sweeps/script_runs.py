"""Scripts run in this process: one of its own takes seconds to import everything."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from scripts import (
    compare_trials,
    evaluate_model,
    launch_sweep,
    report_sweep,
    resume_sweep,
    retrain_best,
    serve_model,
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
}


def run_script(script: str, *arguments: object) -> Result:
    """What a script printed and its exit code; whatever it does not turn into one is raised."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(APPS[script], words, catch_exceptions=False)


def write_space(file: Path, parameters: str, fixed: str = "") -> Path:
    """A user's own space."""
    file.write_text(
        "from optuna.distributions import FloatDistribution, IntDistribution\n"
        "from spaces.space import SearchSpace\n"
        "SPACE = SearchSpace(name='mine', description='My own.', "
        f"parameters={{{parameters}}}, fixed={{{fixed}}})\n"
    )
    return file
