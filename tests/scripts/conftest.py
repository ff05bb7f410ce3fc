"""Fixtures of the tests that run the scripts; what they share with the tests of sweeps lies there."""

from pathlib import Path

import pytest
from sweep_fixtures import local_ray, make_sweep, tracking_uri

__all__ = ["local_ray", "make_sweep", "tracking_uri"]


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the digits are decoded once for all tests."""
    from cifar_cnn.config import DataConfig
    from cifar_cnn.prepare import prepare_data

    folder = tmp_path_factory.mktemp("digits")
    prepare_data(DataConfig(data_dir=folder))
    return folder
