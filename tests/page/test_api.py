"""The page's endpoints, called by gradio_client and by plain HTTP."""

import base64
import colorsys
import json
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, draw_portrait, run_apart, served
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from PIL import Image

from hairseg.hub.resolve import ResolvedRepo
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.api import Endpoints
from hairseg.page.app import build_page
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.security import MALFORMED, NOT_UPLOADED
from hairseg.page.store import PhotoStore
from hairseg.page.studio.studio import PHOTO_GONE, StudioService
from hairseg.page.workers import Workers
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings
from hairseg.repository import BUNDLED


def store_of(predictor) -> PhotoStore:
    return PhotoStore(ModelRegistry.from_predictor(predictor))


def upload(path) -> str:
    return save_file_to_cache(path, get_upload_folder())


@pytest.fixture(scope="module")
def predictor():
    return HairPredictor(BUNDLED)


@pytest.fixture(scope="module")
def drawn(small_repository):
    return HairPredictor(small_repository)


@pytest.fixture(scope="module")
def models(predictor, drawn):
    listed = [
        ServedModel("bundled"),
        ServedModel("ada/hair@v2", ResolvedRepo(drawn.folder, "ada/hair", "0123456789" * 4)),
    ]
    return ModelRegistry(listed, load=lambda model: drawn if model.source else predictor)


@pytest.fixture(scope="module")
def client(models, tmp_path_factory):
    with served(build_page(models)) as url:
        yield Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture
