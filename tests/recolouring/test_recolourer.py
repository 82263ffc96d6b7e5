"""Recolouring judged by published colour formulas on drawn and photographed hair."""

import cv2
import numpy as np
import pytest
from conftest import DATA
from PIL import Image, ImageFilter
from recolouring.lab import lab

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey
from hairseg.recolouring.palette import PRESETS, parse_colour
from hairseg.recolouring.recolourer import HairRecolourer, cutout, recolour
from hairseg.recolouring.settings import RecolourSettings

NATURAL, BOLD = list(PRESETS)[:8], list(PRESETS)[8:]
HAIR_COLOURS = {"black": (30, 27, 26), "brown": (92, 62, 44), "blond": (205, 172, 124), "grey": (170, 170, 168)}


def ciede2000(one, other):
    """Colour difference (Sharma, Wu and Dalal, Color Research and Application 30, 2005)."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(colour, float), -1, 0) for colour in (one, other))
    c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - np.sqrt(c7 / (c7 + 25.0**7)))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, stretch * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = np.where(c1 * c2 == 0, 0, (h2 - h1 + 180) % 360 - 180)
    h = np.where(c1 * c2 == 0, h1 + h2, h1 + dh / 2)
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    cosine = [np.cos(np.radians(k * h + shift)) for k, shift in ((1, -30), (2, 0), (3, 6), (4, -63))]
    t = 1 - 0.17 * cosine[0] + 0.24 * cosine[1] + 0.32 * cosine[2] - 0.20 * cosine[3]
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    turn = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-((((h % 360) - 275) / 25) ** 2))))
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / sc, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2)) / sh
    return np.sqrt(dl**2 + dc**2 + dh**2 + turn * dc * dh)


@pytest.mark.parametrize(
    "one, other, published",
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_agrees_with_the_published_pairs(one, other, published):
    assert ciede2000(one, other) == pytest.approx(published, abs=5e-5)


def rank_correlation(one, other):
    """Spearman's rank correlation; ties share their mean rank."""

    def ranks(values):
        _, place, counts = np.unique(values.round(6), return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2)[place]

    return np.corrcoef(ranks(one), ranks(other))[0, 1]


def quality(photo, alpha, recoloured, colour):
    """Measure colour difference, order of lightness, newly clipped channels, and pixels changed outside of the hair."""
    hair = alpha > 0.95
    before, after = lab(photo[hair]), lab(recoloured[hair])
    low, high = np.percentile(before[:, 0], [25, 75])
    mid_tones = after[(before[:, 0] >= low) & (before[:, 0] <= high)]
    target = lab(parse_colour(colour))
    mid_tones[:, 0] = target[0]
    clipped_before, clipped_after = (np.isin(picture[hair], (0, 255)) for picture in (photo, recoloured))
    return {
        "difference": np.median(ciede2000(mid_tones, target)),
        "rank": rank_correlation(before[:, 0], after[:, 0]),
        "clipped": (clipped_after & ~clipped_before).mean(axis=0).max(),
        "outside": np.array_equal(photo[alpha == 0], recoloured[alpha == 0]),
    }


def draw_hair(colour, size=160):
    """Draw a head from behind: strands in uneven light with a sheen and noise, in front of a grey wall."""
    y, x = np.mgrid[:size, :size] / size
    alpha = np.clip((0.36 - np.hypot(x - 0.5, 0.7 * (y - 0.5))) * 25 + 0.5, 0, 1).astype(np.float32)
    strands = np.sin(70 * x + 6 * np.sin(5 * y)) * np.sin(31 * x + 3 * y)
    light = np.exp(0.5 * strands + 0.9 * np.cos(4 * (x - 0.45)) - 0.9 + 0.9 * np.exp(-(((y - 0.3) / 0.05) ** 2)))
    hair = 255 * (light[..., None] * (np.array(colour) / 255) ** 2.2) ** (1 / 2.2)
    hair = hair + np.random.default_rng(0).normal(0, 1.5, (size, size, 1))
    wall = np.full((size, size, 3), 128) + 60 * (y - 0.5)[..., None]
    photo = alpha[..., None] * np.clip(hair, 0, 255) + (1 - alpha[..., None]) * wall
    return np.rint(photo).astype(np.uint8), alpha


@pytest.fixture(scope="module", params=HAIR_COLOURS)
def original(request):
    photo, alpha = draw_hair(HAIR_COLOURS[request.param])
    return photo, alpha, HairRecolourer(photo, alpha)


def test_colours_are_hex_codes_or_preset_names_in_any_case():
    assert parse_colour("#8E24aa") == (142, 36, 170)
    assert parse_colour(" Light Blond ") == parse_colour(PRESETS["light blond"])
    assert len(NATURAL) == 8
    assert len(BOLD) == 6
    for wrong in ("8e24aa", "#8e24a", "#8e24ag", "blonde?", "", None):
        with pytest.raises(InputError, match=r"#rrggbb.*light blond") as error:
            parse_colour(wrong)
        assert repr(wrong) in str(error.value)


