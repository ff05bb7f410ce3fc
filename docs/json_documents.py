"""What `--json` writes, from the models: `uv run docs/json_documents.py` writes the page and schemas anew."""

from __future__ import annotations

import functools
import json
import operator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from scripts.documents import DOCUMENTS
from scripts.documents.parts import Document, Failure

REFERENCE = Path(__file__).parent / "reference"
Schema = dict[str, Any]
_INTRODUCTION = """# Reference: `--json`

Written by `docs/json_documents.py` from the models in `scripts/documents/`.

Every command but the servers (`serve_model.py`, `mcp_server.py`) takes `--json`: its results are one JSON
document on stdout, and all else (progress, warnings, tables) is on stderr. Exit codes are as ever: 0 done,
1 failed, 2 usage, 130 interrupted. Every key is always there, and a number that is not finite is null.
[Agents](../how_to/agents.md) get the same documents from `mcp_server.py`.

A command that could not do what it was asked for writes a [Failure](#failure) in place of its document; one
that is ended by force, or by a fault of its own, writes nothing. A document may come with exit code 1 or
130: it tells what there is.

```bash
uv run scripts/launch_sweep.py night --trials 20 --json > night.json
jq -r '.leaderboard[0].params' night.json
uv run scripts/compare_trials.py night --all --json > trials.json
jq '.sweeps[0].all_trials[] | select(.state == "pruned") | .params' trials.json
```"""


def page() -> str:
    """The whole page."""
    every = [Failure, *(each for documents in DOCUMENTS.values() for each in documents)]
    undescribed = TypeAdapter(_any_of(every)).json_schema()["$defs"]
    parts = [_INTRODUCTION, "## Any command", *_section("Failure", undescribed.pop("Failure"))]
    for command, documents in DOCUMENTS.items():
        names = [each.__name__ for each in documents]
        schema = f"[JSON schema](schemas/{command.removesuffix('.py')}.json)"
        parts += [f"## `{command}`", f"{' or '.join(map(_link, names))}; {schema}"]
        for name in names:
            if name in undescribed:
                parts += _section(name, undescribed.pop(name))
    parts.append("## What they are made of")
    for name, part in undescribed.items():
        parts += _section(name, part)
    return "\n\n".join(parts) + "\n"


def schemas() -> dict[str, str]:
    """The JSON schema of what each command writes, by the file's name."""
    return {
        f"{command.removesuffix('.py')}.json": json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **TypeAdapter(_any_of([*documents, Failure])).json_schema(),
            },
            indent=1,
        )
        + "\n"
        for command, documents in DOCUMENTS.items()
    }


def _any_of(documents: list[type[Document]]) -> Any:
    return functools.reduce(operator.or_, documents)


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _section(name: str, schema: Schema) -> list[str]:
    lines = ["| key | type | what it is |", "|---|---|---|"]
    for key, of in schema["properties"].items():
        lines.append(f"| `{key}` | {_kind(of)} | {of.get('description', '')} |")
    return [f"### {name}", schema["description"], "\n".join(lines)]


def _kind(schema: Schema) -> str:
    """`list of [Trial](#trial)`, or `number or null`."""
    match schema:
        case {"$ref": place}:
            return _link(place.rpartition("/")[2])
        case {"anyOf": options}:
            return " or ".join(map(_kind, options))
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"prefixItems": [first, _]}:
            return f"two of {_kind(first)}"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": values}:
            return "object" if values is True else f"object: name to {_kind(values)}"
        case {"type": kind}:
            return {"integer": "whole number", "boolean": "true or false", "string": "text"}.get(kind, kind)
        case _:
            return "anything"


if __name__ == "__main__":
    (REFERENCE / "json.md").write_text(page(), encoding="utf-8")
    for file, text in schemas().items():
        (REFERENCE / "schemas" / file).write_text(text, encoding="utf-8")
