"""Frame rate of the camera tab in Chromium with a fake camera, and how much it delays uploads.

    python benchmarks/live.py [--seconds 20] [--output live.json]

The page runs as `python app.py`, with Chromium on the same cores. The camera is a file of 640 x 480 pixels: an example
portrait that moves left and right, with noise. Frames are counted when they are shown. CPU time is that of all threads
of the page. An upload is a call of /segment for the portrait at 1 megapixel with new noise, alternately with and
without a live stream. Load averages show other load on the machine.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import PORTRAIT, cpu_seconds, create_parser, find_chromium, report, run, serve
from gradio_client import Client, handle_file
from playwright.sync_api import Page, sync_playwright

from hairseg.images import encode_jpeg, load_photo

CAMERA_SIZE = (640, 480)  # pixels, width and height
FRAMES_PER_SECOND = 30
AMPLITUDE = 60  # pixels, of the movement
NOISE = 4.0  # of 255, standard deviation

UPLOAD_SIDE = 1000  # pixels

READY = "document.querySelector('#studio [aria-busy]')?.getAttribute('aria-busy') === 'false'"

RECORD_FRAMES = """() => {
    window.shown = [];
    new MutationObserver(() => window.shown.push(performance.now())).observe(
        document.querySelector("#live .picture"), {childList: true});
}"""


def write_camera(path: Path) -> None:
    """Write two seconds of the moving portrait as YUV4MPEG2, which Chromium repeats."""
    rng, (width, height) = np.random.default_rng(0), CAMERA_SIZE
    side = width + 2 * AMPLITUDE
    portrait = cv2.resize(load_photo(PORTRAIT), (side, side), interpolation=cv2.INTER_CUBIC)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(2 * FRAMES_PER_SECOND):
            left = AMPLITUDE + round(AMPLITUDE * np.sin(np.pi * frame / FRAMES_PER_SECOND))
            picture = portrait[:height, left : left + width] + rng.normal(0, NOISE, (height, width, 1))
            picture = np.clip(picture, 0, 255).astype(np.uint8)
            file.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes())


@contextmanager
def open_page(address: str, camera: Path) -> Iterator[Page]:
    """Open the camera tab in Chromium once the networks are loaded."""
    media = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options = ["--no-sandbox", "--disable-gpu", *media, f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=options)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_function(READY)  # the example is there
        page.get_by_role("tab", name="Live").click()
        page.locator("#live .switch").wait_for()
        page.evaluate(RECORD_FRAMES)
        yield page
        browser.close()


def start_stream(page: Page) -> None:
    page.click("#live .switch")
    page.wait_for_selector("#live .picture img")


def stop_stream(page: Page) -> None:
    page.click("#live .switch")
    page.wait_for_selector("#live .live[data-state=idle]")


def measure_stream(page: Page, pid: int, seconds: float) -> dict[str, Any]:
    start_stream(page)
    page.wait_for_timeout(3000)  # warm up
    first, cpu_before, began = page.evaluate("shown.length"), cpu_seconds(pid), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    times, cpu, duration = page.evaluate("shown")[first:], cpu_seconds(pid) - cpu_before, time.perf_counter() - began
    width, height = page.evaluate("(img => [img.naturalWidth, img.naturalHeight])(document.querySelector('#live img'))")
    displayed_rate = page.inner_text("#live .rate")
    stop_stream(page)
    intervals = np.diff(times)
    return {
        "frame": [width, height],
        "seconds": round(duration, 1),
        "frames_per_second": round(len(times) / duration, 2),
        "ms_between_frames": {
            name: round(float(np.percentile(intervals, q)), 1) for name, q in (("median", 50), ("p95", 95))
        },
        "cpu_ms_per_frame": round(1000 * cpu / len(times), 1),
        "displayed_rate": displayed_rate,
    }


def measure_uploads(page: Page, address: str, uploads: int, folder: Path) -> dict[str, Any]:
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
    seconds: dict[str, list[float]] = {"without": [], "with a stream": []}
    for _ in range(uploads):
        seconds["without"].append(upload())
        start_stream(page)
        page.wait_for_timeout(500)
        seconds["with a stream"].append(upload())
        stop_stream(page)
    medians = {name: 1000 * statistics.median(times) for name, times in seconds.items()}
    return {
        "uploads": uploads,
        "ms": {name: round(median, 1) for name, median in medians.items()},
        "with_to_without": round(medians["with a stream"] / medians["without"], 2),
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--uploads", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        camera = Path(temporary) / "camera.y4m"
        write_camera(camera)
        before = os.getloadavg()
        with serve() as (address, pid), open_page(address, camera) as page:
            stream = measure_stream(page, pid, args.seconds)
            uploads = measure_uploads(page, address, args.uploads, Path(temporary)) if args.uploads else {}
        load = {"before": [round(x, 1) for x in before], "after": [round(x, 1) for x in os.getloadavg()]}
    result = {"cores": len(os.sched_getaffinity(0)), "load_average": load, "stream": stream, "segment": uploads}
    report(result, args.output)


if __name__ == "__main__":
    run(main)
