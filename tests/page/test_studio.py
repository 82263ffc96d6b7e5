"""The functions that the studio's scripts call."""

import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PROJECT, draw_portrait, run_apart
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from hairseg.hub.resolve import ResolvedRepo
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.store import HairRequest, PhotoStore
from hairseg.page.studio.studio import DOWNLOADS, EXAMPLE_TITLES, EXAMPLES, THUMBNAIL_SIDE, StudioService
from hairseg.page.workers import MAX_PENDING, Workers
from hairseg.recolouring.palette import PRESETS
from hairseg.repository import BUNDLED

PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"

WRONG = [None, "x", [], {}, float("nan"), True, "9" * 400, "rgba(1.2.3, 4, 5)", "\0"]


@pytest.fixture(scope="module")
def predictor():
    return HairPredictor(BUNDLED)


@pytest.fixture(scope="module")
def drawn(small_repository):
    return HairPredictor(small_repository)


@pytest.fixture
def store(predictor, drawn):
    listed = [ServedModel("bundled"), ServedModel("ada/hair@v2", ResolvedRepo(drawn.folder, "ada/hair", "0" * 40))]
    return PhotoStore(ModelRegistry(listed, load=lambda model: drawn if model.source else predictor))


@pytest.fixture
def studio(store):
    return StudioService(store, Workers())


@pytest.fixture
def portrait() -> str:
    return upload(PORTRAIT)


def upload(path) -> str:
    return save_file_to_cache(path, get_upload_folder())


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_masks_captions_and_verdict_come_in_one_answer(studio, portrait, predictor):
    answer = run_apart(studio.segment({"photo": portrait}))
    alphas = predictor.alphas(load_photo(PORTRAIT))
    for variant, path in answer["masks"].items():
        difference = np.abs(pixels(path).astype(int) - alpha_to_grey(alphas[variant]))
        assert difference.max() <= 1 and answer["captions"][variant].startswith("hair: 12 % of the photo")
    assert answer["size"] == (280, 280) and answer["agreement"] > 0.9 and answer["focus"] is None
    assert answer["verdict"].startswith("An easy photo") and pixels(answer["shown"]).shape == (280, 280, 3)


def test_the_answer_belongs_to_the_requested_model(studio, drawn, portrait):
    payload = {"photo": portrait, "model": "ada/hair@v2", "variant": "random", "kind": "alpha"}
    grey = alpha_to_grey(drawn.alphas(load_photo(PORTRAIT))["random"])
    shown, given = run_apart(studio.segment(payload))["masks"]["random"], run_apart(studio.download(payload))["src"]
    for path in (shown, given):
        np.testing.assert_array_equal(pixels(path), grey)
    assert not np.array_equal(pixels(run_apart(studio.segment(payload | {"model": None}))["masks"]["random"]), grey)


