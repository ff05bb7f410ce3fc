"""Draws `session.svg`, which moves: what `record.py` has recorded, faster, and what is seen in words.

uv run docs/pictures/session.py
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from record import COLUMNS, RECORDING, ROWS
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Span, Text

PICTURE = RECORDING.with_suffix(".svg")
SPEED, WAITING_SPEED = 6, 30  # the second where nothing trains: Ray and its workers start
END_S = 5.0  # that the last moment stays
_CHAR, _LINE, _EDGE = 7.83, 17, 14  # pixels; the font's characters are 0.6 of its size wide
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_BACKGROUND, _INK, _QUIET, _CAPTION = "#0f172a", "#e2e8f0", "#64748b", "#38bdf8"


@dataclass(frozen=True)
class Shown:
    """A text in a place, from a second of the picture to another."""

    x: float
    y: float
    text: Text
    begin: float
    end: float


def moments() -> list[tuple[float, str, dict[int, str]]]:
    """The recording, by the picture's seconds."""
    made, now, before, waits = [], 0.0, 0.0, False
    for line in RECORDING.read_text(encoding="utf-8").splitlines():
        at, name, rows = json.loads(line)
        now, before = now + (at - before) / (WAITING_SPEED if waits else SPEED), at
        made.append((now, name, {int(row): text for row, text in rows.items()}))
        if name == "sweep":
            said = "\n".join(rows.values())
            waits = (waits or "so far" in said) and not re.search("left, |first epoch", said)
    return made


def rows(tops: dict[str, float], end: float) -> Iterator[Shown]:
    """Each row of each terminal for as long as it stays the same."""
    since: dict[tuple[str, int], tuple[float, str]] = {}
    last = [(end, name, dict.fromkeys(range(ROWS[name]), "")) for name in ROWS]
    for now, name, changed in [*moments(), *last]:
        for row, text in changed.items():
            begin, shown = since.get((name, row), (0.0, ""))
            if shown and now > begin:
                yield Shown(_EDGE, tops[name] + _LINE * (row + 1), Text.from_ansi(shown), begin, now)
            since[name, row] = now, text


def captions(end: float) -> Iterator[Shown]:
    """What is going on, from when it is typed."""
    told = {
        "sweep": [
            (r"launch_sweep", "1. A sweep is launched"),
            (r"resume_sweep", "3. Resumed: each trial goes on where its last finished epoch ended"),
            (r"next, train", "4. All trials are there, each once, and no finished epoch was trained twice"),
        ],
        "other": [(r"kill", "2. Killed at once, in the middle of its trials")],
    }
    found = [(0.0, told["sweep"].pop(0)[1])]
    for now, name, changed in moments():
        if told[name] and any(re.search(told[name][0][0], text) for text in changed.values()):
            found.append((now, told[name].pop(0)[1]))
    for (begin, text), (until, _) in zip(found, [*found[1:], (end, "")], strict=True):
        said = Text(text, spans=[Span(0, len(text), Style(color=_CAPTION, bold=True))])
        yield Shown(_EDGE, _LINE + 4, said, begin, until)


def drawn(shown: Shown, end: float) -> str:
    """A text as SVG, visible at its time of each round."""
    spans = []
    ends = {place for span in shown.text.spans for place in (span.start, span.end)}
    for part in shown.text.divide(sorted(ends)):
        style = Style.combine([Style(), *(s.style for s in part.spans if isinstance(s.style, Style))])
        said = f' fill="{style.color.get_truecolor(MONOKAI).hex}"' if style.color else ""
        said += ' font-weight="bold"' if style.bold else ""
        text = html.escape(part.plain, quote=False).replace(" ", "\N{NO-BREAK SPACE}")  # others are joined
        spans.append(f"<tspan{said}>{text}</tspan>" if said else text)
    values, times = ["hidden", "visible", "hidden"], [0.0, shown.begin / end, shown.end / end]
    if shown.begin == 0:
        values, times = values[1:], times[1:]
    if shown.end >= end:
        values, times = values[:-1], times[:-1]
    moves = ";".join(values), ";".join(f"{round(time, 4):g}" for time in times)
    return (
        f'<text x="{shown.x:g}" y="{shown.y:g}" visibility="hidden">{"".join(spans)}'
        f'<animate attributeName="visibility" calcMode="discrete" dur="{end:.1f}s" repeatCount="indefinite" '
        f'values="{moves[0]}" keyTimes="{moves[1]}"/></text>'
    )


def picture() -> str:
    """The whole picture."""
    end = moments()[-1][0] + END_S
    tops, top = {}, 2.0 * _LINE
    for name, height in ROWS.items():
        tops[name] = top
        top += _LINE * height + _EDGE
    width = COLUMNS * _CHAR + 2 * _EDGE
    line = tops["other"] - _EDGE / 2 + 3
    shown = [*captions(end), *rows(tops, end)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top:g}" width="{width:g}" '
            f'font-family="{_FONT}" font-size="13" fill="{_INK}">',
            "<title>A sweep is launched, killed and resumed</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{_BACKGROUND}"/>',
            f'<text x="{width - _EDGE:g}" y="{_LINE + 4}" text-anchor="end" fill="{_QUIET}">{SPEED}x</text>',
            f'<path d="M0 {line:g}H{width:g}" stroke="{_QUIET}"/>',
            *(drawn(each, end) for each in shown),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB, {moments()[-1][0] + END_S:.0f} s")
