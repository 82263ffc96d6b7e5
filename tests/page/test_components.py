"""What the page's components hand over."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import pytest

from hairseg.page.components import NOT_UPLOADED, PhotoInput, save_file


@pytest.mark.parametrize("payload", [None, ""])
def test_a_photo_that_was_removed_is_none(payload):
    """Gradio sends an empty text where there is no value: whoever removed a photo early was told of a mistake."""
    assert PhotoInput().preprocess(payload) is None


@pytest.mark.parametrize("payload", [{"path": ""}, {"path": None}, {"look": 7}, {"path": "/etc/passwd"}])
def test_an_upload_that_is_not_there_any_more_is_told_from_none(payload):
    """The page has the photo and sends it again; whether another file of that name is there is not told."""
    found = PhotoInput().preprocess(payload)
    assert found is not None and found["path"] is None and found["look"] == payload.get("look")


@pytest.mark.parametrize("payload", ["/etc/passwd", 7, []])
def test_anything_else_that_is_no_upload_is_refused(payload):
    with pytest.raises(gr.Error) as refused:
        PhotoInput().preprocess(payload)
    assert refused.value.message == NOT_UPLOADED


def test_a_file_that_somebody_fetches_stays_whole_while_it_is_made_again(tmp_path, monkeypatch):
    """Guards against downloads cut short: who asks for the same picture at the same time gets the same file."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    content = bytes(3_000_000)
    path = Path(save_file("../my mask?.png", content))
    assert path.name == ".._my mask_.png" and path.parent.parent == tmp_path
    with ThreadPoolExecutor(2) as visitors:
        made = [visitors.submit(save_file, "../my mask?.png", content) for _ in range(100)]
        sizes = {len(path.read_bytes()) for _ in range(200)}
    assert sizes == {len(content)} and {each.result() for each in made} == {str(path)}
    assert [file.name for file in path.parent.iterdir()] == [path.name]
