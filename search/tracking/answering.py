"""What MLflow and its connections raise, as the two errors that the rest of the house knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from search.config.credentials import hide_in
from search.errors import TrackingDown, TrackingRefused, shortened
from search.tracking.uri import printable_uri

_BROKEN = (MlflowException, requests.exceptions.RequestException, OSError, SQLAlchemyError)
_REFUSALS = {
    "BAD_REQUEST",
    "CUSTOMER_UNAUTHORIZED",
    "INVALID_PARAMETER_VALUE",
    "MALFORMED_REQUEST",
    "PERMISSION_DENIED",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
}


@contextlib.contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn whatever MLflow and its connections raise into `TrackingDown`, or `TrackingRefused`."""
    try:
        yield
    except _BROKEN as error:
        store, cause = f"tracking store {printable_uri(uri)}", shortened(hide_in(str(error)))
        if isinstance(error, OSError) and error.filename is not None:  # a file on this machine, no connection
            raise TrackingDown(
                f"{store} cannot write its files ({error.strerror}: {error.filename}): make that writable"
            ) from error
        # What its database cannot do just now MLflow calls a bad request too.
        of_database = isinstance(error.__cause__, SQLAlchemyError)
        if isinstance(error, MlflowException) and error.error_code in _REFUSALS and not of_database:
            raise TrackingRefused(f"{store} refuses this ({cause})") from error
        raise TrackingDown(f"{store} does not answer ({cause})") from error
