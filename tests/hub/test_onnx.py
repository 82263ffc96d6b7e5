"""ONNX files on the Hub: pushed, pulled and run without PyTorch, as the model card shows."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_portrait
from hub.helpers import REPO, assert_fails, contents, write_pushable
from PIL import Image

from hairseg.hub.publish import push
from hairseg.hub.resolve import pull
from hairseg.repository import ModelRepository
from hairseg.repository.export import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = write_pushable(tmp_path_factory.mktemp("exported") / "repository", ("random",))
    export_onnx(folder)
    return folder


def test_card_example_runs_without_pytorch(exported, server, tmp_path):
    push(exported, REPO)
    text = server.files(REPO)["README.md"].decode()
    code = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "onnxruntime" in found)
    photo, _ = draw_portrait(3)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    no_pytorch = "import sys\nsys.modules.update(dict.fromkeys(('torch', 'torchvision', 'hairseg', 'cv2')))\n"
    (tmp_path / "example.py").write_text(no_pytorch + code.replace("photo.jpg", "photo.png"))
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(str(ModelRepository(exported).onnx("random")))
    (alpha,) = session.run(None, {"photo": photo})
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "alpha.png")), np.uint8(255 * alpha))


@pytest.fixture(scope="module")
def npm_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    npm = shutil.which("npm")
    command = [npm or "npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "onnxruntime-web@1"]
    try:
        installed = npm is not None and subprocess.run(command, capture_output=True, timeout=90).returncode == 0
    except subprocess.TimeoutExpired:
        installed = False
    if not installed:
        pytest.skip("needs npm, and onnxruntime-web from its registry")
    return folder


def test_card_example_for_browsers_runs_under_node(exported, server, npm_folder):
    push(exported, REPO)
    code = re.search(r"```js\n(.*?)```", server.files(REPO)["README.md"].decode(), re.DOTALL)
    assert code
    photo, _ = draw_portrait(4)
    height, width = photo.shape[:2]
    (npm_folder / "rgba").write_bytes(np.dstack([photo, np.full((height, width), 255, np.uint8)]).tobytes())
    canvas = (
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        f'const image = {{ data: new Uint8ClampedArray(readFileSync("rgba")), width: {width}, height: {height} }};\n'
        'writeFileSync("alpha", new Uint8Array((await findHair(image)).slice().buffer));\n'
    )
    (npm_folder / "example.mjs").write_text(code[1] + canvas)
    done = subprocess.run(["node", "example.mjs"], cwd=npm_folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    session = onnxruntime.InferenceSession(str(ModelRepository(exported).onnx("random")))
    (alpha,) = session.run(None, {"photo": photo})
    in_node = np.frombuffer((npm_folder / "alpha").read_bytes(), np.float32).reshape(height, width)
    np.testing.assert_allclose(in_node, alpha, atol=1e-3)


def test_a_cut_download_of_the_file_is_named_and_leaves_nothing(exported, server, tmp_path):
    push(exported, REPO)
    content = ModelRepository(exported).onnx("random").read_bytes()
    server.faults.add("cut", path=hashlib.sha256(content).hexdigest(), at=100_000)
    assert_fails(lambda: pull(REPO, tmp_path / "pulled"), "connection")
    assert not [path.name for path in tmp_path.iterdir() if "pulled" in path.name]
    server.faults.clear()
    pull(REPO, tmp_path / "pulled")
    assert ModelRepository(tmp_path / "pulled").onnx("random").read_bytes() == content


UPLOAD_FAULTS = {
    "forbidden": (dict(kind="status", status=403, message="AccessDenied"), f"may not write to {REPO} (AccessDenied)"),
    "out of storage": (
        dict(kind="status", status=403, message="Private repository storage limit reached, please upgrade"),
        f"{REPO} (Private repository storage limit reached",
    ),
    "too large": (dict(kind="status", status=413, message="Payload Too Large"), "413 (Payload Too Large)"),
    "storage full": (dict(kind="status", status=507, message="Insufficient Storage"), "507 (Insufficient Storage)"),
    "cut": (dict(kind="cut", at=1_000_000), "connection"),
}


@pytest.mark.parametrize("name", UPLOAD_FAULTS)
def test_a_refused_upload_of_the_file_leaves_hub_and_folder_as_they_were(exported, server, faulty, name):
    fault, words = UPLOAD_FAULTS[name]
    begin, end = faulty
    server.put(REPO, {"README.md": b"former", "random/model.onnx": b"former"})
    before, mine = server.repo(REPO), contents(exported)
    content = mine["random/model.onnx"]
    fault = fault | {"method": "PUT", "path": hashlib.sha256(content).hexdigest()}
    begin(fault)
    assert_fails(lambda: push(exported, REPO), words, f"Then push {exported} again with")
    assert any(fault["path"] in request for request in server.requests)
    assert server.repo(REPO) == before and server.files(REPO)["random/model.onnx"] == b"former"
    assert contents(exported) == mine
    end(fault)
    pushed = push(exported, REPO)
    assert server.files(REPO)["random/model.onnx"] == content and server.repo(REPO).tags == {pushed.tag: pushed.commit}


def test_a_push_without_the_file_removes_it_from_the_hub(exported, one, server):
    push(exported, REPO)
    assert "random/model.onnx" in server.files(REPO)
    push(one, REPO)
    assert not any(name.endswith(".onnx") for name in server.files(REPO))
    assert "onnxruntime" not in server.files(REPO)["README.md"].decode()
