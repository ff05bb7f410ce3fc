"""List the sweeps of a folder: state, best, trials, when, size on disk.

uv run scripts/list_sweeps.py
uv run scripts/list_sweeps.py --json > sweeps.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli

app = cli.app(__file__, __doc__)


@app.default
def list_(
    *,
    json_: Annotated[
        cli.Flag, Parameter(name="--json", help="For programs: a list of objects (docs/how_to/comparing.md).")
    ] = False,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """List the sweeps of a folder, those first that have changed last; running ones too.

    An interrupted sweep goes on with `resume_sweep.py NAME`. The size is that of the sweep's folder:
    checkpoints and databases elsewhere are not in it.
    """
    from scripts.consoles import out
    from scripts.list_output import print_sweeps
    from search.results.listing import list_sweeps

    sweeps = list_sweeps(sweeps_dir)
    if json_:
        plain = [sweep.to_json() for sweep in sweeps]
        out.file.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
    else:
        print_sweeps(sweeps, sweeps_dir)
    return cli.DONE


if __name__ == "__main__":
    cli.main(app)
