"""With `--json` stdout is one document of the shape that the reference tells, whatever happens."""

from __future__ import annotations

import functools
import json
import operator
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from script_runs import APPS, Result, run_script
from sweep_fixtures import scripted_sweep

from cifar_cnn.evaluate import summarise as summarise_predictions
from scripts.documents import DOCUMENTS
from scripts.documents.parts import Failure, State
from scripts.retrain_output import retraining
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.engine.observers import Stop
from search.finalists.confirm import Confirmation, Finalist
from search.finalists.examine import Examination
from search.finalists.publish import Published
from search.finalists.retrain import Retrained
from search.policy.making import make_policy
from search.results.statistics import estimates
from search.results.summary import summarise
from search.results.utilisation import Utilisation
from search.study.opening import open_study
from search.study.records import Epoch, Outcome, StopReason
from search.tracking.models import tested
from search.tracking.models.registry import Registration
from search.tracking.repair.view_repair import Repairs
from search.tracking.store import SweepPage

DOCS = Path(__file__).parents[2] / "docs"
RENDERED = runpy.run_path(str(DOCS / "json_documents.py"))
SERVERS = ("serve", "mcp")
TAKES_JSON = {script: Path(app.name[0]).name for script, app in APPS.items() if script not in SERVERS}


def told(script: str, result: Result) -> Any:
    """The document on stdout, checked against what the command may write."""
    documents = [*DOCUMENTS[TAKES_JSON[script]], Failure]
    TypeAdapter(functools.reduce(operator.or_, documents)).validate_json(result.stdout, strict=True)
    return json.loads(result.stdout, parse_constant=pytest.fail)  # of NaN, which is no JSON


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    """A sweep with a complete, a pruned, a diverged, a failed and an unfinished trial."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    pruner = {"pruner": "threshold", "pruner_args": {"lower": 0.2, "n_warmup_steps": 0}}
    config = scripted_sweep(
        name="night", sweeps_dir=tmp_path / "sweeps", tracking_uri=uri, max_epochs=2, **pruner
    )
    with open_study(config, make_policy(config)) as (ledger, _):
        for number, value in enumerate((0.9, 0.1, 0.3, 0.5, 0.5)):
            loss = float("nan") if number == 2 else 0.5
            ledger.start(ledger.ask().number)
            ledger.report(number, Epoch(1, {"val_acc": value, "val_loss": loss}, 1000, "host:1"))
        ledger.report(0, Epoch(2, {"val_acc": 0.9, "val_loss": 0.5}, 1000, "host:1"))
        ledger.complete(0)
        ledger.diverge(2, "val_loss is nan")
        ledger.fail(3, StopReason.ERROR, "ValueError: no")
    return config


def test_the_page_and_the_schemas_are_what_the_models_say() -> None:
    page = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")
    files = {
        path.name: path.read_text(encoding="utf-8") for path in (DOCS / "reference" / "schemas").iterdir()
    }
    assert (RENDERED["page"](), RENDERED["schemas"]()) == (page, files), (
        "`uv run docs/json_documents.py` writes them anew"
    )
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and len(row[2]) > 5 for row in rows), "every key is described"
    assert "| anything |" not in page


def test_every_command_but_the_servers_takes_it() -> None:
    assert set(TAKES_JSON.values()) == set(DOCUMENTS)
    for script in APPS:
        names = {name for each in APPS[script].assemble_argument_collection() for name in each.names}
        assert ("--json" in names) == (script in TAKES_JSON)


@pytest.mark.parametrize("script", TAKES_JSON)
def test_a_refusal_is_a_document_too(script: str, tmp_path: Path) -> None:
    wrong = run_script(script, "--no-such-option", "--json")
    assert wrong.exit_code == 2
    assert told(script, wrong)["error"].startswith("Unknown option: --no-such-option")
    assert wrong.stderr.startswith("error: Unknown option")
    if script not in ("launch", "list"):
        more = [0] if script == "stop" else []
        missing = run_script(script, "day", *more, "--json", "--sweeps-dir", tmp_path)
        assert missing.exit_code == 2
        assert told(script, missing) == {
            "error": missing.stderr.strip().removeprefix("error: "),
            "kind": "usage",
            "next": [],
        }


def test_a_refusal_tells_the_commands_that_it_advises(night: SweepConfig, digits_dir: Path) -> None:
    refused = run_script("launch", "night", "--data-dir", digits_dir, "--json")
    assert refused.exit_code == 2
    (advised,) = told("launch", refused)["next"]
    assert advised.startswith("uv run scripts/resume_sweep.py night")
    assert advised in refused.stderr


def test_a_name_of_bytes_that_are_no_text_is_told() -> None:
    refused = run_script("list", "\udcff", "--json")
    assert refused.exit_code == 2
    assert "\\udcff" in told("list", refused)["error"]


def test_what_reads_a_sweep(night: SweepConfig) -> None:
    (listed,) = told("list", run_script("list", "--json"))["sweeps"]
    assert listed["best"] == {"trial": 0, "value": 0.9}
    result = run_script("compare", "night", "--all", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    (summary,) = told("compare", result)["sweeps"]
    states = ["complete", "pruned", "diverged", "failed", "running"]
    assert [trial["state"] for trial in summary["all_trials"]] == states
    assert summary["all_trials"][2]["history"] == [
        {"epoch": 1, "metrics": {"val_acc": 0.3, "val_loss": None}}
    ]
    assert summary["leaderboard"][0].items() <= summary["all_trials"][0].items()
    both = run_script("compare", "night", "--json", "--format", "csv")
    assert "give it or --json" in told("compare", both)["error"]
    (report,) = told("report", run_script("report", "night", "--json"))["files"]
    assert Path(report).exists()


def test_what_changes_a_sweep(night: SweepConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = told("stop", run_script("stop", "night", 4, "--json"))
    assert stopped["trial"]["state"] == "pruned"
    assert stopped["driver"] is None
    repairs = Repairs(created=6)
    monkeypatch.setattr("search.tracking.repair.sweep_repair.sync_sweep", lambda *_: repairs)
    synced = told("sync", run_script("sync", "night", "--json"))
    assert synced == {"sweep": "night", "created": 6, "completed": 0, "replaced": 0, "duplicates": 0}


@pytest.mark.parametrize(
    ("stop", "missing", "code", "stopped", "advised"),
    [
        (None, None, 0, None, "retrain_best.py night"),
        (Stop.INTERRUPTED, None, 130, "interrupted", "resume_sweep.py night"),
        (Stop.FAILURES, None, 1, "failures", "resume_sweep.py night"),
        (Stop.TIME_BUDGET, None, 0, "time_budget", "resume_sweep.py night"),
        (Stop.HOURS, None, 0, "hours", "resume_sweep.py night"),
        (Stop.WORTHLESS, None, 0, "worthless", "resume_sweep.py night --no-stop-when"),
        (None, "the server is away", 1, None, "resume_sweep.py night"),
    ],
)
def test_how_a_sweep_ended(
    stop: Stop | None,
    missing: str | None,
    code: int,
    stopped: str | None,
    advised: str,
    night: SweepConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_sweep(config: SweepConfig, **_: Any) -> SweepResult:
        print("what a library prints")
        records = summarise("night", night.sweeps_dir).records
        page = SweepPage(config.tracking_uri, "1", "run")
        return SweepResult(config, records, stop, missing, 9.0, page, Utilisation(2, 8.0, 12.0, 1.0))

    monkeypatch.setattr("scripts.sweep_output.run_sweep", run_sweep)
    monkeypatch.setattr("scripts.sweep_output.print_report", lambda _: None)
    (night.sweeps_dir.parent / "mlflow.db").touch()
    result = run_script("resume", "night", "--json")
    assert result.exit_code == code, result.stderr
    document = told("resume", result)
    assert document["stop"] == stopped
    assert document["missing"] == ([] if missing is None else [missing])
    assert [command.partition("scripts/")[2] for command in document["next"]] == [advised]
    assert document["trials"] == {"running": 1, "complete": 1, "pruned": 1, "diverged": 1, "failed": 1}
    assert [trial["error"] for trial in document["failed"]] == ["ValueError: no"]
    assert document["utilisation"]["efficiency"] == 0.75
    assert document["report"] == str(night.folder / "report.html")
    assert set(document["mlflow"]) == {"leaderboard", "charts", "all trials"}
    assert "what a library prints" in result.stderr
    assert "1 complete, 1 pruned" in result.stderr, "people see what they always see"


def test_what_a_launch_would_do(tmp_path: Path, digits_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["day", "--data-dir", digits_dir, "--trials", 4, "--max-epochs", 3, "--gpus-per-trial", 0]
    plan = told("launch", run_script("launch", *words, "--dry-run", "--json"))
    assert (plan["most_trials"], plan["max_epochs"]) == (4, 3)
    assert plan["cost"]["images_per_s"] > 0
    saved = told("launch", run_script("launch", *words, "--save-config", "day.toml", "--json"))
    assert Path(saved["file"]).exists()
    assert saved["next"] == ["uv run scripts/launch_sweep.py day.toml"]


def test_a_retraining(night: SweepConfig) -> None:
    summary = summarise("night", night.sweeps_dir)
    record = summary.records[0]
    found = estimates({0: (0.6, 0.61)})[0]
    confirmation = Confirmation((Finalist(record, (0.6, 0.61), 0, found),), most=3)
    retrained = Retrained(
        SweepResult(night, [], None, None, 1.0, None, None),
        tested.Tested("night", 0, 4, 1, tested.ACCURACY, (0.7,), images=1000),
        {tested.ACCURACY: (0.7,)},
        1,
        Path("final"),
        Path("model"),
        None,
        Published("models:/m-1", Registration("cifar-cnn", 1, True, "champion: there was none")),
    )
    document = retraining(summary, record, confirmation, retrained, [])
    assert document.finalists[0].mean == pytest.approx(0.605)
    assert document.test[tested.ACCURACY].low is None
    assert document.next == ["uv run scripts/serve_model.py model"]
    quick = retraining(summary, record, None, retrained, ["the server is away"])
    assert (quick.finalists, quick.missing) == ([], ["the server is away"])


def test_an_evaluation(night: SweepConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch.tensor([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    found = summarise_predictions(right, torch.tensor([0] * 7 + [1] * 3), ("cat", "dog"), "test")
    examined = Examination(night, found, {"noise": [0.6, 0.5, 0.4]}, [Path("confusion.png")])
    monkeypatch.setattr("search.finalists.examine.examine", lambda *_, **__: examined)
    monkeypatch.setattr("search.finalists.examine.log_examination", lambda _: False)
    result = run_script("evaluate", "night", "--json")
    assert result.exit_code == 1
    document = told("evaluate", result)
    assert document["accuracy"] == found.accuracy
    assert [(each["name"], each["images"]) for each in document["classes"]] == [("cat", 7), ("dog", 3)]
    assert document["next"][0].startswith("uv run scripts/sync_mlflow.py night")


def test_an_interrupted_command_says_so(night: SweepConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("search.tracking.repair.sweep_repair.sync_sweep", interrupt)
    result = run_script("sync", "night", "--json")
    assert result.exit_code == 130
    assert told("sync", result) == {"error": "interrupted", "kind": "interrupted", "next": []}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_state_of_a_trial_is_known(outcome: Outcome) -> None:
    TypeAdapter(State).validate_python(outcome.value)