def sideways(tmp_path):
    """The example portrait as a phone stores it, rotated, with its orientation in EXIF; upright 280 x 240 pixels."""
    with Image.open(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg") as portrait:
        portrait = portrait.crop((0, 0, 280, 240))
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "sideways.jpg"
    portrait.rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def test_segment_returns_both_alphas_as_png_at_full_resolution(client, sideways):
    random, pretrained = (pixels(path) for path in client.predict(handle_file(sideways), api_name="/segment"))
    assert random.shape == pretrained.shape == (240, 280)
    assert pretrained[30:55, 120:170].mean() > 200 and pretrained[220:, :40].mean() < 40  # crown, and a corner


def test_recolour_changes_the_hair_to_the_hue_and_nothing_outside(client, sideways):
    photo = handle_file(sideways)
    _, alpha = client.predict(photo, api_name="/segment")
    alpha, result = pixels(alpha), pixels(client.predict(photo, "#8e24aa", 1.0, "pretrained", api_name="/recolour"))
    original = load_photo(sideways)
    assert result.shape == original.shape
    np.testing.assert_array_equal(result[alpha == 0], original[alpha == 0])
    hues = [colorsys.rgb_to_hsv(*pixel)[0] * 360 for pixel in result[alpha > 250] / 255]
    assert np.median(hues) == pytest.approx(287, abs=25)


def test_strength_zero_is_the_photo(client, sideways):
    result = client.predict(handle_file(sideways), "#00ff00", 0, "random", api_name="/recolour")
    np.testing.assert_array_equal(pixels(result), load_photo(sideways))


def test_mistakes_are_answered_with_one_sentence(client, sideways, tmp_path):
    (tmp_path / "selfie.jpg").write_text("text")
    with pytest.raises(Exception, match=r"^selfie.jpg is not a picture that can be read"):
        client.predict(handle_file(tmp_path / "selfie.jpg"), api_name="/segment")
    with pytest.raises(Exception, match=r"^'mauve-ish' is not a colour"):
        client.predict(handle_file(sideways), "mauve-ish", 1, "pretrained", api_name="/recolour")


def test_another_colour_does_not_run_the_networks_again(predictor, sideways, monkeypatch):
    calls = []
    submit = predictor.submit
    monkeypatch.setattr(predictor, "submit", lambda photo: calls.append(1) or submit(photo))
    photo = upload(sideways)
    store, other = store_of(predictor), store_of(predictor)
    endpoints, studio = Endpoints(other, Workers()), StudioService(store, Workers())
    run_apart(endpoints.segment({"path": photo}))
    for colour in ("#8e24aa", "#b5562b", "violet"):
        run_apart(endpoints.recolour({"path": photo}, colour, 0.8, "pretrained"))
    run_apart(endpoints.recolour({"path": photo}, "#8e24aa", 0.8, "random"))
    assert calls == [1]
    shown = run_apart(studio.recolour({"photo": photo, "colour": "copper"}))
    masks = run_apart(studio.segment({"photo": photo}))
    assert "error" not in shown and calls == [1, 1] and store.photo(photo).alpha("random").shape == (240, 280)
    assert masks["shown"] == shown["shown"]  # the photo is written once


def test_both_endpoints_take_a_models_name_last(client, drawn, sideways):
    """Without a name they use the first model."""
    photo, original = handle_file(sideways), load_photo(sideways)
    expected = drawn.alphas(original)
    for words, named in [(("ada/hair@v2",), {}), ((), {"model": "ada/hair@v2"})]:
        alphas = client.predict(photo, *words, **named, api_name="/segment")
        for variant, path in zip(("random", "pretrained"), alphas, strict=True):
            np.testing.assert_array_equal(pixels(path), alpha_to_grey(expected[variant]))
    first, same = (client.predict(photo, *words, api_name="/segment") for words in ((), ("bundled",)))
    for unnamed, named in zip(first, same, strict=True):
        np.testing.assert_array_equal(pixels(unnamed), pixels(named))
    settings = ("#8e24aa", 1, "pretrained", 0, 0, 0, "none", "black")
    by_drawn = pixels(client.predict(photo, *settings, "ada/hair@v2", api_name="/recolour"))
    expected = HairRecolourer(original, expected["pretrained"]).recolour("#8e24aa", RecolourSettings())
    np.testing.assert_array_equal(by_drawn, expected)
    assert not np.array_equal(pixels(client.predict(photo, *settings, api_name="/recolour")), expected)


@pytest.mark.parametrize("name", ["", "ada/hair", "../bundled", ["bundled"], {}, 0, True])
def test_an_unknown_model_gets_one_sentence(client, models, sideways, name):
    expected = r"is not a model of this page. Choose one of bundled, ada/hair@v2\.$"
    with pytest.raises(Exception, match=expected):
        client.predict(handle_file(sideways), name, api_name="/segment")
    with pytest.raises(Exception, match=expected):
        client.predict(handle_file(sideways), "copper", model=name, api_name="/recolour")
    studio, payload = StudioService(PhotoStore(models), Workers()), {"photo": upload(sideways), "model": name}
    for function in (studio.segment, studio.recolour, studio.thumbnails):
        assert run_apart(function(payload))["error"].endswith("Choose one of bundled, ada/hair@v2.")


def test_a_plain_call_may_omit_the_model(client, sideways):
    """Guards calls from before there were several models: Gradio itself requires every value of a plain call."""
    endpoint, photo = f"{client.src}gradio_api/call/segment", base64.b64encode(sideways.read_bytes()).decode()
    call = json.dumps({"data": [{"url": f"data:image/jpeg;base64,{photo}"}]}).encode()
    request = urllib.request.Request(endpoint, call, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as joined:
        event = json.loads(joined.read())["event_id"]
    with urllib.request.urlopen(f"{endpoint}/{event}", timeout=60) as said:
        assert b"event: complete" in said.read()


def answer(client, fn_index: int, data: list) -> dict:
    """Call an event by index; return the last message of its queue."""
    session = uuid.uuid4().hex
    call = json.dumps({"data": data, "fn_index": fn_index, "session_hash": session}).encode()
    request = urllib.request.Request(f"{client.src}gradio_api/queue/join", call, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()
    with urllib.request.urlopen(f"{client.src}gradio_api/queue/data?session_hash={session}", timeout=60) as events:
        for line in events:
            if line.startswith(b"data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                return message
    raise AssertionError("the queue closed without an answer")


def events_with_a_photo(client) -> list[tuple[int, list]]:
    """Return every event with a photo among its inputs: its index, and its values with None for the photo."""
    config = client.config
    values = {part["id"]: part["props"].get("value") for part in config["components"]}
    (photo,) = (part["id"] for part in config["components"] if part["props"].get("label") == "photo")
    return [
        (event["id"], [None if part == photo else values[part] for part in event["inputs"]])
        for event in config["dependencies"]
        if photo in event["inputs"] and event["backend_fn"]
    ]


def studio_functions(client) -> tuple[int, list[str]]:
    """Return the studio's component id, and the names of its functions that take a photo."""
    (studio,) = (part for part in client.config["components"] if part["props"].get("elem_id") == "studio")
    names = [name for name in studio["props"]["server_fns"] if name not in ("example", "pending")]
    assert len(names) == 5
    return studio["id"], names


def call_server(client, component: int, name: str, data) -> object:
    body = {"data": data, "fn_name": name, "component_id": component, "session_hash": uuid.uuid4().hex}
    address = f"{client.src}gradio_api/component_server"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answered:
        return json.load(answered)


@pytest.fixture
def secret(tmp_path) -> Path:
    """A picture on the server that nobody has uploaded."""
    Image.fromarray(draw_portrait(7)[0]).save(tmp_path / "secret.png")
    return tmp_path / "secret.png"


@pytest.fixture
def link(secret):
    """A link in the folder of uploads that leads out of it."""
    path = Path(get_upload_folder()) / f"{uuid.uuid4().hex}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(secret)
    yield path
    path.unlink()


@pytest.mark.parametrize(
    "meta",
    [{}, {"meta": {"_type": "gradio.FileData"}}, {"meta": {}}, {"meta": {"_type": "x"}}],
    ids=["no meta", "meta", "empty meta", "wrong meta"],
)
def test_no_event_reads_a_file_that_was_not_uploaded(client, secret, link, meta):
    """Guards every event and endpoint: malicious payloads neither return a file nor reveal whether it exists."""
    upwards = f"{get_upload_folder()}/../../{secret}"
    payloads = [
        {"path": str(path)}
        for path in (
            secret,
            link,
            upwards,
            secret.parent,
            "/etc/passwd",
            "/no/such/file.png",
            "",
            "a\0b",
            secret.name,
            "x" * 5000,
        )
    ]
    payloads += [
        {"path": str(secret), "url": f"file://{secret}"},
        {"url": f"file://{secret}"},
        {"path": None, "url": None},
        {"path": str(secret), "orig_name": "x.svg"},
    ]
    for fn_index, data in events_with_a_photo(client):
        said = set()
        for payload in payloads:
            message = answer(client, fn_index, [payload | meta if value is None else value for value in data])
            assert "Traceback" not in json.dumps(message)
            assert not message["success"] and not {"src", "shown", "path"} & message["output"].keys(), payload
            said.add(message["output"]["error"])
        assert said <= {NOT_UPLOADED, MALFORMED}
        if not meta.get("meta"):  # with it Gradio refuses earlier, whether the file exists or not
            assert said == {NOT_UPLOADED}
    studio, names = studio_functions(client)
    for name in names:
        for path in [payload.get("path") for payload in payloads] + [{"path": str(secret)}, [str(secret)], 7]:
            said = call_server(client, studio, name, {"photo": path, "colour": "copper"})
            assert said == {"error": PHOTO_GONE, "gone": True}, (name, path)


@pytest.mark.parametrize("values", [[{"path": "x.png", "meta": None}], ["x"]])
def test_values_on_which_gradio_fails_are_answered_with_one_sentence(client, logged, values):
    event, _ = events_with_a_photo(client)[0]
    message = answer(client, event, values)
    assert not message["success"] and message["output"]["error"] in (MALFORMED, NOT_UPLOADED)
    assert "Traceback" not in logged()


@pytest.mark.parametrize("data", ["NaN", '"\\ud800"', '{"a": 1e999}', '"x"'])
def test_malformed_calls_are_answered_with_one_sentence(client, logged, data):
    """Guards against a response that repeats the request, and fails on values that JSON cannot represent."""
    body = f'{{"data": {data}, "fn_index": 0, "session_hash": "x"}}'.encode()
    request = urllib.request.Request(f"{client.src}gradio_api/queue/join", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 422 and json.load(caught.value) == {"error": MALFORMED}
    assert "Traceback" not in logged()


def test_results_of_the_page_and_data_urls_are_accepted(client, sideways):
    alpha, _ = client.predict(handle_file(sideways), api_name="/segment")
    url = "data:image/png;base64," + base64.b64encode(Path(alpha).read_bytes()).decode()
    for fn_index, data in events_with_a_photo(client):
        message = answer(client, fn_index, [{"url": url} if value is None else value for value in data])
        assert message["success"]
