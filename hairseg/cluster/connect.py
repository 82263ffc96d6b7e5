"""Connection to a Ray cluster."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hairseg.errors import InputError, summarise

LOCAL = "local"

CONNECTION_TIMEOUT = 10  # seconds


@contextmanager
def connect(address: str = "") -> Iterator[Any]:
    """Connect to a Ray cluster and yield the module `ray`; disconnect at the end.

    Args:
        address: "HOST:PORT" of a cluster, "auto" for the cluster that this machine belongs to, or "local" to start Ray
            on this machine, reachable from this machine only. By default RAY_ADDRESS, or else "local".

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    # Ray reads these variables when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if address.partition(":")[0] in (LOCAL, "localhost", "127.0.0.1"):
        # 0 binds Ray to the loopback interface, which is the default only on Windows and macOS.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError:
        raise InputError("--cluster needs Ray.", remedy='Install it with pip install "hairseg[cluster]".') from None
    was_connected = ray.is_initialized()
    if not was_connected:
        try:
            _check_port(address)
            has_dashboard = False if address == LOCAL else None
            ray.init(address, include_dashboard=has_dashboard, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"The cluster {address} cannot be reached ({summarise(error)}).",
                remedy="Check the address, and that Ray runs there.",
            ) from None
    try:
        yield ray
    finally:
        if not was_connected:
            ray.shutdown()


def _check_port(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT, which Ray would report only after minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), CONNECTION_TIMEOUT).close()
