"""A fake Hub for the commands that the stress tests start."""

from collections.abc import Iterator

import pytest
from conftest import PROJECT
from hub.fake_hub import WRITER, FakeHub


@pytest.fixture(scope="session", autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    """Start the Hub before the first command, since all commands inherit the environment of the fork server."""
    folder = tmp_path_factory.mktemp("stress")
    with FakeHub(folder / "hub") as server, pytest.MonkeyPatch.context() as patch:
        variables = {"HF_ENDPOINT": server.url, "HF_TOKEN": WRITER, "HF_HOME": str(folder / "home")}
        for name, value in {**variables, "HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", f"{PROJECT}:{PROJECT / 'tests'}")
        yield server
