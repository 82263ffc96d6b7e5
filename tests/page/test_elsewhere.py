"""The code examples of the page run, and both endpoints are MCP tools."""

import base64
import io
import json
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT, draw_portrait, run_apart, served
from PIL import Image

from hairseg.hub.resolve import ResolvedRepo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page
from hairseg.page.elsewhere import PLACEHOLDER_ADDRESS, from_library, from_python, from_shell, render_examples
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.store import temporary_folder
from hairseg.repository import BUNDLED


@pytest.fixture(scope="module")
def address():
    with served(build_page(HairPredictor(BUNDLED))) as url:
        yield url.rstrip("/")


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
    code = from_python("bundled")
    out = run(
        [sys.executable, "-c", code.replace(PLACEHOLDER_ADDRESS, address) + "print(pretrained_alpha, recoloured)"],
        folder,
    )
    for path in out.strip().splitlines()[-1].split():
        with Image.open(path) as picture:
            assert picture.size == (96, 96) and picture.format == "PNG"


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
def test_with_curl(address, folder):
    out = run(["sh", "-c", from_shell("bundled").replace(PLACEHOLDER_ADDRESS, address)], folder)
    assert "event: complete" in out and "selfie-recoloured.png" in out


def test_the_library(folder):
    run(
        [
            sys.executable,
            "-c",
            from_library(ServedModel("bundled")) + "assert dyed.shape == photo.shape == (96, 96, 3)",
        ],
        folder,
    )


def test_the_chosen_model_is_named_where_there_are_several():
    hub = ServedModel("ada/hair@v2", ResolvedRepo(BUNDLED, "ada/hair", "0123456789" * 4))
    strange = ServedModel("o'\"x", ResolvedRepo(BUNDLED))
    models = ModelRegistry([ServedModel("bundled"), hub, strange], load=lambda model: None)
    python, shell, package = render_examples(models, "ada/hair@v2")
    assert python.count('model="ada/hair@v2", api_name=') == 2 and ', "black", "ada/hair@v2"\'\n' in shell
    assert 'from_pretrained("ada/hair@v2")' in package
    assert (
        "from_pretrained()" in render_examples(models, None)[2]
        and 'model="bundled"' in render_examples(models, None)[0]
    )
    python, shell, _ = render_examples(models, strange.name)
    compile(python, "example", "exec")
    (settings,) = (line for line in shell.splitlines() if line.startswith("SETTINGS="))
    written = subprocess.run(["sh", "-c", f'{settings}; printf %s "$SETTINGS"'], capture_output=True, text=True).stdout
    assert json.loads(f"[{written}]")[-1] == strange.name
    alone = render_examples(ModelRegistry([hub], load=lambda model: None), None)
    assert "model=" not in alone[0] and "ada/hair" not in alone[1] and "ada/hair@v2" in alone[2]


def test_an_mcp_client_finds_and_uses_both_tools(folder, monkeypatch, tmp_path):
    """Uses the MCP client of the reference implementation."""
    pytest.importorskip("mcp", reason="needs gradio[mcp]")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    photo = "data:image/jpeg;base64," + base64.b64encode((folder / "selfie.jpg").read_bytes()).decode()

    async def talk(url):
        async with (
            streamablehttp_client(f"{url}gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert len(tools) == 2
            (recolour,) = (name for name in tools if name.endswith("recolour"))
            assert "another colour" in tools[recolour].description
            words = {"photo": photo, "colour": "violet", "strength": 1, "variant": "pretrained"}
            answer = await session.call_tool(recolour, words)
            assert not answer.isError, answer
            return answer

    with temporary_folder(), served(build_page(HairPredictor(BUNDLED)), mcp_server=True) as url:
        answer = run_apart(talk(url))
    assert not (tmp_path / "elsewhere").exists()
    (picture,) = (content for content in answer.content if content.type == "image")
    assert Image.open(io.BytesIO(base64.b64decode(picture.data))).size == (96, 96)
