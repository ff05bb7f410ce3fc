"""A report is one file that needs nothing else, whatever the sweep has come to."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from script_runs import run_script
from studies import study_of
from sweep_makers import DISCRETE, epoch, freezing, open_ledger, run_trial, started, sweep_config

from search.cifar.sweep import OBJECTIVE
from search.config.sweep_config import SweepConfig
from search.finalists.choosing import choose_finalists
from search.finalists.confirm import confirm_config, newest_confirmation
from search.reporting import figures
from search.reporting.paper_figures import write_figures
from search.reporting.report import write_report
from search.reporting.run_links import RunLinks
from search.reporting.trials_table import trials_table
from search.results.summary import summarise
from search.study.database import opened_storage
from search.study.records import StopReason
from search.tracking.store import SweepPage


@pytest.mark.parametrize("trials", [0, 1, 20, 300])
def test_a_report_stands_by_itself(trials: int, tmp_path: Path) -> None:
    config = study_of(tmp_path, trials)
    html = write_report(summarise(config.name, tmp_path), tmp_path / "reports" / "try.html").read_text()
    body = html.partition("</script>")[2]  # after plotly's own code
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html), "nothing is loaded from elsewhere"
    assert ("Learning curves" in body) == ("Timeline of the workers" in body) == (trials > 0)
    assert len(re.findall(r"<td>trial-\d{3}</td>", body)) == {0: 0, 1: 1, 20: 13, 300: 20}[trials]
    assert ("All trials" in body) == (trials > 0)
    assert ("Parameter importances" in body) == (trials >= 20)
    assert (" core-hours of training" in body) == (trials > 0)
    assert ("&lt;script&gt;alert(1)" in body) == (trials >= 20)
    assert "<script>alert" not in body
    assert len(html) < 8_000_000
    assert "showSendToCloud: false" in body, "nothing is sent elsewhere"


@pytest.mark.parametrize("most", [7, None], ids=["stopped", "ended"])
def test_a_report_of_a_sweep_that_freezes_has_its_rungs_and_choices(tmp_path: Path, most: int | None) -> None:
    config = sweep_config(tmp_path, pruner="promotion", max_epochs=9, trials=None, budget="8x")
    config.save()
    with opened_storage(config.storage_url) as storage:
        freezing(open_ledger(config, storage), config.max_epochs, most)
    body = (
        write_report(summarise(config.name, tmp_path), tmp_path / "report.html")
        .read_text()
        .partition("</script>")[2]
    )
    rungs = body.partition("<h2>Rungs</h2>")[2].partition("<h2>What free slots")[0]
    assert re.findall(r"<td>(\d of 9)</td>", rungs)[0] == "1 of 9"
    choices = body.partition("<h2>What free slots did last</h2>")[2].partition("<h2>")[0]
    assert "<td>thawed trial-0" in choices
    assert "<dt>spent</dt>" in body
    assert "against training every trial to its end" in body
    if most is not None:
        assert "No trial is complete yet, best so far trial-0" in body
        frozen = body.partition("<h2>Frozen trials, the furthest first</h2>")[2].partition("<h2>")[0]
        assert re.search(r"<td>trial-0\d\d</td>\s*<td>frozen at 3 of 9, thawed once</td>", frozen)
        (tmp_path / "figures").mkdir()
        assert write_figures(config.name, tmp_path, tmp_path / "figures")
    told = run_script("compare", config.name, "--sweeps-dir", tmp_path).stdout
    assert re.search(r"went on beyond rungs: \d+ of \d+ at epoch 1", told)
    assert bool(re.search(r"trial-0\d\d frozen at 3 of 9, thawed once: val_acc 0\.3", told)) == (
        most is not None
    )
    assert re.search(r"last choice: (thawed|began) trial-\d{3}", told)
    assert (f"no trial has completed yet; best so far of {config.name}: trial-0" in told) == (
        most is not None
    )


def test_configurations_with_several_seeds_are_told_by_their_means(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, space=DISCRETE, trials=12)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for number in range(12):
            run_trial(ledger, [number / 100] * 3)
    body = (
        write_report(summarise(config.name, tmp_path), tmp_path / "report.html")
        .read_text()
        .partition("</script>")[2]
    )
    table = body.partition("<h2>Configurations by the mean of their seeds</h2>")[2].partition("</table>")[0]
    seeds = [int(count) for count in re.findall(r"<td>(\d+)</td>\s*<td>0\.\d", table)]
    assert sum(seeds) == 12
    assert max(seeds) > 1


def test_a_sweep_that_keeps_failing_is_told_in_short(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, trials=12)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for number in range(12):
            started(ledger)
            ledger.fail(number, StopReason.ERROR, f"ValueError: {number}")
    html = write_report(summarise(config.name, tmp_path), tmp_path / "report.html").read_text()
    assert len(re.findall("<pre>ValueError", html)) == 10
    assert "2 more failed." in html


def confirmation_of(config: SweepConfig, top: int, seeds: int, trained: int) -> None:
    """A confirmation of the best, as far as so many trainings; the last finalist's first one failed."""
    summary = summarise(config.name, config.sweeps_dir)
    confirming = confirm_config(summary, choose_finalists(summary, top), seeds)
    confirming.save()
    if not trained:
        return
    with opened_storage(confirming.storage_url) as storage:
        ledger = open_ledger(confirming, storage)
        failed = False
        for number in range(trained):
            arm = started(ledger).params["arm"]
            if arm == top - 1 and not failed:
                ledger.diverge(number, "it diverged")
                failed = True
                continue
            for step in range(1, confirming.max_epochs + 1):
                ledger.report(number, epoch(step, 0.5 + arm / 10))
            ledger.complete(number)


