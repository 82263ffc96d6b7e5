"""The server of `hairseg label`: files, access and calls."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_portrait, run_apart, served
from gradio.utils import get_upload_folder
from PIL import Image

from hairseg.cli.app import invoke
from hairseg.errors import InputError
from hairseg.images import load_photo
from hairseg.labelling.folder import LabelFolder
from hairseg.labelling.page import FOREIGN, LabelService, build_label_page
from hairseg.page.pictures import save_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> LabelFolder:
    root = tmp_path_factory.mktemp("party")
    (root / "photos").mkdir()
    Image.fromarray(draw_portrait(0)[0][:80]).save(root / "photos" / "in the garden #1.jpg")
    (root / "photos" / "broken.jpg").write_bytes(b"\xff\xd8")
    (root / "secret.txt").write_text("secret")
    return LabelFolder(root, lambda photo: photo[..., 0] < 100)


@pytest.fixture(scope="module")
def address(folder):
    with served(build_label_page(folder)) as url:
        yield url


def ask(address: str, path: str, content: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(address + path, content, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_photos_labels_and_scripts_are_served(address, folder, tmp_path):
    name = "in%20the%20garden%20%231"
    (tmp_path / "photo.jpg").write_bytes(ask(address, f"modules/photos/{name}")[1])
    assert load_photo(tmp_path / "photo.jpg").shape == (80, 96, 3)
    labels = np.frombuffer(ask(address, f"modules/labels/{name}")[1], np.uint8).reshape(80, 96)
    np.testing.assert_array_equal(labels, folder.labels("in the garden #1"))
    assert ask(address, f"modules/thumbnails/{name}")[1].startswith(b"\xff\xd8")
    for script in ("labelling/label.js", "labelling/labels.js", "page/studio/zoom.js"):
        assert ask(address, f"modules/{script}")[0] == 200
    status, answer = ask(address, "modules/thumbnails/broken")
    assert status == 422 and json.loads(answer)["error"].startswith("broken.jpg ")


@pytest.mark.parametrize(
    "path",
    [
        "modules/photos/..%2Fsecret.txt",
        "modules/photos/%2Fetc%2Fpasswd",
        "modules/labelling/page.py",
        "modules/../secret.txt",
    ],
)
def test_no_other_file_is_served(address, path):
    status, answer = ask(address, path)
    assert status in (404, 422) and b"secret\n" not in answer and b"root:" not in answer


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("gradio_api/component_server", {"Origin": "http://example.org"}, 403),
        ("gradio_api/component_server", {"Origin": "http://127.0.0.1:1"}, 403),
        ("gradio_api/upload", {"Origin": "null"}, 403),
        ("modules/labels/broken", {"Origin": "https://example.org"}, 403),
        ("", {"Host": "example.org"}, 400),  # DNS rebinding
        ("", {"Host": "localhost:80"}, 200),
        ("", {}, 200),
    ],
)
def test_other_sites_cannot_use_the_page(address, path, headers, status):
    content = b"{}" if path.startswith("gradio_api") else None
    found, answer = ask(address, path, content, **headers)
    assert found == status and (status != 403 or json.loads(answer)["error"] == FOREIGN)


def test_the_page_itself_passes_the_check_of_origins(address):
    assert ask(address, "config", Origin=address.rstrip("/"))[0] == 200


def test_a_mask_is_saved_from_an_upload_which_is_removed(folder):
    service, labels = LabelService(folder), np.resize(np.uint8([0, 128, 255]), (80, 96))
    upload = save_file("mask", labels.tobytes())
    assert Path(upload).is_relative_to(get_upload_folder())
    assert run_apart(service.save_mask({"name": "in the garden #1", "path": upload})) == {}
    with Image.open(folder.root / "masks" / "in the garden #1.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), labels)
    assert not Path(upload).exists()
    assert run_apart(service.list_photos(None))["photos"][1]["state"] == "done"


def test_malformed_calls_get_an_error_message(folder):
    service, secret = LabelService(folder), str(folder.root / "secret.txt")
    for payload in (None, [], {}, {"name": "broken", "path": secret}, {"path": 7}):
        answer = run_apart(service.save_mask(payload))
        assert answer == {"error": "The mask was not uploaded. Save it again."}
    assert "brush stroke" in run_apart(service.snap_stroke({"name": "broken"}))["error"]
    stroke = {"adds": True, "radius": 0.1, "points": [0.5, 0.5]}
    assert run_apart(service.snap_stroke({"name": "broken", "stroke": stroke}))["error"].startswith("broken.jpg ")
    left, top, width, height = run_apart(service.snap_stroke({"name": "in the garden #1", "stroke": stroke}))["window"]
    assert 40 < left < 48 < left + width < 56 and 32 < top < 40 < top + height < 48


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no subfolder photos\. Put the photos into "):
        invoke(["label", str(tmp_path)])