def test_mask_files_bool_masks_and_double_precision_are_converted():
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    mask_file = alpha_to_grey(alpha)
    assert np.array_equal(recolour(photo, mask_file, "copper"), recolour(photo, mask_file / np.float32(255), "copper"))
    assert np.array_equal(recolour(photo, alpha.astype(np.float64), "copper"), recolour(photo, alpha, "copper"))
    mask = alpha > 0.5
    assert np.array_equal(recolour(photo, mask, "copper"), recolour(photo, mask.astype(np.float32), "copper"))
    assert np.array_equal(cutout(photo, mask)[..., 3], np.where(mask, 255, 0))


def test_opaque_rgba_photo_is_converted():
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    rgba = np.dstack([photo, np.full(alpha.shape, 255, np.uint8)])
    assert np.array_equal(recolour(rgba, alpha, "copper"), recolour(photo, alpha, "copper"))
    assert np.array_equal(HairRecolourer(rgba, alpha).photo, photo)


@pytest.mark.parametrize("make", [cutout, HairRecolourer, lambda photo, alpha: recolour(photo, alpha, "black")])
def test_unsuitable_arrays_are_refused(make):
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    with_nan = alpha.copy()
    with_nan[3, 4] = np.nan
    for wrong in (alpha * 255, with_nan, alpha[:, 1:], -alpha):
        with pytest.raises(InputError):
            make(photo, wrong)
    with pytest.raises(InputError):
        make(photo.reshape(-1), alpha)


@pytest.mark.parametrize("colour", PRESETS)
def test_recolouring_of_drawn_hair_is_plausible(original, colour):
    photo, alpha, recolourer = original
    result = quality(photo, alpha, recolourer.recolour(colour), colour)
    assert result["rank"] >= 0.97
    assert result["difference"] < 10
    assert result["clipped"] <= 0.01
    assert result["outside"]


@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#00ffff", "#ffff00"])
@pytest.mark.parametrize("vividness", [0, 1])
def test_extreme_colours_do_not_clip(original, colour, vividness):
    photo, alpha, recolourer = original
    recoloured = recolourer.recolour(colour, RecolourSettings(vividness=vividness))
    assert quality(photo, alpha, recoloured, colour)["clipped"] <= 0.01


def real_photos():
    """Find photos of black, brown and blond hair: straight, wavy and kinky."""
    frames = ("00189", "00461", "00002", "00180", "00155")
    paths = [path for frame in frames for path in (DATA / "Figaro1k" / "Original").glob(f"*/Frame{frame}-org.jpg")]
    masks = [DATA / "Figaro1k" / "GT" / path.parent.name / path.name.replace("-org.jpg", "-gt.pbm") for path in paths]
    return list(zip(paths, masks, strict=True))


@pytest.mark.skipif(not DATA.exists(), reason="needs the development data beside the project")
@pytest.mark.parametrize("photo_path, mask_path", real_photos(), ids=lambda path: path.stem)
def test_recolouring_of_photographed_hair_is_plausible(photo_path, mask_path):
    photo = np.array(Image.open(photo_path).convert("RGB"))
    alpha = np.array(Image.open(mask_path).convert("L").filter(ImageFilter.GaussianBlur(1)), np.float32) / 255
    recolourer = HairRecolourer(photo, alpha)
    for colour in NATURAL:
        result = quality(photo, alpha, recolourer.recolour(colour), colour)
        assert result["rank"] >= 0.96, colour
        assert result["difference"] < 10, colour
        assert result["clipped"] <= 0.01, colour
        assert result["outside"], colour


ALL_SETTINGS = RecolourSettings(
    vividness=1, lightness=0.5, natural_roots=0.4, second_colour="platinum", second_mode="streaks"
)


def test_strength_blends_linearly_from_the_photo(original):
    photo, _, recolourer = original
    assert np.array_equal(recolourer.recolour("copper", RecolourSettings(strength=0)), photo)
    none, half, full = (
        recolourer.recolour("copper", RecolourSettings(strength=strength)).astype(int) for strength in (0, 0.5, 1)
    )
    assert np.abs(half - (none + full) / 2).max() <= 1


def test_results_are_deterministic_and_the_photo_is_not_modified():
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    copy = photo.copy()
    recolourer = HairRecolourer(photo, alpha)
    first = recolourer.recolour("violet", ALL_SETTINGS)
    recolourer.recolour("black")
    assert np.array_equal(first, recolourer.recolour("violet", ALL_SETTINGS))
    assert np.array_equal(first, recolour(photo, alpha, "violet", ALL_SETTINGS))
    assert np.array_equal(photo, copy)


