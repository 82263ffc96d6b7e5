"""Measure the quality of dyed hair, such as contrast and skin at the hairline, and compare it with natural blond hair.

    python benchmarks/dye.py --data FOLDER [--masks FOLDER] [--before dye.json] [--output dye.json]

Every method dyes heads of dark hair in two light shades, with the same alpha. Masks are grey PNGs named like
the photos; without them, the bundled network segments the photos. Photos are measured at a longer side of 640 pixels.
Every value is a mean over photos, in CIELAB:

* dark: fraction of hair (alpha above 0.95) with L* below 20.
* spread: 95th minus 5th percentile of L*.
* flat: fraction of tiles of 8 x 8 pixels with a standard deviation of L* below 1.
* rim: L* of hair near the contour minus L* farther inside.
* order: rank correlation of L* before and after.
* skin_lightness, skin_hue: mean change of L*, and of the hue in degrees, of skin where alpha is from 0.02 to 0.5. Skin
  has Cb and Cr in the range of D. Chai and K. N. Ngan, "Face Segmentation Using Skin-Color Map in Videophone
  Applications", TCSVT 1999, and is at least 25 L* lighter than the hair.
* untouched: fraction of photos in which no pixel of alpha 0 changes.
* round_trip: colour difference between blond hair dyed light blond, and dyed black and then light blond.
* flicker: mean change of the hair's mean colour between successive frames of a simulated stream with jitter, noise and
  varying exposure.

MediaPipe and hairtone are reimplementations of their published methods, with the same alpha.
"""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import create_parser, report, run
from recolour import blend, overlay, replace_hue

from hairseg.errors import InputError
from hairseg.images import load_photo, scale_down
from hairseg.inference.predictor import HairPredictor
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import HairRecolourer, recolour
from hairseg.repository import BUNDLED

LONGER_SIDE = 640  # pixels
LIGHT_SHADES = ("light blond", "platinum")
MIN_HAIR_PIXELS = 2000
MAX_DARK, MIN_BLOND = 30, 45  # median L* of dark and of blond hair
MIN_YELLOW = 8  # median b* of blond hair; grey hair has less
MIN_SKIN_PIXELS = 50
SKIN_CR, SKIN_CB = (133, 173), (77, 127)
TILE = 8  # pixels

FRAMES = 8
JITTER, NOISE, EXPOSURE = 1.0, 3.0, 0.02  # pixels, of 255, fraction; standard deviations

HAIRTONE_STRENGTH = 0.85  # its default


def blend_by_luminance(photo: np.ndarray, alpha: np.ndarray, colour: str) -> np.ndarray:
    """Recolour like MediaPipe's RecolorCalculator, where the weight of the colour is the photo's luma."""
    luma = photo @ np.array([0.299, 0.587, 0.114]) / 255
    return blend(photo, np.array(parse_colour(colour), np.float32), luma * alpha)


def shift_mean(photo: np.ndarray, alpha: np.ndarray, colour: str) -> np.ndarray:
    """Recolour like hairtone 0.1 without a skin mask: the mean CIELAB of the hair is shifted to that of the colour.

    The shift fades out at the edges, and with bright pixels that are less red than the hair. Then 30 % of
    the original brightness is restored.
    """
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2Lab).astype(np.float32)
    target = cv2.cvtColor(np.array([[parse_colour(colour)]], np.uint8), cv2.COLOR_RGB2Lab)[0, 0].astype(np.float32)
    hair = alpha > 0.5
    if not hair.any():
        return photo
    mean = lab[hair].mean(axis=0)
    fade = np.clip((alpha - 0.2) / 0.6, 0, 1) ** 1.5
    off_skin = min(np.hypot(max(0, 130 - target[1]), max(0, target[2] - 140)), 40)
    fade_hue = fade ** (1.5 + 0.03 * off_skin if off_skin > 5 else 1)
    fade_lightness = fade ** (1 + 0.04 * max(0, abs(target[0] - mean[0]) - 10))
    skin = np.clip((lab[..., 0] - mean[0] - 20) / 30, 0, 1) * np.clip((mean[1] - lab[..., 1]) / 12, 0, 1)
    skin = cv2.GaussianBlur(np.clip(5 * (skin - 0.2), 0, 1), (9, 9), 3)
    red = target[1] + max(0, 148 - target[1]) * skin
    yellow = target[2] + (128 - target[2]) * skin
    shifted = [
        lab[..., 0] + (target[0] - mean[0]) * fade_lightness * (1 - skin) ** 2,
        mean[1] + 0.7 * (lab[..., 1] - mean[1] + (red - mean[1]) * fade_hue),
        mean[2] + 0.8 * (lab[..., 2] - mean[2] + (yellow - mean[2]) * fade_hue),
    ]
    dyed = cv2.cvtColor(np.clip(cv2.merge(shifted), 0, 255).astype(np.uint8), cv2.COLOR_Lab2RGB)
    before, after = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (photo, dyed))
    ratio = np.clip(before / np.maximum(after, 1), 0.5, 2)
    hsv = cv2.cvtColor(dyed, cv2.COLOR_RGB2HSV)
    hsv[..., 2] = np.clip(hsv[..., 2] * (1 + 0.3 * (ratio - 1)), 0, 255)
    return blend(photo, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), HAIRTONE_STRENGTH * alpha)


