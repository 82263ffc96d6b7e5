"""The page as a visitor has it in Chromium: from upload to recoloured, another colour, a slow link, and its start.

    python benchmarks/page.py [--runs 7] [--output page.json]

The page runs as `python app.py`, Chromium beside it on the same cores. An upload is timed from the file's choice until
the recoloured photo is decoded, at 1 and at 12 megapixels in turns, no photo twice. Another colour is timed from the
click on a swatch, each swatch once a photo, since the browser keeps what it has fetched; kilobytes are those that came
over the network for it; the slow link is Chromium's own emulation.
Processor time is that of the page's process, all threads. Starts are timed until the page's HTML is there. Medians;
load averages tell what else the machine did.
"""

import os
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from common import PORTRAIT, chromium, parser_of, processor_seconds, report, served
from playwright.sync_api import Page, sync_playwright

from hairseg.cli.common import run
from hairseg.images import load_photo

SIDES = {"1 megapixel": 1000, "12 megapixels": 3464}

SLOW = 10e6 / 8  # bytes a second

READY = "document.querySelector('#studio [aria-busy]')?.getAttribute('aria-busy') === 'false'"

WATCH = """() => {
    const now = () => performance.now();
    document.querySelector("#photo input[type=file]").addEventListener("change", () => window.began = now(), true);
    document.addEventListener("click", () => window.began = now(), true);
    new MutationObserver(async () => {
        const img = document.querySelector("#recoloured img");
        if (!img || img.src === window.source) return;
        window.source = img.src;
        await img.decode();
        window.took = now() - window.began;
    }).observe(document.querySelector("#recoloured"), {subtree: true, childList: true, attributes: true});
}"""


def of_start() -> dict:
    """Seconds until the page's HTML is there, by the wall clock and of the processor."""
    began = time.perf_counter()
    with served() as (address, process):
        while True:
            with suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(address).read()
                break
            time.sleep(0.02)
        return {"seconds": time.perf_counter() - began, "processor_seconds": processor_seconds(process)}


def timed(page: Page, act: Callable[[], None]) -> float:
    """Milliseconds from what `act` does on the page until another recoloured photo is decoded."""
    page.evaluate("window.took = null; performance.clearResourceTimings()")
    act()
    page.wait_for_function("window.took !== null")
    return page.evaluate("window.took")


def upload(page: Page, folder: Path, size: str, number: int) -> float:
    """Milliseconds from the choice of a portrait, unlike that of any other number, until it is recoloured."""
    portrait = cv2.resize(load_photo(PORTRAIT), (SIDES[size],) * 2, interpolation=cv2.INTER_CUBIC)
    portrait[:40, :40] = np.random.default_rng(number).integers(0, 256, 3)
    path = folder / f"{number}-{size}.jpg"
    cv2.imwrite(str(path), portrait[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    ms = timed(page, lambda: page.set_input_files("#photo input[type=file]", path))
    page.locator("#pretrained-mask img").wait_for()
    page.wait_for_timeout(300)
    return ms


def uploads(page: Page, folder: Path, runs: int) -> dict:
    every = [{size: upload(page, folder, size, number) for size in SIDES} for number in range(runs + 1)]
    ms = {size: statistics.median(both[size] for both in every[1:]) for size in SIDES}  # the first of each warms up
    small, large = ms.values()
    return {"ms": {size: round(value, 1) for size, value in ms.items()}, "large_to_small": round(large / small, 2)}


def colours(page: Page, process: int) -> dict:
    """Every swatch that is not chosen, once."""
    ms, kilobytes = [], []
    before = processor_seconds(process)
    others = page.locator("[id^=swatch-]:not([aria-pressed=true])").evaluate_all("all => all.map(one => one.id)")
    for swatch in others:
        ms.append(timed(page, lambda swatch=swatch: page.click(f"#{swatch}")))
        kilobytes.append(page.evaluate("performance.getEntriesByName(window.source)[0].transferSize / 1000"))
    return {
        "ms": round(statistics.median(ms), 1),
        "processor_ms": round(1000 * (processor_seconds(process) - before) / len(ms), 1),
        "kilobytes_at_most": round(max(kilobytes), 1),
    }


def in_browser(runs: int) -> dict:
    with (
        served() as (address, process),
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_function(READY)  # the example is there
        page.evaluate(WATCH)
        result = {"upload_to_recoloured": uploads(page, Path(folder), runs)}
        result["another_colour_at_12_megapixels"] = colours(page, process)
        upload(page, Path(folder), "12 megapixels", runs + 1)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        speeds = {"latency": 0, "downloadThroughput": SLOW, "uploadThroughput": SLOW}
        network.send("Network.emulateNetworkConditions", {"offline": False, **speeds})
        result["another_colour_at_10_megabits"] = colours(page, process)
        return result


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3)
    args = parser.parse_args()
    result: dict = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    starts = [of_start() for _ in range(args.starts)]
    result["start"] = {name: round(statistics.median(start[name] for start in starts), 2) for name in starts[0]}
    result |= in_browser(args.runs)
    result["load_after"] = round(os.getloadavg()[0], 1)
    report(result, args)


if __name__ == "__main__":
    run(main)