@pytest.mark.parametrize("settings", [RecolourSettings(), ALL_SETTINGS, RecolourSettings(second_colour="silver")])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (2, 3), (40, 25), (3, 120)])
def test_tiny_photos_without_hair_with_one_pixel_and_all_hair(shape, settings):
    photo = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    alpha = np.zeros(shape, np.float32)
    assert np.array_equal(recolour(photo, alpha, "copper", settings), photo)
    assert recolour(photo, np.ones(shape, np.float32), "copper", settings).shape == photo.shape
    alpha[-1, -1] = 1
    changed = (recolour(photo, alpha, "copper", settings) != photo).any(axis=2)
    assert not changed[alpha == 0].any()


def test_black_hair_is_brightened_without_amplified_noise():
    photo, alpha = draw_hair(HAIR_COLOURS["black"])
    hair = alpha == 1
    brightened = lab(recolour(photo, alpha, "light blond"))[..., 0]
    assert np.median(brightened[hair]) > lab(parse_colour("light blond"))[0] - 10
    # noise of one 8-bit step on uniform black hair
    noisy = 25 + np.random.default_rng(2).integers(-1, 2, (120, 120, 1)).repeat(3, axis=2).astype(np.uint8)
    all_hair = np.ones((120, 120), np.float32)
    assert lab(recolour(noisy, all_hair, "light blond"))[..., 0].std() < 4 * lab(noisy)[..., 0].std()


def test_blond_hair_dyed_black_keeps_its_contrast():
    photo, alpha = draw_hair(HAIR_COLOURS["blond"])
    after = lab(recolour(photo, alpha, "black"))[alpha == 1][:, 0]
    low, median, high = np.percentile(after, [5, 50, 95])
    assert median < 20
    assert high - low > 8


def test_clipped_highlight_stays_a_sheen():
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    photo[60:66, 70:90] = 255
    sheen = lab(recolour(photo, alpha, "cherry red"))[61:65, 74:86]
    target = lab(parse_colour("cherry red"))
    assert sheen[..., 0].min() > target[0] + 20
    assert np.hypot(sheen[..., 1], sheen[..., 2]).max() < 0.6 * np.hypot(*target[1:])


def test_lightness_and_vividness_shift_lightness_and_chroma(original):
    _, alpha, recolourer = original

    def mean(**settings):
        return lab(recolourer.recolour("copper", RecolourSettings(**settings)))[alpha == 1].mean(axis=0)

    darker, given, lighter = (mean(lightness=value)[0] for value in (-1, 0, 1))
    assert darker + 5 < given < lighter - 5
    muted, given, vivid = (np.hypot(*mean(vividness=value)[1:]) for value in (-1, 0, 1))
    assert muted + 4 < given < vivid - 4


