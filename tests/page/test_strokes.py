"""Brush strokes equal masks that are computed without OpenCV, and downloads contain them."""

import json

import numpy as np
import pytest
from conftest import PROJECT, run_apart
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from hairseg.errors import InputError
from hairseg.images import load_photo, scale_down
from hairseg.inference.predictor import HairPredictor
from hairseg.page import store as store_module
from hairseg.page.registry import ModelRegistry
from hairseg.page.store import PhotoStore
from hairseg.page.studio.strokes import MAX_POINTS, MAX_STROKES, Stroke, apply_strokes, read_strokes
from hairseg.page.studio.studio import DOWNLOADS, StudioService
from hairseg.page.workers import Workers
from hairseg.repository import BUNDLED


def distance_to_segment(shape: tuple[int, int], start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Distance in pixels of every pixel centre to a segment, whose ends are fractions of width and height."""
    height, width = shape
    rows, columns = np.indices(shape) + 0.5
    (x0, y0), (x1, y1) = ((x * width, y * height) for x, y in (start, end))
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2
    along = np.clip(((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / (length or 1), 0, 1)
    return np.hypot(columns - x0 - along * (x1 - x0), rows - y0 - along * (y1 - y0))


def drawn(alpha: np.ndarray, strokes: list[Stroke]) -> np.ndarray:
    """Apply strokes to a photo of one colour, without edges."""
    return apply_strokes(np.full((*alpha.shape, 3), 128, np.uint8), alpha, strokes)


@pytest.mark.parametrize("start, end", [((0.5, 0.5), (0.5, 0.5)), ((0.2, 0.3), (0.7, 0.6)), ((0.9, 0.9), (1.3, 0.9))],
                         ids=["disc", "line", "line that leaves the photo"])  # fmt: skip
@pytest.mark.parametrize("shape", [(150, 200), (400, 120), (1000, 1300)])
def test_a_stroke_covers_what_is_near_its_path_and_fades_to_its_radius(shape, start, end):
    radius, pixel = 0.1 * max(shape), max(1, max(shape) / 960)  # larger photos are rasterised at this side
    distance = distance_to_segment(shape, start, end)
    path = (start,) if start == end else (start, end)
    added = drawn(np.zeros(shape, np.float32), [Stroke(True, 0.1, path)])
    assert added.dtype == np.float32 and added[distance < 0.4 * radius - 2 * pixel].min() == 1
    assert added[distance > radius + 2 * pixel].max() == 0
    inner, middle, outer = (
        added[(distance > low * radius) & (distance < (low + 0.2) * radius)].mean() for low in (0.4, 0.6, 0.8)
    )
    assert 1 > inner > middle > outer > 0 and inner > 0.4 and outer < 0.3
    removed = drawn(np.ones(shape, np.float32), [Stroke(False, 0.1, path)])
    np.testing.assert_allclose(removed, 1 - added, atol=0.01)


@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("radius", [0.03, 0.08])
@pytest.mark.parametrize("side", [300, 1500])
def test_the_edge_of_a_stroke_follows_the_photo(adds, radius, side):
    """Along a straight edge between dark hair and a light wall, half of the brush over it."""
    hair = np.broadcast_to(np.arange(side) < side // 2, (side, side))
    noise = np.random.default_rng(0).normal(0, 4, (side, side, 3))
    photo = np.clip(np.where(hair[..., None], (60, 45, 40), (200, 205, 215)) + noise, 0, 255).astype(np.uint8)
    before = np.full(hair.shape, float(not adds), np.float32)
    path = 0.5 + radius / 2 * (-1 if adds else 1)
    strokes = [Stroke(adds, radius, ((path, 0.2), (path, 0.8)))]
    near = np.s_[int(0.4 * side) : int(0.6 * side), int((0.5 - radius / 2) * side) : int((0.5 + radius / 2) * side)]
    error, without = (
        np.abs(alpha - hair)[near].mean() for alpha in (apply_strokes(photo, before, strokes), drawn(before, strokes))
    )
    assert error < without / 2 and without > 0.1
    after = apply_strokes(photo, before, strokes)
    distance = distance_to_segment(hair.shape, *strokes[0].points)
    assert (after[distance < 0.4 * radius * side - 3] == adds).all()
    np.testing.assert_array_equal(after[distance > radius * side + 3], before[distance > radius * side + 3])


def test_pixels_outside_of_strokes_stay_bit_for_bit():
    """Adding hair never lowers alpha, removing hair never raises it, whatever the photo's edges."""
    rng = np.random.default_rng(1)
    photo, alpha = rng.integers(0, 256, (200, 300, 3), np.uint8), rng.random((200, 300), np.float32)
    added = apply_strokes(photo, alpha, [Stroke(True, 0.05, ((0.3, 0.5), (0.7, 0.5)))])
    removed = apply_strokes(photo, alpha, [Stroke(False, 0.05, ((0.3, 0.5), (0.7, 0.5)))])
    assert (added >= alpha).all() and (removed <= alpha).all()
    away = distance_to_segment(alpha.shape, (0.3, 0.5), (0.7, 0.5)) > 0.05 * 300 + 2
    for touched in (added, removed):
        np.testing.assert_array_equal(touched[away], alpha[away])
        assert (touched != alpha)[~away].mean() > 0.5


def test_later_strokes_cover_earlier_ones_and_no_strokes_change_nothing():
    alpha = np.full((150, 200), 0.25, np.float32)
    wide, narrow = Stroke(True, 0.2, ((0.5, 0.5),)), Stroke(False, 0.05, ((0.5, 0.5),))
    ring = drawn(alpha, [wide, narrow])
    assert ring[75, 100] == 0 and ring[75, 113] == 1 and ring[75, 150] == 0.25
    assert drawn(alpha, [narrow, wide])[75, 100] == 1
    np.testing.assert_allclose(drawn(alpha, [wide] * 5), drawn(alpha, [wide]), atol=1e-6)
    np.testing.assert_array_equal(drawn(alpha, []), alpha)
    assert (alpha == 0.25).all()  # the argument is not modified


@pytest.mark.parametrize("shape", [(3000, 2000), (1400, 2800)])
def test_full_resolution_agrees_with_display_size(shape):
    zigzag = Stroke(True, 0.03, ((0.1, 0.2), (0.5, 0.8), (0.7, 0.1), (1.1, 0.6)))
    strokes = [zigzag, Stroke(False, 0.01, ((0.3, 0.5), (0.6, 0.5)))]
    large = drawn(np.zeros(shape, np.float32), strokes)
    small = drawn(scale_down(np.zeros((*shape, 3), np.uint8), 1280)[..., 0].astype(np.float32), strokes)
    assert large.shape == shape and max(small.shape) == 1280
    factor = shape[0] / small.shape[0]
    rows, columns = (((np.arange(side) + 0.5) * factor).astype(int) for side in small.shape)
    assert (np.abs(large[np.ix_(rows, columns)] - small) > 0.2).mean() < 1e-4
    assert small.mean() == pytest.approx(large.mean(), rel=0.01) and small.mean() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (1, 3000), (5000, 3)])
