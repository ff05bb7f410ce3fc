"""As much of a W&B server as its client needs to send runs, and to take them up again."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class WandbServer(ThreadingHTTPServer):
    """Keeps what is sent in memory; a context manager.

    Attributes:
        history: the lines of each run, by the run's id, each at the place that the client gave it.
        summary: of each run, as last sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.history: dict[str, list[str]] = {}
        self.summary: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> WandbServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client to come here."""
        url = f"http://127.0.0.1:{self.server_port}"
        return {"WANDB_MODE": "online", "WANDB_BASE_URL": url, "WANDB_API_KEY": "k" * 40}

    def take(self, run: str, file: str, offset: int, lines: list[str]) -> None:
        """A part of one of a run's files."""
        if file == "wandb-history.jsonl":
            self.history[run][offset : offset + len(lines)] = lines
        elif file == "wandb-summary.json":
            self.summary[run] = json.loads(lines[-1])

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """What GraphQL gives: the viewer, a run, a run that is to be taken up."""
        run = variables.get("name")
        project = {"id": "p", "name": variables.get("project"), "entity": {"id": "e", "name": "me"}}
        if "upsertBucket" in query and run:
            lines = self.history.setdefault(run, [])
            bucket = {"id": run, "name": run, "historyLineCount": len(lines), "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": not lines}}
        if "RunResumeStatus" in query:
            known = self.history.get(run or "")
            return {"model": {**project, "bucket": None if known is None else _resumable(str(run), known)}}
        if "viewer" in query:
            viewer = {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
            return {"viewer": viewer}
        if "createRunFiles" in query:
            return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": []}}
        return {}


def _resumable(run: str, lines: list[str]) -> dict[str, Any]:
    return {
        "id": run,
        "name": run,
        "summaryMetrics": "{}",
        "displayName": run,
        "logLineCount": 0,
        "historyLineCount": len(lines),
        "eventsLineCount": 0,
        "historyTail": json.dumps(lines[-1:]),
        "eventsTail": "[]",
        "config": "{}",
        "tags": [],
        "wandbConfig": '{"t": 1}',
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        sent = self._sent()
        if self.path == "/graphql":
            self._reply({"data": self.server.answer(sent["query"], sent.get("variables") or {})})
            return
        if self.path.endswith("/file_stream"):
            for name, part in (sent.get("files") or {}).items():
                self.server.take(self.path.split("/")[-2], name, part["offset"], part["content"])
        self._reply({})

    def _sent(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            sent: dict[str, Any] = json.loads(body)
        except ValueError:  # its telemetry
            return {}
        return sent

    def _reply(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
