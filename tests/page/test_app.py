"""Start and stop `python app.py` in a separate process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import weakref
from pathlib import Path

import pytest
from conftest import draw_portrait, run_here, run_python
from gradio_client import Client, handle_file
from PIL import Image

from hairseg.errors import InputError
from hairseg.hub.space import space_files
from hairseg.page.launch import load_and_wait_for_signal


@pytest.fixture(scope="module")
def deployed(tmp_path_factory) -> Path:
    """A folder with the files of a Space, and nothing else of the project."""
    folder = tmp_path_factory.mktemp("space")
    for name, path in space_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    return folder


def start(folder, tmp_path, *words, **environment) -> tuple[subprocess.Popen, str]:
    """Start the page from `folder` on a free port, with its temporary files below `tmp_path`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port), *words],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # ignored where tests run in the background
    address, until = f"http://127.0.0.1:{port}/", time.monotonic() + 600
    while True:
        assert process.poll() is None and time.monotonic() < until, process.stdout.read()
        try:
            urllib.request.urlopen(address).close()
            return process, address
        except OSError:
            time.sleep(0.1)


def client_of(address: str, **options) -> Client:
    """A client with a long timeout: the default of httpx is five seconds."""
    return Client(address, verbose=False, httpx_kwargs={"timeout": 600}, **options)


def pages(folder: Path) -> list[Path]:
    return list(folder.glob("hairseg-page-*"))


def ended_by(ending: signal.Signals, process: subprocess.Popen, tmp_path: Path) -> None:
    """Send a signal to the page, and check that it exits without a traceback and removes its files."""
    assert len(pages(tmp_path)) == 1
    process.send_signal(ending)
    output, _ = process.communicate(timeout=300)
    assert pages(tmp_path) == [] and "Traceback" not in output


@pytest.fixture
def handlers():
    """Restores the handlers of signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_callback_of_a_weak_reference_ends_the_page(handlers, number):
    """Python ignores a KeyboardInterrupt there."""

    class Referent: ...

    def load() -> None:
        referent = Referent()
        weakref.finalize(referent, signal.raise_signal, number)

    load_and_wait_for_signal(load)


def test_an_error_of_loading_ends_the_page(handlers):
    def load() -> None:
        raise InputError("The model is broken.")

    with pytest.raises(InputError, match="broken"):
        load_and_wait_for_signal(load)


def test_photos_are_removed_with_the_page_or_by_the_next_one_after_a_kill(deployed, tmp_path):
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.png")
    process, address = start(deployed, tmp_path)
    client = client_of(address, download_files=str(tmp_path / "downloads"))
    client.predict(handle_file(tmp_path / "selfie.png"), api_name="/segment")  # waits until the networks are loaded
    (folder,) = pages(tmp_path)
    assert {path.name for path in folder.rglob("*.png")} >= {"selfie.png", "selfie-random-mask.png"}
    process.kill()
    process.wait()
    assert pages(tmp_path) == [folder]
    process, address = start(deployed, tmp_path)
    assert not folder.exists() and len(pages(tmp_path)) == 1
    ended_by(signal.SIGTERM, process, tmp_path)


def test_a_password_may_come_from_the_environment(deployed, tmp_path):
    """Also on a machine so busy that Gradio's own check, which requests the page for three seconds, would fail."""
    (tmp_path / "sitecustomize.py").write_text("from gradio import networking\nnetworking.url_ok = lambda url: False\n")
    process, address = start(deployed, tmp_path, HAIRSEG_AUTH="ada:secret", PYTHONPATH=str(tmp_path))
    try:
        with pytest.raises(Exception, match=r"401|authent|login"):
            client_of(address)
        for user, password in (("ada", "guess"), ("ada", ""), ("eve", "secret")):
            form = urllib.parse.urlencode({"username": user, "password": password or " "}).encode()
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(f"{address}login", form)
        assert client_of(address, auth=("ada", "secret")).src.startswith("http")
        assert "secret" not in Path(f"/proc/{process.pid}/cmdline").read_text() if Path("/proc").exists() else True
        ended_by(signal.SIGINT, process, tmp_path)
    finally:
        process.kill()
        process.communicate()


def test_the_page_is_built_before_pytorch_is_imported():
    """PyTorch takes longer to import than everything else, and the first visitor waits for the page's HTML."""
    run_python("-c", "import hairseg.page.launch, hairseg.page.app, sys; sys.exit('torch' in sys.modules)")


@pytest.mark.parametrize(
    "words, environment, said, run",
    [
        (["--port", "99999"], {}, "Port '99999' is out of range. Choose a --port from 1 to 65535.", run_here),
        (["--port", "x"], {}, "Port 'x' is out of range.", run_here),
        ([], {"GRADIO_SERVER_PORT": "abc"}, "Port 'abc' is out of range.", run_here),
        (["--memory", "0"], {}, "--memory is '0'. Give a number of megabytes above 0.", run_here),
        ([], {"HAIRSEG_MEMORY": "much"}, "--memory is 'much'.", run_here),
        (["--auth", "nobody"], {}, "--auth is malformed. Give USER:PASSWORD.", run_here),
        (["--mcp", "--auth", "ada:secret"], {}, "--mcp tools do not ask for a password. Leave out --auth", run_here),
        (["--repo", "no/such/folder/at/all"], {}, "no/such/folder/at/all", run_python),
        (["--device", "warp"], {}, "The device 'warp' is not available", run_python),
    ],
)
def test_an_owners_mistake_ends_with_one_line(words, environment, said, run, monkeypatch):
    """Errors that occur after the arguments are parsed need a separate process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GRADIO_SERVER_PORT", str(free.getsockname()[1]))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = run("app.py", *words, rc=2)
    assert said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
