"""Imports as another process would have them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest


@pytest.fixture
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forgets what was imported since, as another process would."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    path, modules = [*sys.path], set(sys.modules)

    def forget() -> None:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            del sys.modules[name]

    return forget
