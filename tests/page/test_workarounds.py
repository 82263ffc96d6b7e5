"""Gradio still has the names and defects of every workaround. If a test fails, remove the workaround."""

import inspect
from types import SimpleNamespace

import gradio as gr
import pytest
from conftest import run_apart
from gradio import http_server, route_utils, routes
from gradio.queueing import Queue
from gradio.route_utils import GradioMultiPartParser
from gradio.state_holder import StateHolder

from hairseg.page.workarounds import (
    MAX_SESSION_NAME_CHARACTERS,
    BoundedStateHolder,
    FilesOnlyParser,
    Page,
    replace_parser_and_state_holder,
    to_functions,
)


@pytest.fixture(scope="module")
def blocks():
    with gr.Blocks() as page:
        photo, model = gr.Image(type="filepath"), gr.Dropdown(["bundled"], value="bundled")
        gr.Button().click(lambda photo, model: model, [photo, model], gr.Textbox())
        gr.Button().click(None, None, None, js="() => {}")
    return page


def test_gradio_still_uses_the_names_that_are_replaced():
    assert "GradioMultiPartParser(" in inspect.getsource(route_utils.upload_fn)
    assert "StateHolder(" in inspect.getsource(routes.App)
    assert "if get_space() is not None:" in inspect.getsource(http_server.start_server)
    replace_parser_and_state_holder()
    assert route_utils.GradioMultiPartParser is FilesOnlyParser and routes.StateHolder is BoundedStateHolder


def test_gradio_still_accepts_form_fields_in_uploads():
    options = inspect.signature(GradioMultiPartParser).parameters
    assert options["max_fields"].default > 0
    parser = FilesOnlyParser({}, None, max_file_size=1)
    assert parser.max_fields == 0


def test_gradio_still_accepts_session_names_of_any_length(blocks):
    plain, short = StateHolder(), BoundedStateHolder()
    for holder in (plain, short):
        holder.set_blocks(blocks)
    long = "x" * (MAX_SESSION_NAME_CHARACTERS + 1)
    assert plain[long] is not None
    with pytest.raises(Exception, match="session name is too long"):
        short[long]


def test_gradio_still_fails_for_a_session_without_a_message_queue():
    event = SimpleNamespace(alive=True, session_hash="evicted", _id="1")
    with pytest.raises(KeyError):
        Queue.send_message(SimpleNamespace(pending_messages_per_session={}), event, SimpleNamespace())
    with Page() as page:
        pass
    page.queue()
    page._queue.send_message(event, SimpleNamespace())


def test_gradio_still_wants_every_value_of_a_plain_call(blocks):
    first, last = blocks.fns.values()
    with pytest.raises(ValueError, match="input"):
        blocks.validate_inputs(first, [None])
    values = [None]
    Page.validate_inputs(blocks, first, values)
    assert values == [None, "bundled"]
    assert last.fn is None  # runs in the browser


def test_gradio_still_accepts_no_methods_as_server_functions():
    class Service:
        async def answer(self, payload):
            return payload

    method = Service().answer
    with gr.Blocks(), pytest.raises(AttributeError, match="_is_server_fn"):
        gr.HTML(server_functions=[method])
    with gr.Blocks():
        component = gr.HTML(server_functions=to_functions(method))
    assert [function.__name__ for function in component.server_fns] == ["answer"]
    assert run_apart(to_functions(method)[0](7)) == 7


def test_gradio_still_requests_the_page_at_launch_unless_told_not_to():
    assert inspect.signature(gr.Blocks.launch).parameters["_frontend"].default is True


@pytest.mark.parametrize("path", ["http://127.0.0.1:9/a.jpg", "https://127.0.0.1:9/a.jpg"])
def test_files_at_urls_are_refused_before_gradio_downloads_them(blocks, path):
    values = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "bundled"]
    with pytest.raises(gr.Error, match="not on the server"):
        run_apart(Page.preprocess_data(blocks, next(iter(blocks.fns.values())), values, None))