METHODS = {
    "HairSeg": recolour,
    "hairtone": shift_mean,
    "MediaPipe": blend_by_luminance,
    "HSV hue replacement": replace_hue,
    "constant overlay": overlay,
}


def to_lab(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank values; ties get their mean rank."""
    _, indices, counts = np.unique(values.round(3), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[indices]


def flat_tiles(lightness: np.ndarray, hair: np.ndarray) -> float:
    rows, columns = (side // TILE for side in hair.shape)

    def split(plane: np.ndarray) -> np.ndarray:
        tiles = plane[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
        return tiles.swapaxes(1, 2).reshape(rows * columns, -1)

    tiles = split(lightness)[split(hair).all(axis=1)]
    return float(np.mean(tiles.std(axis=1) < 1)) if len(tiles) else 0.0


def measure_hair(lab: np.ndarray, alpha: np.ndarray) -> dict[str, float]:
    """Measure hair, dyed or natural."""
    lightness, hair = lab[..., 0], alpha > 0.95
    low, high = np.percentile(lightness[hair], [5, 95])
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    width = max(2.0, 0.01 * max(alpha.shape))
    band, inside = (depth > 0) & (depth <= width), depth > 4 * width
    return {
        "dark": float(np.mean(lightness[hair] < 20)),
        "spread": float(high - low),
        "flat": flat_tiles(lightness, hair),
        "rim": float(lightness[band].mean() - lightness[inside if inside.any() else hair].mean()),
    }


def find_skin(photo: np.ndarray, lab: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Find skin in the soft edge of the hair, bool (height, width)."""
    _, cr, cb = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb))
    is_skin = (cr >= SKIN_CR[0]) & (cr <= SKIN_CR[1]) & (cb >= SKIN_CB[0]) & (cb <= SKIN_CB[1])
    lighter = lab[..., 0] > np.median(lab[..., 0][alpha > 0.95]) + 25
    return is_skin & lighter & (alpha > 0.02) & (alpha < 0.5)


def measure_dye(photo: np.ndarray, alpha: np.ndarray, dyed: np.ndarray) -> dict[str, float]:
    """Measure dyed hair, and the changes of skin and background."""
    before, after, hair = to_lab(photo), to_lab(dyed), alpha > 0.95
    scores = measure_hair(after, alpha) | {
        "order": float(np.corrcoef(ranks(before[hair][:, 0]), ranks(after[hair][:, 0]))[0, 1]),
        "untouched": float(np.array_equal(photo[alpha == 0], dyed[alpha == 0])),
    }
    skin = find_skin(photo, before, alpha)
    if np.count_nonzero(skin) >= MIN_SKIN_PIXELS:
        scores["skin_lightness"] = float(np.abs(after - before)[skin][:, 0].mean())
        hue_before, hue_after = (np.degrees(np.arctan2(lab[skin][:, 2], lab[skin][:, 1])) for lab in (before, after))
        scores["skin_hue"] = float(np.abs((hue_after - hue_before + 180) % 360 - 180).mean())
    return scores


def round_trip(dye: Callable, photo: np.ndarray, alpha: np.ndarray) -> float:
    direct = dye(photo, alpha, "light blond")
    twice = dye(dye(photo, alpha, "black"), alpha, "light blond")
    return float(np.linalg.norm(to_lab(direct) - to_lab(twice), axis=2)[alpha > 0.95].mean())


