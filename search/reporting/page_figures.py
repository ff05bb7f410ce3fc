"""Figures as a page draws them: plain JSON, which its script gives to plotly when they come into view."""

from __future__ import annotations

import json
from dataclasses import dataclass

import plotly.graph_objects as go

from search.reporting.figures import Section

_HEIGHT = 450  # pixels of a figure that does not say


@dataclass(frozen=True)
class PageFigure:
    """A figure of a page.

    Example:
        >>> section = Section("Learning curves", {"learning_curves": go.Figure()})
        >>> figure = page_section(section).figures[0]
        >>> figure.id, figure.height
        ('learning_curves', 450)
    """

    id: str
    json: str  # holds no `<`, so that nothing in it ends the page's script
    height: int  # pixels


@dataclass(frozen=True)
class PageSection:
    """A section of a page.

    Example:
        >>> page_section(Section("Learning curves", {})).title
        'Learning curves'
    """

    title: str
    note: str
    figures: list[PageFigure]
    min_width: int  # pixels


def page_section(section: Section) -> PageSection:
    """A section of the report, made ready for a page."""
    alone = len(section.figures) == 1
    figures = [_page_figure(name, figure, alone) for name, figure in section.figures.items()]
    return PageSection(section.title, section.note, figures, section.min_width)


def embedded(json_text: str) -> str:
    """JSON as it may stand within a page's `<script>`."""
    return json_text.replace("<", "\\u003c")


def _page_figure(name: str, figure: go.Figure, alone: bool) -> PageFigure:
    figure.update_layout(
        title=None,
        height=figure.layout.height or _HEIGHT,
        template="plotly_white",
        margin={"l": 50, "r": 20, "t": 40, "b": 50},
        # Beside the figure it fills a phone, below it stands in the axis's title.
        legend={
            "orientation": "h",
            "xref": "container",
            "x": 0,
            "yref": "container",
            "yanchor": "top",
            "y": 1,
        },
        uirevision="kept",  # drawn anew it stays zoomed as it was
    )
    config = json.dumps({} if alone else {"displayModeBar": False})
    drawn = embedded(f'{{"figure":{figure.to_json()},"config":{config}}}')
    return PageFigure(name, drawn, figure.layout.height)
