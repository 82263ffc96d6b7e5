"""The exported ONNX file computes the same as PyTorch, in a process without PyTorch."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import draw_portrait
from hub_testing import REPO, contents, fails, write_pushable
from PIL import Image

from hairseg.hub.publish import push
from hairseg.hub.resolve import pull
from hairseg.networks.onnx import PhotoToAlpha
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import ModelRepository, export
from hairseg.repository.export import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = write_pushable(tmp_path_factory.mktemp("exported") / "repository", ("random",))
    assert export_onnx(folder) == [folder / "random" / "model.onnx"]
    return folder


class Redness(torch.nn.Module):
    """A network whose logit is the normalised red channel."""

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos[:, :1]


@pytest.mark.parametrize("shape", [(64, 64), (640, 480), (333, 1000), (20, 47), (1, 5), (500, 3)])
def test_model_includes_preprocessing(shape):
    preprocessing = Preprocessing(64, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    noise = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    photo = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    square = preprocessing.normalise(torch.from_numpy(preprocessing.fit_photo(photo))[None])
    window = preprocessing.window(*shape)
    logits = cv2.resize(square[0, 0][window].numpy(), shape[::-1], interpolation=cv2.INTER_LINEAR)
    alpha = PhotoToAlpha(Redness(), preprocessing)(torch.from_numpy(photo)).numpy()
    # A shade of grey is 1 / (255 * 0.2) in logits; OpenCV enlarges with weights of 11 bits, which rounds a shade away.
    np.testing.assert_allclose(np.log(alpha / (1 - alpha)), logits.reshape(shape), atol=1.5 / 51)


def test_unseen_photos_of_any_size(exported):
    repository = ModelRepository(exported)
    session = onnxruntime.InferenceSession(str(repository.onnx("random")))
    model = PhotoToAlpha(repository.load_network("random"), repository.config.preprocessing).eval()
    for seed, (height, width) in enumerate([(96, 96), (31, 200), (300, 7), (64, 64)]):
        photo = cv2.resize(draw_portrait(seed)[0], (width, height))
        (alpha,) = session.run(["alpha"], {"photo": photo})
        with torch.inference_mode():
            expected = model(torch.from_numpy(photo)).numpy()
        assert alpha.dtype == np.float32 and alpha.shape == (height, width)
        np.testing.assert_allclose(alpha, expected, atol=1e-3)


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
    if npm is None or subprocess.run(command, capture_output=True).returncode:
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


def test_truncated_download_is_reported_and_removed(exported, server, tmp_path):
    push(exported, REPO)
    content = ModelRepository(exported).onnx("random").read_bytes()
    server.faults.add("cut", path=hashlib.sha256(content).hexdigest(), at=100_000)
    fails(lambda: pull(REPO, tmp_path / "pulled"), "cut off")
    assert not [path.name for path in tmp_path.iterdir() if "pulled" in path.name]
    server.faults.clear()
    pull(REPO, tmp_path / "pulled")
    assert ModelRepository(tmp_path / "pulled").onnx("random").read_bytes() == content


UPLOAD_FAULTS = {
    "forbidden": (dict(kind="status", status=403, message="AccessDenied"), f"may not write to {REPO} (AccessDenied)"),
    "out of storage": (
        dict(kind="status", status=403, message="Private repository storage limit reached, please upgrade"),
        f"no room for {REPO} (Private repository storage limit reached",
    ),
    "too large": (dict(kind="status", status=413, message="Payload Too Large"), f"no room for {REPO}"),
    "too large, said midway": (dict(kind="status", status=413, at=1_000_000), f"no room for {REPO}"),
    "disk full": (dict(kind="status", status=507, message="Insufficient Storage"), f"no room for {REPO}"),
    "disk full, said midway": (dict(kind="status", status=507, at=1_000_000), f"no room for {REPO}"),
    "cut": (dict(kind="cut", at=1_000_000), "cut off"),
    "stalled": (dict(kind="stall"), "did not answer in time"),
}


@pytest.mark.parametrize("name", UPLOAD_FAULTS)
def test_failed_upload_changes_neither_hub_nor_folder(exported, server, misbehave, name):
    fault, words = UPLOAD_FAULTS[name]
    begin, end = misbehave
    server.put(REPO, {"README.md": b"former", "random/model.onnx": b"former"})
    before, mine = server.repo(REPO), contents(exported)
    content = mine["random/model.onnx"]
    fault = fault | {"method": "PUT", "path": hashlib.sha256(content).hexdigest()}
    begin(fault)
    fails(lambda: push(exported, REPO), "random/model.onnx", words, f"{exported} is kept, push it with")
    assert any(fault["path"] in request for request in server.requests)
    assert server.repo(REPO) == before and server.files(REPO)["random/model.onnx"] == b"former"
    assert contents(exported) == mine
    end(fault)
    pushed = push(exported, REPO)
    assert server.files(REPO)["random/model.onnx"] == content and server.repo(REPO).tags == {pushed.tag: pushed.commit}


def test_push_without_the_file_removes_it_from_the_hub(exported, one, server):
    push(exported, REPO)
    assert "random/model.onnx" in server.files(REPO)
    push(one, REPO)
    assert not any(name.endswith(".onnx") for name in server.files(REPO))
    assert "onnxruntime" not in server.files(REPO)["README.md"].decode()


def test_file_with_a_different_output_is_not_kept(one, monkeypatch):
    monkeypatch.setattr("torch.onnx.export", lambda model, inputs, path, **_: Path(path).write_bytes(b"half"))
    monkeypatch.setattr(export, "_difference", lambda *_: float("nan"))
    fails(lambda: export_onnx(one), "model.onnx gives alphas that differ by nan")
    assert [path.name for path in (one / "pretrained").iterdir() if "onnx" in path.name] == []


def test_missing_packages_are_named(one, monkeypatch):
    monkeypatch.setattr(export, "PACKAGES", ("onnx", "not_there"))
    fails(lambda: export_onnx(one), "Exporting needs not_there.", "Run `pip install not_there`.")


def test_old_pytorch_is_named(one, monkeypatch):
    monkeypatch.setattr(export, "MIN_PYTORCH", "99.0")
    fails(lambda: export_onnx(one), "too old for exporting", "Install PyTorch 99.0 or later.")
