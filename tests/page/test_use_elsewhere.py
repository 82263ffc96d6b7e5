"""The examples of the page work as they stand there, and both endpoints are tools for assistants."""

import base64
import io
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT, draw_portrait, run_apart
from PIL import Image

from hairseg.page.layout import build_page
from hairseg.page.use_elsewhere import ADDRESS, FROM_PYTHON, FROM_SHELL, LIBRARY
from hairseg.prediction import HairPredictor
from hairseg.repository import BUNDLED


@pytest.fixture(scope="module")
def address():
    page = build_page(HairPredictor(BUNDLED))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield url.rstrip("/")
    page.close(verbose=False)


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.jpg")
    return tmp_path


def run(words, folder) -> str:
    environment = {"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_python(address, folder):
    out = run(
        [sys.executable, "-c", FROM_PYTHON.replace(ADDRESS, address) + "print(pretrained_alpha, recoloured)"], folder
    )
    for path in out.strip().splitlines()[-1].split():
        with Image.open(path) as picture:
            assert picture.size == (96, 96) and picture.format == "PNG"


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
def test_from_a_shell(address, folder):
    out = run(["sh", "-c", FROM_SHELL.replace(ADDRESS, address)], folder)
    assert "event: complete" in out and "selfie-recoloured.png" in out


def test_the_library(folder):
    run([sys.executable, "-c", LIBRARY.format(repo="") + "assert dyed.shape == photo.shape == (96, 96, 3)"], folder)


def test_an_assistant_finds_and_uses_both_tools(folder):
    """By the protocol's own client, as `python app.py --mcp` serves it."""
    pytest.importorskip("mcp", reason="needs gradio[mcp]")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    page = build_page(HairPredictor(BUNDLED))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, mcp_server=True)
    photo = "data:image/jpeg;base64," + base64.b64encode((folder / "selfie.jpg").read_bytes()).decode()

    async def talk():
        async with streamablehttp_client(f"{url}gradio_api/mcp/") as (reading, writing, _):
            async with ClientSession(reading, writing) as session:
                await session.initialize()
                tools = {tool.name: tool for tool in (await session.list_tools()).tools}
                assert len(tools) == 2
                (recolour,) = (name for name in tools if name.endswith("recolour"))
                assert "another colour" in tools[recolour].description
                words = {"photo": photo, "colour": "violet", "strength": 1, "variant": "pretrained"}
                answer = await session.call_tool(recolour, words)
                assert not answer.isError, answer
                return answer

    answer = run_apart(talk())
    page.close(verbose=False)
    (picture,) = (content for content in answer.content if content.type == "image")
    assert Image.open(io.BytesIO(base64.b64decode(picture.data))).size == (96, 96)
