"""Errors whose text no store takes as it is: the study keeps them, MLflow is complete, the report written."""

from __future__ import annotations

from pathlib import Path

import fault_objectives
import optuna
import pytest
from fault_postgres import Postgres
from fault_tools import logged_sweep
from optuna.trial import TrialState
from sweep_checks import check_study, check_view, records_in

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.policy.making import make_policy
from search.reporting.report import write_report
from search.results.summary import summarise
from search.study.database import opened_storage
from search.study.opening import open_study
from search.text import MOST_LETTERS

pytestmark = pytest.mark.usefixtures("local_ray", "by_value")

TOLD = {
    "surrogate": r"FileNotFoundError: [Errno 2] no such file: '/data/caf\udce9/\ud83d.png'",
    "nul": r"ValueError: bad header: \x00\x00PNG\x1b[2J",
    "untold": "Unspeakable: <exception str() failed>",
    "long": " end",
    "metric": r"ValueError: metric 'caf\udce9' cannot be shown in MLflow: ",
}
SHORT, REST = list(TOLD)[:3], list(TOLD)[3:]  # each costs a worker


@pytest.mark.parametrize(
    ("kind", "ways"),
    [
        ("sqlite", SHORT),
        pytest.param("sqlite", REST, marks=pytest.mark.slow),
        pytest.param("postgresql", list(TOLD), marks=pytest.mark.slow),
    ],
)
def test_what_a_training_function_says_is_kept_by_all(
    tmp_path: Path, tracking_uri: str, kind: str, ways: list[str], request: pytest.FixtureRequest
) -> None:
    storage = None
    if kind == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        storage = postgres.new_database()
    speak, trials = {str(number): how for number, how in enumerate(ways, 1)}, len(ways) + 2
    config = logged_sweep(
        tmp_path, tracking_uri, trials=trials, concurrency=2, storage=storage, settings={"speak": speak}
    )
    config = config.model_copy(update={"max_failed_share": 1.0})
    result = run_sweep(config, fault_objectives.speak)
    records = check_study(config, trials)
    assert [record.state.name for record in records] == ["COMPLETE", *["FAIL"] * len(ways), "COMPLETE"]
    for record, how in zip(records[1:-1], ways, strict=True):
        assert record.error is not None
        assert TOLD[how] in record.error.splitlines()[-1]
        assert len(record.error) <= MOST_LETTERS
    assert result.view_missing is None
    check_view(config)
    page = write_report(summarise(config.name, config.sweeps_dir), tmp_path / "report.html").read_text()
    assert ("nul" not in ways) or r"bad header: \x00\x00PNG" in page


def test_a_study_of_an_earlier_version_that_holds_such_text_is_shown(
    tmp_path: Path, tracking_uri: str
) -> None:
    config: SweepConfig = logged_sweep(tmp_path, tracking_uri, trials=2)
    with open_study(config, make_policy(config)):
        pass  # it is there now
    with opened_storage(config.storage_url) as storage:
        study = optuna.load_study(study_name=config.name, storage=storage)
        trial = study.ask()
        trial.set_user_attr("stop_reason", "error")
        trial.set_user_attr("error", "no file caf\udce9.png")
        study.tell(trial, state=TrialState.FAIL)
    assert run_sweep(config, fault_objectives.scripted.report_only).view_missing is None
    assert records_in(config)[0].error == r"no file caf\udce9.png"
    check_view(config)
    write_report(summarise(config.name, config.sweeps_dir), tmp_path / "report.html")
