"""Serve a model over HTTP: predictions, provenance, health, metrics, and a page to try it on.

# the champion, on http://127.0.0.1:8000:
uv run scripts/serve_model.py
uv run scripts/serve_model.py models:/cifar-cnn@candidate --port 9000
uv run scripts/serve_model.py sweeps/night/retrain/night.retrain-012-e30/model
curl -F files=@cat.jpg http://127.0.0.1:8000/predict
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from scripts import cli

app = cli.app(__file__, __doc__)

_GRACE_S = 10  # for requests that are being answered when Ctrl-C comes


@app.default
def serve(
    model: Annotated[
        str, Parameter(help="models:/NAME@ALIAS, models:/NAME/VERSION, runs:/... or a model folder.")
    ] = "models:/cifar-cnn@champion",
    /,
    *,
    tracking_uri: Annotated[
        str | None,
        Parameter(
            help="MLflow store that holds it; by default the one that the sweeps were retrained in.",
            env_var="MLFLOW_TRACKING_URI",
        ),
    ] = None,
    host: Annotated[str, Parameter(help="Address to listen on; 0.0.0.0 for other machines.")] = "127.0.0.1",
    port: Annotated[
        int, Parameter(help="Port to listen on; 0 takes a free one.", validator=Number(gte=0, lte=65535))
    ] = 8000,
    max_file_mb: Annotated[
        float, Parameter(help="Largest image file, in megabytes.", validator=Number(gte=0.001))
    ] = 10.0,
    max_files: Annotated[int, Parameter(help="Most images of a request.", validator=Number(gte=1))] = 32,
    max_megapixels: Annotated[
        float,
        Parameter(
            help="Most pixels of a request's images together, in millions.",
            validator=Number(gte=0.001, lte=50),
        ),
    ] = 25.0,
    max_waiting: Annotated[
        int,
        Parameter(help="Most requests at a time; further ones are asked to retry.", validator=Number(gte=1)),
    ] = 64,
    threads: Annotated[
        int | None, Parameter(help="CPU threads of the model.", validator=Number(gte=1))
    ] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Serve until Ctrl-C. The API describes itself on /docs."""
    import socket

    import uvicorn

    from cifar_cnn.api import Limits, ServedModel, create_app
    from cifar_cnn.slow_clients import HeaderTimeoutProtocol
    from scripts.consoles import err
    from search.config.credentials import hide
    from search.errors import UserError
    from search.tracking.models.load import load_model
    from search.tracking.models.store_of_models import in_a_store, model_store

    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        # Not os.strerror(errno): a host that is not found has a number of the resolver's own.
        cause = str(error.strerror).partition(" (while attempting")[0]
        raise UserError(f"{host}:{port}: {cause}; choose another --host or --port") from error
    with listening:
        # Accepted connections inherit it. asyncio sets it only where it has made the socket itself, and
        # without it each small answer waits 40 ms for its client's acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tracking_uri is None and in_a_store(model):
            tracking_uri = model_store(sweeps_dir)
            err.print(f"the model is looked for in {hide(tracking_uri)}; --tracking-uri names another store")
        loaded = load_model(model, tracking_uri or "", threads)
        served = ServedModel(loaded.predict, loaded.class_names, model, loaded.card)
        limits = Limits(
            file_bytes=round(max_file_mb * 1e6),
            files=max_files,
            pixels=round(max_megapixels * 1e6),
            requests=max_waiting,
        )
        api = create_app(served, limits)
        port = listening.getsockname()[1]
        err.print(f"serving {model} on http://{host}:{port} (try it there, or see /docs); Ctrl-C ends it")
        options = uvicorn.Config(
            api, http=HeaderTimeoutProtocol, log_level="warning", timeout_graceful_shutdown=_GRACE_S
        )
        uvicorn.Server(options).run(sockets=[listening])
    return cli.DONE


if __name__ == "__main__":
    cli.main(app)