def test_photos_of_any_shape_can_be_edited(shape):
    dab, thin, outside = ((0.5, 0.5),), ((-1, -1), (2, 2)), ((2, 2),)
    strokes = [Stroke(True, 0.25, dab), Stroke(True, 0.002, thin), Stroke(False, 0.1, outside)]
    touched = drawn(np.zeros(shape, np.float32), strokes)
    assert touched.shape == shape and touched[shape[0] // 2, shape[1] // 2] == 1
    assert touched.min() >= 0 and touched.max() <= 1


STROKE = {"adds": True, "radius": 0.03, "points": [0.5, 0.5]}


def test_strokes_are_read_as_the_browser_sends_them():
    sent = json.loads(json.dumps([STROKE, {"adds": False, "radius": 0.1, "points": [0, 1, 0.25, -0.5]}]))
    assert read_strokes(sent) == (Stroke(True, 0.03, ((0.5, 0.5),)), Stroke(False, 0.1, ((0, 1), (0.25, -0.5))))
    assert read_strokes(None) == read_strokes([]) == ()


@pytest.mark.parametrize(
    "payload",
    [
        "x",
        {},
        7,
        [None],
        ["add"],
        [[0.5, 0.5]],
        [STROKE | {"adds": "yes"}],
        *([STROKE | {"radius": radius}] for radius in (None, "0.1", True, 0, -1, 10**400, float("nan"), float("inf"))),
        *([STROKE | {"points": points}] for points in (None, "", [], [0.5], [[0.5, 0.5]], {"0": 1}, ["0.5", "0.5"])),
        *([STROKE | {"points": [0.5, number]}] for number in (None, True, float("nan"), float("-inf"), 3, -1e300)),
        [STROKE] * (MAX_STROKES + 1),
        [STROKE | {"points": [0.5] * (2 * MAX_POINTS + 2)}],
        [STROKE | {"points": [0.5] * 2 * (MAX_POINTS // 2)}] * 3,
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(payload):
    with pytest.raises(InputError, match="stroke") as refused:
        read_strokes(payload)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 250


MOUTH = {"adds": True, "radius": 0.08, "points": [0.5, 0.5]}  # a dab on the mouth of the portrait
CROWN = {"adds": False, "radius": 0.08, "points": [0.5, 0.15]}
COLOUR = "ocean blue"


@pytest.fixture(scope="module")
def predictor():
    return HairPredictor(BUNDLED)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A photo above display size: the portrait, 1050 pixels wide and 1400 high."""
    path = tmp_path_factory.mktemp("photos") / "large.jpg"
    with Image.open(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg") as portrait:
        portrait.resize((1050, 1400), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


@pytest.fixture
def store(predictor):
    return PhotoStore(ModelRegistry.from_predictor(predictor))


@pytest.fixture
def studio(store):
    return StudioService(store, Workers())


def request(path, strokes=None, **more) -> dict:
    return {"photo": save_file_to_cache(path, get_upload_folder()), "strokes": strokes, "colour": COLOUR, **more}


def test_downloads_contain_the_strokes_at_full_resolution(studio, large):
    edits = (None, [MOUTH, CROWN])
    made = {
        kind: [run_apart(studio.download(request(large, edit, kind=kind)))["src"] for edit in edits]
        for kind in DOWNLOADS
    }
    mouth, crown = np.s_[670:730, 495:555], np.s_[180:240, 495:555]
    before, after = map(pixels, made["alpha"])
    assert before.shape == after.shape == (1400, 1050)
    assert before[mouth].max() < 60 and after[700, 525] == 255 and after[mouth].mean() > 200
    assert before[crown].mean() > 200 and after[crown].max() == 0
    assert made["alpha"][1].endswith("large-pretrained-mask-edited.png")
    rows, columns = np.indices(after.shape)
    away = np.minimum(*(np.hypot(rows - y, columns - 525) for y in (700, 210))) > 0.08 * 1400 + 3
    np.testing.assert_array_equal(after[away], before[away])
    np.testing.assert_array_equal(pixels(made["cutout"][1])[..., 3], after)

    original, dyed = load_photo(large).astype(int), pixels(made["recoloured-png"][1])
    np.testing.assert_array_equal(dyed[after == 0], original[after == 0])
    assert np.abs(dyed - original)[after == 255].mean() > 15
    assert np.abs(dyed[mouth] - original[mouth]).mean() > 15
    for kind in DOWNLOADS:
        assert pixels(made[kind][0]).shape == pixels(made[kind][1]).shape
        assert (pixels(made[kind][0]) != pixels(made[kind][1])).any(), kind


def test_the_shown_picture_follows_the_strokes_and_the_masks_do_not(studio, large):
    plain, edited = request(large), request(large, [MOUTH])
    pictures = [pixels(run_apart(studio.recolour(each))["src"]) for each in (plain, edited)]
    difference = np.abs(pictures[0] - pictures[1])
    assert difference[630:650, 470:490].mean() > 20  # the mouth
    assert difference[1100:].mean() < 4  # the shoulders, by JPEG
    assert run_apart(studio.segment(plain))["masks"] == run_apart(studio.segment(edited))["masks"]


def test_both_variants_take_the_same_strokes_and_a_photo_without_hair_gets_some(studio, tmp_path):
    Image.new("RGB", (300, 200), (120, 150, 190)).save(tmp_path / "sky.png")
    assert "finds no hair" in run_apart(studio.recolour(request(tmp_path / "sky.png")))["notice"]
    for variant in ("pretrained", "random"):
        shown = run_apart(
            studio.recolour(request(tmp_path / "sky.png", [STROKE], colour="cherry red", variant=variant))
        )
        red, _, blue = pixels(shown["src"])[100, 150]
        assert red > blue + 40 and not shown["notice"]


def test_another_colour_on_the_same_strokes_separates_the_hair_once(studio, large, monkeypatch):
    made, real = [], store_module.HairRecolourer
    monkeypatch.setattr(store_module, "HairRecolourer", lambda photo, alpha: made.append(1) or real(photo, alpha))
    for colour in ("ocean blue", "violet", "emerald"):
        assert "error" not in run_apart(studio.recolour(request(large, [MOUTH, CROWN], colour=colour)))
    assert len(made) == 1
    run_apart(studio.recolour(request(large, [MOUTH])))  # undone
    run_apart(studio.recolour(request(large, [MOUTH, CROWN])))
    assert len(made) == 2


def test_wrong_strokes_are_answered_with_one_sentence_by_every_function_that_uses_them(studio, large):
    for strokes in ("x", [STROKE] * 500, [STROKE | {"points": [float("nan"), 0]}], [{}]):
        for function in (studio.recolour, studio.thumbnails, studio.download, studio.detail):
            said = run_apart(function(request(large, strokes)))["error"]
            assert "stroke" in said and said.endswith(".")
