"""Fixtures of the tests of hairseg.hub."""

from hub.conftest import both, faulty, one, server  # noqa: F401