def test_a_report_tells_the_newest_whole_confirmation_and_stands_without_those_that_are_none(
    tmp_path: Path,
) -> None:
    config = study_of(tmp_path, 20, name="n" * 60, objective=OBJECTIVE)
    confirmation_of(config, top=2, seeds=2, trained=4)
    confirmation_of(config, top=3, seeds=2, trained=3)  # interrupted
    confirmation_of(config, top=11, seeds=1, trained=0)  # killed as it began
    found = newest_confirmation(summarise(config.name, tmp_path))
    assert found is not None
    assert [(len(finalist.values), finalist.failed) for finalist in found.finalists] == [(3, 0)]
    html = write_report(summarise(config.name, tmp_path), tmp_path / "report.html").read_text()
    rows = html.partition("Confirmed with fresh seeds")[2].partition("</table>")[0]
    assert len(re.findall(r"<td>trial-\d{3}</td>", rows)) == 2, "the one that failed is there, too"


def test_all_trials_are_in_a_table_with_what_each_column_is_sorted_by(tmp_path: Path) -> None:
    config = study_of(tmp_path, 300)
    summary = summarise(config.name, tmp_path)
    table = trials_table(summary, ["lr", "momentum", "optimizer"], {"trial-007": "http://mlflow/#/runs/7"})
    assert table.headings == [
        "trial",
        "state",
        "val_acc",
        "epochs",
        "train time",
        "lr",
        "momentum",
        "optimizer",
    ]
    rows = table.rows
    assert [row.cells[0] for row in rows] == [(record.key, record.number) for record in summary.records]
    assert rows[7].cells[2] == ("0.3070", 0.307), "the one that failed, at its last value"
    assert [row.cells[6][1] for row in rows] == [each.params.get("momentum") for each in summary.records]
    assert [row.address for row in rows if row.address] == [rows[7].address]
    assert len(set(rows[1].curve.split())) == 1
    assert rows[0].curve.split()[1].startswith("40,"), "its second epoch of three stands in the middle"
    shown = json.loads(table.to_json())
    assert len(shown["rows"]) == 300
    assert shown["rows"][7][2] == "http://mlflow/#/runs/7"


def test_a_report_leads_to_the_runs_in_mlflow_and_says_how_to_open_it(tmp_path: Path) -> None:
    config = study_of(tmp_path, 2)
    with opened_storage(config.storage_url) as storage:
        open_ledger(config, storage).set_run_id(0, "0a1b")
    summary = summarise(config.name, tmp_path)
    served = dataclasses.replace(
        summary, config=config.model_copy(update={"tracking_uri": "http://me:pw@mlflow:5000"})
    )
    base, learning = "http://mlflow:5000/#", "?workflowType=machine_learning"
    page = SweepPage("http://mlflow:5000", experiment_id="3", sweep_run_id="feed")
    assert RunLinks.of(served, page) == RunLinks(
        sweep=f"{base}/experiments/3/runs/feed{learning}",
        trials={"trial-000": f"{base}/experiments/3/runs/0a1b{learning}"},
        first="",
    )
    assert RunLinks.of(served).trials == {"trial-000": f"{base}/runs/0a1b{learning}"}
    of_file = RunLinks.of(summary, page, "open it so")
    assert of_file.first == "First open MLflow's UI: open it so"
    html = write_report(summarise(config.name, tmp_path), tmp_path / "report.html", of_file).read_text()
    body = html.partition("</script>")[2]
    for address in (of_file.sweep, of_file.trials["trial-000"]):
        assert f'href="{address}"' in body
    assert of_file.first.replace("'", "&#39;") in body


def test_importances_say_what_they_are_of_how_many_trials_and_how_sure(tmp_path: Path) -> None:
    for trials, caution in (
        (20, "Of 13 complete trials: too few"),
        (90, "Of 60 complete trials: small differences"),
    ):
        config = study_of(tmp_path, trials, name=f"of{trials}")
        sections = figures.sweep_sections(summarise(config.name, tmp_path))
        (section,) = (each for each in sections if "importances" in each.figures)
        assert caution in section.note
        assert "no share of the metric's variation" in section.note
