"""Many simultaneous visitors: are their masks mixed up, and how much does one huge photo delay the others?

    python benchmarks/crowd.py [--visitors 100] [--rounds 3] [--output crowd.json]

The page runs as `python app.py`. Every visitor uploads a different small photo and calls /segment at the same moment.
The masks are compared with the networks' masks of that photo alone. Then twenty visitors come at once, alternately with
and without another visitor's photo of 100 megapixels; the result is the ratio of their median waits.
"""

import json
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import httpx
import numpy as np
from common import PORTRAIT, create_parser, report, run, serve
from tqdm import tqdm

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, encode_jpeg, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import BUNDLED

VISITORS_BESIDE_HUGE_PHOTO = 20
HUGE_SIDE = 10_000  # pixels
TIMEOUT = 1800.0  # seconds


def create_photo(seed: int) -> np.ndarray:
    """Crop, flip and tint the example portrait differently for every seed."""
    rng = np.random.default_rng(seed)
    portrait = load_photo(PORTRAIT)
    side = int(rng.integers(160, 240))
    top, left = (int(rng.integers(0, length - side + 1)) for length in portrait.shape[:2])
    photo = portrait[top : top + side, left : left + side, :][:, :: 1 if seed % 2 else -1]
    return np.clip(photo * rng.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)


def visit(address: str, name: str, file: bytes) -> tuple[float, list[np.ndarray]]:
    """Upload a photo and request both masks.

    Returns:
        Seconds until the masks have arrived, and the masks: first random, then pretrained.
    """
    with httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=TIMEOUT) as client:
        began = time.perf_counter()
        (path,) = client.post("/upload", files={"files": (name, file)}).raise_for_status().json()
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        call = client.post("/call/segment", json={"data": [photo]}).raise_for_status().json()["event_id"]
        lines = client.get(f"/call/segment/{call}").raise_for_status().text.splitlines()
        if "event: complete" not in lines:
            raise InputError(f"/segment failed for {name} with {lines[-2:]}.", remedy="Read the page's log.")
        answer = json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))
        files = [client.get(f"/file={mask['path']}").raise_for_status().content for mask in answer]
        seconds = time.perf_counter() - began
    return seconds, [np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_GRAYSCALE)) for file in files]


def visit_simultaneously(address: str, photos: list[bytes], prefix: str) -> list[tuple[float, list[np.ndarray]]]:
    """Visit once per photo, all at the same moment."""
    barrier = threading.Barrier(len(photos))

    def visit_at_barrier(number: int) -> tuple[float, list[np.ndarray]]:
        barrier.wait()
        return visit(address, f"{prefix}-{number}.jpg", photos[number])

    with ThreadPoolExecutor(len(photos)) as pool:
        return list(pool.map(visit_at_barrier, range(len(photos))))


def max_difference(masks: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Return the largest difference, 0 to 255; masks of different sizes differ by 255."""
    return max(
        float(cv2.norm(mask, other, cv2.NORM_INF)) if mask.shape == other.shape else 255.0
        for mask, other in zip(masks, others, strict=True)
    )


def compare_masks(address: str, predictor: HairPredictor, visitors: int) -> dict[str, Any]:
    """Count the visitors whose masks belong to their own photo."""
    photos = [encode_jpeg(create_photo(number)) for number in range(visitors)]
    alphas = [predictor.alphas(load_photo(photo)) for photo in photos]
    expected = [[alpha_to_grey(alpha[variant]) for variant in ("random", "pretrained")] for alpha in alphas]
    answers = visit_simultaneously(address, photos, "visitor")
    differences = [[max_difference(masks, others) for others in expected] for _, masks in answers]
    own = [row.pop(number) for number, row in enumerate(differences)]
    seconds = [wait for wait, _ in answers]
    return {
        "visitors": visitors,
        "own_masks": sum(mine < min(others) for mine, others in zip(own, differences, strict=True)),
        "max_difference": max(own),
        "min_difference_to_other_photos": min(map(min, differences)),
        "seconds": {"median": round(statistics.median(seconds), 2), "max": round(max(seconds), 2)},
    }


def measure_beside_huge_photo(address: str, rounds: int) -> dict[str, Any]:
    """Time twenty visitors with and without a photo of 100 megapixels in progress."""
    portrait = cv2.resize(load_photo(PORTRAIT), (HUGE_SIDE, HUGE_SIDE), interpolation=cv2.INTER_LINEAR)
    waits: dict[str, list[float]] = {"without": [], "with": []}
    huge_seconds = []
    for number in tqdm(range(rounds), disable=None):
        for case, medians in waits.items():
            seed = 1000 * (2 * number + (case == "with")) + 1000
            photos = [encode_jpeg(create_photo(seed + visitor)) for visitor in range(VISITORS_BESIDE_HUGE_PHOTO)]
            with ThreadPoolExecutor(1) as pool:
                huge = None
                if case == "with":
                    portrait[:64, :64] = number  # the page must not have seen the file before
                    huge = pool.submit(visit, address, f"huge-{number}.jpg", encode_jpeg(portrait, 85))
                    time.sleep(1)  # its upload begins
                answers = visit_simultaneously(address, photos, case)
                medians.append(statistics.median(wait for wait, _ in answers))
                if huge and huge.done():
                    raise InputError("The huge photo was finished before the others.", remedy="Run it again.")
                if huge:
                    huge_seconds.append(huge.result()[0])
    medians = {case: statistics.median(values) for case, values in waits.items()}
    return {
        "visitors": VISITORS_BESIDE_HUGE_PHOTO,
        "rounds": rounds,
        "megapixels": HUGE_SIDE**2 / 1e6,
        "median_seconds": {case: round(value, 2) for case, value in medians.items()},
        "with_to_without": round(medians["with"] / medians["without"], 2),
        "huge_photo_seconds": [round(seconds, 1) for seconds in huge_seconds],
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    load_before = round(os.getloadavg()[0], 1)
    with serve() as (address, _):
        visit(address, "first.jpg", encode_jpeg(create_photo(10**6)))  # returns when the networks are loaded
        masks = compare_masks(address, HairPredictor(BUNDLED), args.visitors)
        huge_photo = measure_beside_huge_photo(address, args.rounds)
    load = {"load_before": load_before, "load_after": round(os.getloadavg()[0], 1)}
    report({**load, "masks": masks, "beside_a_huge_photo": huge_photo}, args.output)


if __name__ == "__main__":
    run(main)
