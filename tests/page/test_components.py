"""What the page's components hand over."""

import gradio as gr
import pytest

from hairseg.page.components import NOT_UPLOADED, PhotoInput


@pytest.mark.parametrize("payload", [None, ""])
def test_a_photo_that_was_removed_is_none(payload):
    """Gradio sends an empty text where there is no value: whoever removed a photo early was told of a mistake."""
    assert PhotoInput().preprocess(payload) is None


@pytest.mark.parametrize("payload", ["/etc/passwd", 7, [], {"path": ""}, {"path": None}, {}])
def test_anything_else_that_is_no_upload_is_refused(payload):
    with pytest.raises(gr.Error) as refused:
        PhotoInput().preprocess(payload)
    assert refused.value.message == NOT_UPLOADED
