"""List the sweeps of a folder: state, best, trials, when, size on disk.

uv run scripts/list_sweeps.py
uv run scripts/list_sweeps.py --json > sweeps.json
"""

from __future__ import annotations

from pathlib import Path

from scripts import cli
from scripts.answers import Answer, answers

app = cli.app(__file__, __doc__)


@app.default
@answers
def list_(*, sweeps_dir: cli.SweepsDir = Path("sweeps")) -> Answer:
    """List the sweeps of a folder, those first that have changed last; running ones too.

    An interrupted sweep goes on with `resume_sweep.py NAME`. The size is that of the sweep's folder:
    checkpoints and databases elsewhere are not in it.
    """
    from scripts.list_output import listing, print_sweeps
    from search.results.listing import list_sweeps

    sweeps = list_sweeps(sweeps_dir)
    return Answer(lambda: listing(sweeps), lambda: print_sweeps(sweeps, sweeps_dir))


if __name__ == "__main__":
    cli.main(app)
