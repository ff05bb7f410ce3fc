"""A sweep's run in MLflow leads to its report, and has the importances as numbers and as a picture."""

from __future__ import annotations

from pathlib import Path

from sweep_makers import open_ledger, run_trial, sweep_config

from search.reporting.paper_figures import importances_figure
from search.results.summary import summarise
from search.study.database import opened_storage
from search.tracking.repair.view_repair import Repairs, sync_view
from search.tracking.store import SweepPage, TrackingStore
from search.tracking.sweep_report import log_report


def test_a_report_is_added_once_and_again_and_a_repair_leaves_it(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, trials=6, tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for number in range(6):
            run_trial(ledger, [0.1, 0.2, 0.3 + number / 10])
    summary = summarise(config.name, tmp_path)
    store = TrackingStore(config.tracking_uri, config.experiment)
    sync_view(store, config, summary.sweep_id, summary.records)
    run = store.find_run(sweep__id=summary.sweep_id, sweep__kind=config.kind)
    assert run is not None
    page = SweepPage(store.uri, store.experiment_id, run.info.run_id)
    report = tmp_path / "report.html"
    for text in ("first", "second"):
        report.write_text(text)
        log_report(page, summary, report, importances_figure(summary))
    client = store.client
    assert {file.path for file in client.list_artifacts(page.sweep_run_id)} >= {
        "report.html",
        "importances.png",
    }
    assert Path(client.download_artifacts(page.sweep_run_id, "report.html")).read_text() == "second"
    data = client.get_run(page.sweep_run_id).data
    link = f"[Report](#/experiments/{page.experiment_id}/runs/{page.sweep_run_id}/artifacts/report.html)"
    assert data.tags["mlflow.note.content"].startswith(f"{link} **try**: 6 of 6 trials")
    assert data.tags["mlflow.note.content"].count(link) == 1
    shares = {name: share for name, share in data.metrics.items() if name.startswith("importances/")}
    assert shares == {f"importances/{name}": share for name, share in summary.importances.items()}
    (point,) = client.get_metric_history(page.sweep_run_id, "importances/lr")
    assert point.step == 6, "of so many trials"
    assert sync_view(store, config, summary.sweep_id, summary.records) == Repairs()
