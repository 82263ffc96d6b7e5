"""A Hub for the commands that the stress tests start."""

from collections.abc import Iterator

import pytest
from conftest import PROJECT
from hub_api import WRITER
from hub_server import HubServer


@pytest.fixture(scope="session", autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Start the Hub before the first command, whose parent process reads the variables once."""
    folder = tmp_path_factory.mktemp("stress")
    with HubServer(folder / "hub") as server, pytest.MonkeyPatch.context() as patch:
        variables = {"HF_ENDPOINT": server.url, "HF_TOKEN": WRITER, "HF_HOME": str(folder / "home")}
        for name, value in {**variables, "HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", f"{PROJECT}:{PROJECT / 'tests'}")
        yield server
