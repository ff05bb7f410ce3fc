"""A sweep's way to its tracking store, made beside everything else that a start takes."""

from __future__ import annotations

import importlib
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from search.config import folder_file
from search.config.folder_file import CONFIG_FILE
from search.config.places import local_path
from search.config.run_settings import URL_FIELDS
from search.config.sweep_config import SweepConfig
from search.errors import TrackingDown, TrackingRefused, UserError
from search.study.opening import known_study

if TYPE_CHECKING:
    from search.tracking.store import TrackingStore

_logger = logging.getLogger(__name__)


class TrackingConnection:
    """Opens a sweep's tracking store in a thread of its own; a context manager.

    MLflow takes about as long to import as Ray to start, and both mostly wait: the import begins with
    the context, so enter it first. Nothing is created before `open`.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> with TrackingConnection(config) as tracking:
        ...     tracking.open()
        ...     tracking.check()
        ...     tracking.connect().uri.startswith("sqlite:///")
        True
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._is_new = not (config.folder / CONFIG_FILE).exists()
        self._create = _may_create(config)
        self._pool = ThreadPoolExecutor(1, "tracking")
        self._opening: Future[TrackingStore] | None = None

    def __enter__(self) -> Self:
        self._pool.submit(importlib.import_module, "search.tracking.view")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who wants to stop does not wait for a store that may not answer.
        interrupted = kind is not None and not issubclass(kind, Exception)
        self._pool.shutdown(wait=not interrupted, cancel_futures=True)

    def open(self) -> None:
        """Begin to open the store, which creates it if it is new."""
        self._opening = self._pool.submit(self._open)

    def check(self) -> None:
        """Wait for the store; a new sweep needs it, an old one goes on without.

        Raises:
            UserError: the sweep is new and the store does not answer, or will not have it.
        """
        assert self._opening is not None
        try:
            self._opening.result()
        except TrackingDown as error:
            if self._is_new:
                remedy = "" if isinstance(error, TrackingRefused) else ": check `tracking_uri` and its server"
                raise UserError(f"{error}{remedy}") from error
            _logger.warning("%s; the sweep continues, MLflow follows when it can", error)
            self._opening = None

    def connect(self) -> TrackingStore:
        """The store; one that did not answer is tried again.

        Raises:
            TrackingDown: it does not answer.
        """
        return self._open() if self._opening is None else self._opening.result()

    def _open(self) -> TrackingStore:
        from search.tracking.store import TrackingStore

        return TrackingStore(self._config.tracking_uri, self._config.experiment, create=self._create)


def _may_create(config: SweepConfig) -> bool:
    """A launch makes its store, and who names another one does; a file that a sweep had has been moved."""
    place = local_path(config.tracking_uri)
    if place is None or place.exists() or known_study(config) is None:
        return True
    others = set(URL_FIELDS) - {"tracking_uri"}
    return folder_file.read(config.folder, given=others).get("tracking_uri") != config.tracking_uri
