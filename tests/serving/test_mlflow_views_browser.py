"""The saved views in the real MLflow UI, in a fresh browser: their format is the UI's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from browsers import NEEDS_BROWSER, browsing, free_port, serving
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from search.tracking.pages.links import leaderboard_link, ui_arguments, view_link
from search.tracking.pages.saved_views import charts_view, leaderboard_view, view_key

TRIALS = [f"trial-{number:03d}" for number in range(12)]  # more than the ten that the UI draws by itself
PARAMS = ["depth", "lr", "lr_log10"]

pytestmark = NEEDS_BROWSER


def _fill(uri: str, artifacts: Path) -> tuple[str, str]:
    """A sweep of twelve trials and a stranger, with both views; returns the experiment and the parent run."""
    client = MlflowClient(uri)
    experiment = client.create_experiment("views", artifact_location=artifacts.as_uri())
    parent = client.create_run(experiment, run_name="sweep").info.run_id
    client.create_run(experiment, run_name="stranger")
    for number, name in enumerate(TRIALS):
        tags = {"mlflow.parentRunId": parent, "sweep.state": "complete"}
        run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        by_epoch = {"val_acc": 0.5 + number / 100, "train_loss": 2.0, "val_loss": 3.0}
        metrics = [Metric(key, by_epoch[key] * epoch, epoch, epoch) for key in by_epoch for epoch in (1, 2)]
        metrics.append(Metric("final_val_acc", 0.5 + number / 100, 3, 0))
        params = {"depth": number % 4 + 2, "lr": 10.0 ** -(number % 3 + 1), "lr_log10": -(number % 3 + 1)}
        client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in params.items()])
        client.set_terminated(run_id)
    for view in (leaderboard_view, charts_view):
        client.set_experiment_tag(experiment, *view(parent, PARAMS, "final_val_acc", False, name="mine"))
    return experiment, parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The MLflow UI over a small store: its address, the experiment and the sweep's parent run."""
    folder = tmp_path_factory.mktemp("site")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    experiment, parent = _fill(uri, folder / "artifacts")
    port = free_port()
    started = ui_arguments(uri, port=port)
    assert started is not None
    url = f"http://127.0.0.1:{port}"
    with serving(*started, health=f"{url}/health", folder=folder):
        yield url, experiment, parent


def _page(url: str, folder: Path, wanted: Sequence[str]) -> str:
    """The page in a fresh browser, as soon as it shows all that is wanted, or after two minutes."""
    with browsing(folder, width=2400, height=2400) as browser:
        browser.open(url)
        return browser.source_with(wanted)


def _missing(page: str, wanted: Sequence[str]) -> list[str]:
    return [text for text in wanted if text not in page]


def test_the_leaderboard_shows_the_trials_best_first(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    titles = ["sweep.state", "final_val_acc", *PARAMS, "Duration"]
    wanted = [f">{text}<" for text in [*TRIALS, *titles, "mine"]]
    link = view_link(url, experiment, view_key(parent, charts=False), charts=False)
    page = _page(link, tmp_path, wanted)
    assert _missing(page, wanted) == []
    assert sorted(TRIALS, key=lambda name: page.index(f">{name}<")) == TRIALS[::-1]
    assert "stranger" not in page


def test_the_charts_are_drawn_for_every_trial(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    titles = [
        "Parallel Coordinates",
        "lr_log10 vs. final_val_acc",
        "lr_log10 vs. depth vs. final_val_acc",
        "val_acc",
        "train_loss",
        "val_loss",  # the UI's own, in the section below
    ]
    legends = [f"{name} (val_acc)" for name in TRIALS]
    wanted = [*titles, *legends]
    page = _page(view_link(url, experiment, view_key(parent, charts=True), charts=True), tmp_path, wanted)
    assert _missing(page, wanted) == []


def test_the_leaderboard_link_needs_no_view(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    wanted = [f">{name}<" for name in TRIALS]
    link = leaderboard_link(url, experiment, parent, "final_val_acc", ascending=True)
    page = _page(link, tmp_path, wanted)
    assert _missing(page, wanted) == []
    assert sorted(TRIALS, key=lambda name: page.index(f">{name}<")) == TRIALS
    assert "stranger" not in page
