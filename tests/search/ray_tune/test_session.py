"""A cluster that is not there is said to be so at once."""

from __future__ import annotations

import socket
import time

import pytest
import ray
from sweep_makers import sweep_config

from search.errors import SweepFailed, UserError
from search.ray_tune.session import ray_session


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "localhost:{}"])
def test_nothing_listens_at_the_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # not that of other tests
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = address.format(taken.getsockname()[1])
    began = time.monotonic()
    with (
        pytest.raises(UserError, match=rf"no Ray cluster answers at '{free}' .*: check `ray_address`"),
        ray_session(sweep_config(ray_address=free)),
    ):
        pass
    assert time.monotonic() - began < 15, "Ray itself tries for minutes"


@pytest.mark.parametrize("address", ["host:port", "127.0.0.1:99999"])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with (
        pytest.raises(UserError, match="no Ray cluster answers"),
        ray_session(sweep_config(ray_address=address)),
    ):
        pass


def test_a_driver_outside_of_the_cluster_is_refused() -> None:
    with (
        pytest.raises(UserError, match="driven from one of the cluster's nodes: run it there"),
        ray_session(sweep_config(ray_address="ray://head:10001")),
    ):
        pass


def test_a_machine_that_is_too_busy_to_start_ray_is_told_so_on_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def times_out(**_: object) -> None:
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", times_out)
    with (
        pytest.raises(SweepFailed, match=r"Ray did not start \(The current node timed out .*: run it again"),
        ray_session(sweep_config()),
    ):
        pass
