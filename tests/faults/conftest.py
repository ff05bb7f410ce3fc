"""Fixtures of the fault tests; what they share with the tests of sweeps lies there."""

from collections.abc import Iterator

import pytest
from fault_postgres import postgres
from sweep_fixtures import local_ray, make_sweep, tracking_uri

__all__ = ["by_value", "local_ray", "make_sweep", "postgres", "tracking_uri"]


@pytest.fixture
def by_value() -> Iterator[None]:
    """The fault objectives travel to the workers whole, for a Ray that others started cannot import them."""
    import fault_objectives
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(fault_objectives)
    yield
    cloudpickle.unregister_pickle_by_value(fault_objectives)
