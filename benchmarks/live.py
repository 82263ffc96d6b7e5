"""Recoloured frames a second in Chromium with a fake camera, and what a live visitor costs those who upload.

    python benchmarks/live.py [--seconds 20] [--output live.json]

The page runs as its users run it, as `python app.py`, and Chromium beside it on the same cores. The camera is a file of
640 x 480 pixels: an example portrait that moves to and fro, with noise. Frames are counted as they are shown. Processor
time is that of the page, all threads. An upload's time is that of /segment for the portrait at 1 megapixel, each time
with other noise, in turns while somebody is live and while nobody is. Load averages tell what else the machine did.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from common import PORTRAIT, chromium, parser_of, processor_seconds, report, served
from gradio_client import Client, handle_file
from playwright.sync_api import Page, sync_playwright

from hairseg.cli.common import run
from hairseg.images import encode_jpeg, load_photo

CAMERA, FPS, SWING, NOISE = (640, 480), 30, 60, 4.0  # pixels; a second; pixels to either side; of 255

UPLOAD_SIDE = 1000  # pixels

READY = "document.querySelector('#studio [aria-busy]')?.getAttribute('aria-busy') === 'false'"

COUNT = """() => {
    window.shown = [];
    new MutationObserver(() => window.shown.push(performance.now())).observe(
        document.querySelector("#live .picture"), {childList: true});
}"""


def write_camera(path: Path) -> None:
    """Two seconds of the portrait, to and fro, for Chromium to repeat: YUV4MPEG2."""
    rng, (width, height) = np.random.default_rng(0), CAMERA
    side = width + 2 * SWING
    portrait = cv2.resize(load_photo(PORTRAIT), (side, side), interpolation=cv2.INTER_CUBIC)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(2 * FPS):
            left = SWING + round(SWING * np.sin(np.pi * frame / FPS))
            picture = portrait[:height, left : left + width] + rng.normal(0, NOISE, (height, width, 1))
            picture = np.clip(picture, 0, 255).astype(np.uint8)
            file.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes())


@contextmanager
def opened(address: str, camera: Path) -> Iterator[Page]:
    """The page in Chromium, its networks loaded, the tab in front."""
    media = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options = ["--no-sandbox", "--disable-gpu", *media, f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_function(READY)  # the example is there
        page.get_by_role("tab", name="Live").click()
        page.locator("#live .switch").wait_for()
        page.evaluate(COUNT)
        yield page
        browser.close()


def go_live(page: Page) -> None:
    page.click("#live .switch")
    page.wait_for_selector("#live .picture img")


def stop(page: Page) -> None:
    page.click("#live .switch")
    page.wait_for_selector("#live .live[data-state=idle]")


def measure_stream(page: Page, pid: int, seconds: float) -> dict:
    go_live(page)
    page.wait_for_timeout(3000)  # until everything is warm
    first, used, began = page.evaluate("shown.length"), processor_seconds(pid), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    times, used, took = page.evaluate("shown")[first:], processor_seconds(pid) - used, time.perf_counter() - began
    width, height = page.evaluate("(img => [img.naturalWidth, img.naturalHeight])(document.querySelector('#live img'))")
    shown = page.inner_text("#live .rate")
    stop(page)
    between = np.diff(times)
    return {
        "frame": [width, height],
        "seconds": round(took, 1),
        "frames_per_second": round(len(times) / took, 2),
        "ms_between_frames": {
            name: round(float(np.percentile(between, q)), 1) for name, q in (("median", 50), ("p95", 95))
        },
        "processor_ms_per_frame": round(1000 * used / len(times), 1),
        "shown_on_the_page": shown,
    }


def measure_uploads(page: Page, address: str, uploads: int, folder: Path) -> dict:
    client, rng = Client(address, verbose=False, download_files=str(folder)), np.random.default_rng(1)
    portrait = cv2.resize(load_photo(PORTRAIT), (UPLOAD_SIDE, UPLOAD_SIDE), interpolation=cv2.INTER_CUBIC)

    def upload() -> float:
        noisy = np.clip(portrait + rng.normal(0, 2, portrait.shape), 0, 255).astype(np.uint8)
        file = folder / "upload.jpg"
        file.write_bytes(encode_jpeg(noisy))
        began = time.perf_counter()
        client.predict(handle_file(str(file)), api_name="/segment")
        return time.perf_counter() - began

    upload()
    seconds: dict[str, list[float]] = {"alone": [], "beside a stream": []}
    for _ in range(uploads):
        seconds["alone"].append(upload())
        go_live(page)
        page.wait_for_timeout(500)
        seconds["beside a stream"].append(upload())
        stop(page)
    medians = {name: 1000 * statistics.median(times) for name, times in seconds.items()}
    return {
        "uploads": uploads,
        "ms": {name: round(median, 1) for name, median in medians.items()},
        "beside_to_alone": round(medians["beside a stream"] / medians["alone"], 2),
    }


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--uploads", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        camera = Path(temporary) / "camera.y4m"
        write_camera(camera)
        before = os.getloadavg()
        with served() as (address, pid), opened(address, camera) as page:
            stream = measure_stream(page, pid, args.seconds)
            uploads = measure_uploads(page, address, args.uploads, Path(temporary)) if args.uploads else {}
        load = {"before": [round(x, 1) for x in before], "after": [round(x, 1) for x in os.getloadavg()]}
    report({"cores": len(os.sched_getaffinity(0)), "load_average": load, "stream": stream, "segment": uploads}, args)


if __name__ == "__main__":
    run(main)