def test_natural_roots_fade_into_the_dye(original):
    photo, alpha, recolourer = original
    plain = recolourer.recolour("silver")
    rooted = recolourer.recolour("silver", RecolourSettings(natural_roots=0.5))
    hair = alpha == 1
    rows = np.flatnonzero(hair.any(axis=1))
    change = np.abs(rooted.astype(int) - photo).mean(axis=2)
    full = np.abs(plain.astype(int) - photo).mean(axis=2)
    fraction = [change[row][hair[row]].sum() / full[row][hair[row]].sum() for row in rows]
    assert fraction[0] < 0.1
    assert 0.2 < fraction[len(rows) // 4] < 0.8
    assert np.array_equal(rooted[rows[-20] :], plain[rows[-20] :])


def test_ombre_begins_where_the_setting_says(original):
    _, alpha, recolourer = original
    plain = recolourer.recolour("chestnut").astype(int)
    rows = np.flatnonzero((alpha == 1).any(axis=1))
    second = []
    for start in (0.0, 0.25, 0.6, 1.0):
        settings = RecolourSettings(second_colour="rose pink", ombre_start=start)
        change = np.abs(recolourer.recolour("chestnut", settings) - plain).max(axis=(1, 2))
        second.append(int(np.flatnonzero(change > 8)[0]))
    assert sorted(second) == second and len(set(second)) == 4
    assert second[2] > rows[len(rows) // 4], "nothing changes near the roots"


def test_ombre_goes_from_the_first_to_the_second_colour(original):
    _, alpha, recolourer = original
    both = recolourer.recolour("chestnut", RecolourSettings(second_colour="rose pink"))
    rows = np.flatnonzero((alpha == 1).any(axis=1))
    top, bottom = np.s_[: rows[5]], np.s_[rows[-5] :]
    assert np.array_equal(both[top], recolourer.recolour("chestnut")[top])
    assert np.array_equal(both[bottom], recolourer.recolour("rose pink")[bottom])


def test_streaks_run_along_the_strands():
    photo, alpha = draw_hair(HAIR_COLOURS["brown"])
    recolourer = HairRecolourer(photo, alpha)
    plain = lab(recolourer.recolour("dark brown"))
    streaked = lab(recolourer.recolour("dark brown", RecolourSettings(second_colour="platinum", second_mode="streaks")))
    added = (streaked - plain)[..., 0]
    assert 0.1 < (added > 15)[alpha == 1].mean() < 0.6
    middle = added[50:110, 50:110]
    assert np.abs(np.diff(middle, axis=0)).mean() < 0.5 * np.abs(np.diff(middle, axis=1)).mean()


def test_soft_edges_contain_no_background_colour():
    y, x = np.mgrid[:120, :120]
    alpha = np.clip((40 - np.hypot(x - 60, y - 60)) / 16 + 0.5, 0, 1).astype(np.float32)[..., None]
    strands = np.stack([205 + 25 * np.sin(x / 2), 172 + 25 * np.sin(x / 2), 124 + 25 * np.sin(x / 2)], axis=2)
    wall = np.full((120, 120, 3), (20, 24, 40))
    photo = np.rint(alpha * strands + (1 - alpha) * wall).astype(np.uint8)
    opaque = recolour(np.rint(strands).astype(np.uint8), np.ones((120, 120), np.float32), "copper")
    truth = alpha * opaque + (1 - alpha) * wall
    edge = (alpha[..., 0] > 0.1) & (alpha[..., 0] < 0.9)

    def error(picture):
        return np.abs(picture - truth)[edge].mean()

    without_alpha = recolour(photo, np.ones((120, 120), np.float32), "copper")
    assert error(recolour(photo, alpha[..., 0], "copper")) < 0.5 * error(alpha * without_alpha + (1 - alpha) * photo)


def test_alpha_that_extends_onto_the_face_leaves_no_bright_rim():
    photo, alpha = np.full((320, 320, 3), (225, 180, 160), np.uint8), np.zeros((320, 320), np.float32)
    photo[:180] = np.array(HAIR_COLOURS["brown"]) + np.rint(10 * np.sin(np.arange(320) / 2))[:, None]
    alpha[:184] = 1
    recoloured = lab(recolour(photo, alpha, "platinum"))[..., 0]
    assert recoloured[180:184].mean() < recoloured[120:160].mean() + 16


def test_dark_dye_covers_white_strands():
    """White strands, a tenth of grey hair, keep their sheen but not their lightness."""
    photo = np.full((120, 120, 3), 130, np.uint8)
    photo[:, ::10] = 230
    dyed = lab(recolour(photo, np.ones((120, 120), np.float32), "black"))[..., 0]
    assert np.median(dyed) < 14
    assert dyed[:, ::10].mean() < 45


def test_lightened_curls_have_less_contrast_than_a_sheen():
    """The same lightnesses, in curls of 12 pixels and in one broad sheen."""
    curls = np.tile(np.rint(4 + 180 * np.linspace(0, 1, 12) ** 3).astype(np.uint8), 20)
    curls, sheen = (cv2.merge(3 * [np.tile(row, (240, 1))]) for row in (curls, np.sort(curls)))
    alpha = np.ones((240, 240), np.float32)
    spreads = [np.ptp(lab(recolour(photo, alpha, "platinum"))[60:180, 10:-10, 0]) for photo in (curls, sheen)]
    assert spreads[0] < spreads[1] - 5


def test_hair_without_light_is_lifted_less():
    alpha = np.ones((60, 60), np.float32)
    unlit, dark = (
        lab(recolour(np.full((60, 60, 3), value, np.uint8), alpha, "platinum"))[..., 0].mean() for value in (6, 40)
    )
    assert 15 < unlit < dark - 30


def test_noise_does_not_change_the_light_of_a_stream():
    """The light turns warm: the dye follows over several frames, not at once."""
    alpha = np.zeros((120, 90), np.float32)
    alpha[:60] = 1
    neutral, warm = np.full((120, 90, 3), (132, 120, 116), np.uint8), np.full((120, 90, 3), (190, 140, 80), np.uint8)
    neutral[:60] = warm[:60] = (40, 34, 30)
    recolourer, yellowness = HairRecolourer(neutral, alpha), []
    for photo in [neutral] + 60 * [warm]:
        recolourer = HairRecolourer(photo, alpha, recolourer)
        yellowness.append(lab(recolourer.recolour("platinum"))[30, 45, 2])
    alone = lab(recolour(warm, alpha, "platinum"))[30, 45, 2]
    assert yellowness[1] - yellowness[0] < 0.2 * (alone - yellowness[0])
    assert yellowness[-1] == pytest.approx(alone, abs=1)