class StreamDye:
    """Dye the frames of a stream like the tab "Live"."""

    recolourer: HairRecolourer | None = None

    def __call__(self, photo: np.ndarray, alpha: np.ndarray, colour: str) -> np.ndarray:
        self.recolourer = HairRecolourer(photo, alpha, self.recolourer)
        return self.recolourer.recolour(colour)


def flicker(dye: Callable, photo: np.ndarray, alpha: np.ndarray, colour: str) -> float:
    random, means = np.random.default_rng(0), []
    size = alpha.shape[::-1]
    for _ in range(FRAMES):
        motion = np.hstack([np.eye(2), random.normal(0, JITTER, (2, 1))])
        frame, frame_alpha = (cv2.warpAffine(x, motion, size, borderMode=cv2.BORDER_REPLICATE) for x in (photo, alpha))
        frame = frame * random.normal(1, EXPOSURE) + random.normal(0, NOISE, photo.shape)
        dyed = dye(np.clip(frame, 0, 255).astype(np.uint8), frame_alpha, colour)
        means.append(to_lab(dyed)[frame_alpha > 0.95].mean(axis=0))
    return float(np.linalg.norm(np.diff(means, axis=0), axis=1).mean())


def mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for photo_scores in scores for name in photo_scores)
    return {name: round(float(np.mean([s[name] for s in scores if name in s])), 4) for name in names}


def load(path: Path, masks: Path | None, predictor: HairPredictor | None) -> tuple[np.ndarray, np.ndarray]:
    """Load a photo and its alpha, scaled down."""
    photo = load_photo(path)
    if masks is not None:
        alpha = load_photo(masks / f"{path.stem}.png")[..., 0].astype(np.float32) / 255
    else:
        assert predictor is not None
        alpha = predictor.alphas(photo)["pretrained"]
    if alpha.shape != photo.shape[:2]:
        raise InputError(f"The mask of {path.name} has another size.", remedy="Give masks of the photos' sizes.")
    return scale_down(photo, LONGER_SIDE), scale_down(alpha, LONGER_SIDE)


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of photos")
    parser.add_argument("--masks", type=Path, help="folder of masks; by default the bundled network predicts them")
    parser.add_argument("--limit", type=int, help="maximum number of photos")
    parser.add_argument("--before", type=Path, help="result of an earlier version on the same photos, to include")
    args = parser.parse_args()
    before = json.loads(args.before.read_text())["methods"]["HairSeg"] if args.before else None
    paths = sorted(path for path in args.data.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    predictor = None if args.masks else HairPredictor(BUNDLED, ["pretrained"])
    natural: list[dict[str, float]] = []
    dyed: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
    dark_photos = 0
    for path in paths[: args.limit]:
        photo, alpha = load(path, args.masks, predictor)
        lab, hair = to_lab(photo), alpha > 0.95
        if np.count_nonzero(hair) < MIN_HAIR_PIXELS:
            continue
        lightness, _, yellow = np.median(lab[hair], axis=0)
        if lightness < MAX_DARK:
            dark_photos += 1
            for name, dye in METHODS.items():
                dyed[name] += [measure_dye(photo, alpha, dye(photo, alpha, shade)) for shade in LIGHT_SHADES]
                stream_dye = StreamDye() if dye is recolour else dye
                dyed[name].append({"flicker": flicker(stream_dye, photo, alpha, LIGHT_SHADES[0])})
        elif lightness > MIN_BLOND and yellow > MIN_YELLOW:
            natural.append(measure_hair(lab, alpha) | {"flicker": flicker(lambda *frame: frame[0], photo, alpha, "")})
            for name, dye in METHODS.items():
                dyed[name].append({"round_trip": round_trip(dye, photo, alpha)})
    if not dark_photos or not natural:
        raise InputError(f"{args.data} has no dark or no blond hair.", remedy="Choose a folder with both.")
    methods = {name: mean_scores(scores) for name, scores in dyed.items()}
    if before is not None:
        methods = {"HairSeg": methods.pop("HairSeg"), "HairSeg 0.10": before} | methods
    result = {
        "dark_photos": dark_photos,
        "blond_photos": len(natural),
        "shades": LIGHT_SHADES,
        "natural_blond": mean_scores(natural),
        "methods": methods,
    }
    report(result, args.output)


if __name__ == "__main__":
    run(main)
