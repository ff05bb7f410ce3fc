"""Serve sweeps to agents by the Model Context Protocol, over stdin and stdout.

# what an agent's settings name as the server's command:
uv run scripts/mcp_server.py
# an agent that may look, and change nothing:
uv run scripts/mcp_server.py --read-only
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli

app = cli.app(__file__, __doc__)


@app.default
def serve(
    *,
    read_only: Annotated[cli.Flag, Parameter(help="Leave out the tools that begin and end things.")] = False,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Tools to list and compare sweeps, to launch, resume and retrain them, and to serve the best.

    It ends when stdin does; sweeps that it began go on. An agent may do with it what the commands can, and so
    run code: spaces and modules are code. See docs/how_to/agents.md.
    """
    from scripts.mcp_tools import server

    server(sweeps_dir, read_only).run()
    return cli.DONE


if __name__ == "__main__":
    cli.main(app)