def test_formats_that_browsers_cannot_show_become_jpeg(studio, tmp_path):
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "phone.heic", format="HEIF", quality=95)
    answer = run_apart(studio.segment({"photo": upload(tmp_path / "phone.heic")}))
    with Image.open(answer["shown"]) as shown:
        assert (shown.format, shown.size) == ("JPEG", (96, 96)) and Path(answer["shown"]).name == "phone.jpg"


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    with Image.open(PORTRAIT) as portrait:
        portrait.resize((3000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def test_large_photos_are_shown_scaled_down_and_downloaded_at_full_resolution(studio, store, large):
    """Both sizes come from one prediction: the full-resolution mask, scaled down, equals the shown one."""
    photo = upload(large)
    shown, full = store.photo(photo), store.full_size(HairRequest(photo, "pretrained"))
    assert shown.photo.shape == (1280, 1280, 3) and full.alpha.shape == (3000, 3000)
    np.testing.assert_array_equal(full.photo, load_photo(large))
    scaled = cv2.resize(full.alpha, (1280, 1280), interpolation=cv2.INTER_AREA)
    assert np.abs(scaled - shown.alpha("pretrained")).mean() < 0.01
    recoloured = Path(run_apart(studio.recolour({"photo": photo, "colour": "copper"}))["src"])
    assert recoloured.stat().st_size < 200_000 and recoloured.name == "large-copper.jpg"


def test_a_magnified_window_has_the_pixels_of_the_upload(studio, large):
    payload = {"photo": upload(large), "colour": "violet", "window": [0.4, 0.1, 0.6, 0.3]}
    answer = run_apart(studio.detail(payload))
    assert answer["window"] == pytest.approx(payload["window"], abs=1e-3)
    for name in ("photo", "recoloured", "random", "pretrained"):
        assert pixels(answer[name]).shape[:2] == (600, 600)
    original = load_photo(large)[300:900, 1200:1800].astype(int)
    assert np.abs(pixels(answer["photo"]) - original).mean() < 3


@pytest.mark.parametrize(
    "window", [None, [], [0, 0, 1], [0, 0, 2, 1], [0.5, 0, 0.5, 1], ["0", 0, 1, 1], [0, 0, True, 1]]
)
def test_a_wrong_window_is_answered_with_one_sentence(studio, portrait, window):
    assert "The window is" in run_apart(studio.detail({"photo": portrait, "window": window}))["error"]


@pytest.mark.parametrize("kind", DOWNLOADS)
def test_downloads_have_full_resolution_and_clear_names(studio, large, kind):
    photo, link = upload(large), "https://example.org/"
    answer = run_apart(studio.download({"photo": photo, "colour": "violet", "kind": kind, "link": link}))
    names = {
        "recoloured-jpeg": "large-violet.jpg",
        "recoloured-png": "large-violet.png",
        "alpha": "large-pretrained-mask.png",
        "cutout": "large-hair.png",
        "chart": "large-colours.png",
        "card": "large-card.jpg",
    }
    assert answer["name"] == Path(answer["src"]).name == names[kind]
    if kind not in ("chart", "card"):
        assert pixels(answer["src"]).shape[:2] == (3000, 3000)


@pytest.mark.parametrize("ratio, size", [("4:5", (1350, 1080)), ("9:16", (1920, 1080)), ("1:1", (1080, 1080))])
def test_share_cards_come_in_three_formats(studio, portrait, ratio, size):
    answer = run_apart(studio.download({"photo": portrait, "kind": "card", "format": ratio}))
    assert pixels(answer["src"]).shape == (*size, 3)


@pytest.mark.parametrize("more", [{"kind": "everything"}, {"kind": None}, {"kind": "card", "format": "2:1"}])
def test_an_unknown_download_is_answered_with_one_sentence(studio, portrait, more):
    assert "Choose one of" in run_apart(studio.download({"photo": portrait, **more}))["error"]


def test_thumbnails_show_the_head_in_every_preset_and_mode(studio, portrait):
    row = pixels(run_apart(studio.thumbnails({"photo": portrait}))["src"])
    assert row.shape == (THUMBNAIL_SIDE, (len(PRESETS) + 3) * THUMBNAIL_SIDE, 3)
    heads = np.split(row.astype(int), len(PRESETS) + 3, axis=1)
    assert all(np.abs(one - other).mean() > 1 for one, other in pairwise(heads))


def test_thumbnails_show_the_presets_as_second_colour(studio, portrait):
    payload = {"photo": portrait, "colour": "copper", "target": "second_colour", "second_mode": "ombre"}
    row = pixels(run_apart(studio.thumbnails(payload | {"second_colour": "violet"}))["src"]).astype(int)
    copper, platinum, emerald = (np.split(row, len(PRESETS) + 3, axis=1)[index] for index in (3, 6, 13))
    assert np.abs(platinum - emerald)[60:].mean() > 2 * np.abs(platinum - emerald)[:30].mean()  # the tips differ
    assert np.abs(copper - emerald).mean() > 1


def test_only_examples_can_be_requested_by_name(studio):
    for name in EXAMPLE_TITLES:
        path = Path(run_apart(studio.example(name))["photo"])
        assert pixels(path).ndim == 3 and time.time() - path.stat().st_mtime < 600  # old files are removed
        assert (EXAMPLES / f"{name}.jpg").stat().st_size <= 120_000
    for name in ("../../app.py", "/etc/passwd", "", ".", "no", "cat.jpg", "cat\0", "x" * 5000, None, 3, ["cat"], {}):
        answer = run_apart(studio.example(name))
        assert set(answer) == {"error"} and "is not an example" in answer["error"] and len(answer["error"]) < 400


@pytest.mark.parametrize(
    "setting",
    [
        "colour",
        "strength",
        "variant",
        "vividness",
        "lightness",
        "natural_roots",
        "second_mode",
        "second_colour",
        "ombre_start",
    ],
)
def test_every_wrong_setting_is_answered_with_one_sentence(studio, portrait, setting):
    for value in WRONG:
        answer = run_apart(
            studio.recolour({"photo": portrait, "second_mode": "ombre", "second_colour": "violet", setting: value})
        )
        said = answer["error"]
        assert said.endswith(".") and len(said) < 400 and "Something went wrong" not in said and not answer["gone"]


def test_one_of_two_heads_is_recoloured(studio, tmp_path):
    two = np.full((400, 800, 3), 200, np.uint8)
    head = np.asarray(Image.open(PORTRAIT))
    two[60:340, 60:340] = two[60:340, 460:740] = head
    Image.fromarray(two).save(tmp_path / "two.png")
    photo = upload(tmp_path / "two.png")
    left, right = run_apart(studio.segment({"photo": photo}))["heads"]
    assert left[2] < 0.5 < right[0]
    shown = pixels(run_apart(studio.recolour({"photo": photo, "colour": "violet", "head": list(right)}))["src"]).astype(
        int
    )
    changed = np.abs(shown - two).mean(axis=2)
    assert changed[:, 400:].mean() > 2 > changed[:, :400].mean()
    alpha = pixels(run_apart(studio.download({"photo": photo, "kind": "alpha", "head": list(right)}))["src"])
    assert alpha[:, :400].max() == 0 < alpha[:, 400:].max()
    assert "The window is" in run_apart(studio.recolour({"photo": photo, "head": "left"}))["error"]


def test_a_photo_without_hair_is_reported(studio, tmp_path):
    Image.fromarray(np.full((96, 96, 3), 200, np.uint8)).save(tmp_path / "wall.png")
    photo = upload(tmp_path / "wall.png")
    assert run_apart(studio.recolour({"photo": photo}))["notice"].startswith("This network finds no hair")
    answer = run_apart(studio.segment({"photo": photo}))
    assert answer["verdict"] == "Neither network finds hair here." and answer["focus"] is None


def test_too_many_requests_are_refused(studio, portrait):
    studio._workers._pending = MAX_PENDING
    assert run_apart(studio.pending(None)) == {"pending": MAX_PENDING}
    assert run_apart(studio.segment({"photo": portrait}))["error"].startswith("Too many visitors")


def test_an_unexpected_failure_is_one_sentence_and_logged(studio, store, portrait, monkeypatch, capsys):
    monkeypatch.setattr(store, "photo", lambda *_: 1 / 0)
    answer = run_apart(studio.segment({"photo": portrait}))
    assert answer["error"].startswith("Something went wrong") and "ZeroDivisionError" in capsys.readouterr().err
