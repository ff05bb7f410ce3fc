"""Fixtures of the tests that run whole sweeps."""

from sweep_fixtures import local_ray, make_sweep, tracking_uri

__all__ = ["local_ray", "make_sweep", "tracking_uri"]
