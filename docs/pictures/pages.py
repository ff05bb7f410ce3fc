"""Pictures of a finished sweep's report and of MLflow's page of it: `report.png` and `mlflow.png`.

uv run scripts/launch_sweep.py night --space baseline --dataset digits --trials 40 --max-epochs 9
uv run docs/pictures/pages.py night     # needs Chromium and its driver
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from search.results.summary import summarise
from search.tracking.pages.links import ui_arguments
from search.tracking.pages.server import links, sweep_page

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "serving"))
from browsers import browsing, free_port, serving  # noqa: E402  (the tests' own)

WIDTH, HEIGHT = 1400, 1500
_DRAWN_S = 15.0  # that charts take after their page is there
# What is looked at: the report's charts; MLflow without its assistant and a banner.
_FIRST = {
    "report": "[...document.querySelectorAll('h2')].find(h => h.textContent == 'Learning curves')"
    ".scrollIntoView()",
    "mlflow": "for (const label of ['Close', 'Hide banner'])"
    "document.querySelector(`[aria-label='${label}']`)?.click()",
}


def main() -> None:
    """Take both pictures of the sweep that is named."""
    summary, port = summarise(sys.argv[1], Path("sweeps")), free_port()
    page = sweep_page(summary)
    started = ui_arguments(summary.config.tracking_uri, port=port)
    assert page is not None
    assert started is not None, "the store is a server"
    arguments, variables = started
    addresses = {
        "report": (summary.config.folder / "report.html").as_uri(),
        "mlflow": dict(links(page, summary.config, port))["charts"],
    }
    with tempfile.TemporaryDirectory() as name:
        browser_folder, server_folder = Path(name) / "browser", Path(name) / "server"
        browser_folder.mkdir()
        server_folder.mkdir()
        with (
            serving(arguments, variables, f"http://127.0.0.1:{port}/health", server_folder),
            browsing(browser_folder, WIDTH, HEIGHT) as browser,
        ):
            for picture, address in addresses.items():
                browser.open(address)
                time.sleep(_DRAWN_S)
                browser.run(_FIRST[picture])
                time.sleep(_DRAWN_S)
                file = HERE / f"{picture}.png"
                browser.screenshot(file)
                _in_few_colours(file)


def _in_few_colours(file: Path) -> None:
    """A quarter of the size: pages have few colours."""
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
