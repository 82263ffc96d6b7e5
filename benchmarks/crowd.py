"""Many visitors at once: does each get their own picture, and what does one huge photo cost the others?

    python benchmarks/crowd.py [--visitors 100] [--rounds 3] [--output crowd.json]

The page runs as `python app.py`. Visitors upload over plain HTTP, each a small photo of their own, and ask /segment for
both masks at the same moment; each answer is compared with what the networks say of that photo alone. Then twenty at
once, in turns with and without another visitor's photo of 100 megapixels at work: the ratio of their median waits.
"""

import json
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np
from common import PORTRAIT, parser_of, report, served
from tqdm import tqdm

from hairseg.cli.common import run
from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, encode_jpeg, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import BUNDLED

AT_ONCE = 20  # visitors beside the huge photo

HUGE_SIDE = 10_000  # pixels

PATIENCE = 1800.0  # seconds


def small_photo(number: int) -> np.ndarray:
    """A portrait that no other number has: its own part of the example, mirrored or not, in its own light."""
    rng = np.random.default_rng(number)
    portrait = load_photo(PORTRAIT)
    side = int(rng.integers(160, 240))
    top, left = (int(rng.integers(0, length - side + 1)) for length in portrait.shape[:2])
    photo = portrait[top : top + side, left : left + side, :][:, :: 1 if number % 2 else -1]
    return np.clip(photo * rng.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)


def visit(address: str, name: str, file: bytes) -> tuple[float, list[np.ndarray]]:
    """Upload a photo and ask for both masks: seconds until they are there, and the masks, the random one first."""
    with httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=PATIENCE) as server:
        began = time.perf_counter()
        (path,) = server.post("/upload", files={"files": (name, file)}).raise_for_status().json()
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        call = server.post("/call/segment", json={"data": [photo]}).raise_for_status().json()["event_id"]
        lines = server.get(f"/call/segment/{call}").raise_for_status().text.splitlines()
        if "event: complete" not in lines:
            raise InputError(f"/segment gave no masks of {name}", "both", f"it said {lines[-2:]}")
        answer = json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))
        files = [server.get(f"/file={mask['path']}").raise_for_status().content for mask in answer]
        seconds = time.perf_counter() - began
    return seconds, [np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_GRAYSCALE)) for file in files]


def together(address: str, photos: list[bytes], prefix: str) -> list[tuple[float, list[np.ndarray]]]:
    """As many visitors as photos, all at the same moment."""
    start = threading.Barrier(len(photos))

    def one(number: int):
        start.wait()
        return visit(address, f"{prefix}-{number}.jpg", photos[number])

    with ThreadPoolExecutor(len(photos)) as visitors:
        return list(visitors.map(one, range(len(photos))))


def own_pictures(address: str, predictor: HairPredictor, visitors: int) -> dict:
    """How many of them got their own photo's masks, and how far the masks are from those of the photo alone."""
    photos = [encode_jpeg(small_photo(number)) for number in range(visitors)]
    alone = [
        [alpha_to_grey(alphas[variant]) for variant in ("random", "pretrained")]
        for alphas in (predictor.alphas(load_photo(photo)) for photo in photos)
    ]
    answers = together(address, photos, "visitor")

    def apart(masks: list[np.ndarray], others: list[np.ndarray]) -> float:
        """Largest difference, of 255; masks of another size are 255 apart."""
        return max(
            float(cv2.norm(mask, other, cv2.NORM_INF)) if mask.shape == other.shape else 255.0
            for mask, other in zip(masks, others, strict=True)
        )

    differences = [[apart(masks, others) for others in alone] for _, masks in answers]
    seconds = [wait for wait, _ in answers]
    own = [row.pop(number) for number, row in enumerate(differences)]
    return {
        "visitors": visitors,
        "got_their_own": sum(mine < min(others) for mine, others in zip(own, differences, strict=True)),
        "largest_difference_of_255": max(own),
        "smallest_difference_to_another_photo": min(map(min, differences)),
        "seconds": {"median": round(statistics.median(seconds), 2), "last": round(max(seconds), 2)},
    }


def beside_a_huge_photo(address: str, rounds: int) -> dict:
    """Median waits of twenty visitors with and without a photo of 100 megapixels at work."""
    portrait = cv2.resize(load_photo(PORTRAIT), (HUGE_SIDE, HUGE_SIDE), interpolation=cv2.INTER_LINEAR)
    waits: dict[str, list[float]] = {"without": [], "with": []}
    huge_seconds = []
    for number in tqdm(range(rounds), disable=None):
        for case, medians in waits.items():
            first = 1000 * (2 * number + (case == "with")) + 1000
            photos = [encode_jpeg(small_photo(first + visitor)) for visitor in range(AT_ONCE)]
            with ThreadPoolExecutor(1) as other:
                if case == "with":
                    portrait[:64, :64] = number  # no file twice
                    huge = other.submit(visit, address, f"huge-{number}.jpg", encode_jpeg(portrait, 85))
                    time.sleep(1)  # its upload has begun
                medians.append(statistics.median(wait for wait, _ in together(address, photos, case)))
                if case == "with":
                    was_at_work = not huge.done()
                    huge_seconds.append(huge.result()[0])
                    if not was_at_work:
                        raise InputError("the huge photo was done before the others", "it at work", "run again")
    medians = {case: statistics.median(values) for case, values in waits.items()}
    return {
        "visitors": AT_ONCE,
        "rounds": rounds,
        "megapixels": HUGE_SIDE**2 / 1e6,
        "median_seconds": {case: round(value, 2) for case, value in medians.items()},
        "with_to_without": round(medians["with"] / medians["without"], 2),
        "huge_photo_seconds": [round(seconds, 1) for seconds in huge_seconds],
    }


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    predictor = HairPredictor(BUNDLED)
    with served() as (address, _):
        visit(address, "first.jpg", encode_jpeg(small_photo(10**6)))  # waits until the networks are loaded
        result = {
            "load_before": round(os.getloadavg()[0], 1),
            "own_pictures": own_pictures(address, predictor, args.visitors),
        }
        result["beside_a_huge_photo"] = beside_a_huge_photo(address, args.rounds)
        result["load_after"] = round(os.getloadavg()[0], 1)
    report(result, args)


if __name__ == "__main__":
    run(main)
