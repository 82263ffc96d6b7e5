"""Time of the page in Chromium: upload to recoloured photo, another colour, a slow connection, and start-up.

    python benchmarks/page.py [--runs 7] [--output page.json]
    python benchmarks/page.py --beside ../hairseg-0.10 [--runs 7] [--output page-0.10.json]

The page runs as `python app.py`, with Chromium on the same cores. An upload is timed from the choice of the file until
the recoloured photo is decoded, alternately at 1 and 12 megapixels, with a new photo each time. Another colour is timed
from the click on a swatch; each swatch is clicked once per photo, since the browser caches results. Kilobytes are those
transferred for it. Chromium emulates the slow connection. CPU time is that of all threads of the page's process.
Start-up ends when the page's HTML is served. All times are medians; load averages show other load on the machine.

With `--beside`, the page of another checkout is measured alternately with this one, in the same browser. The results
are this page's medians divided by the other's, which depend less on other load.
"""

import os
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import PORTRAIT, PROJECT, cpu_seconds, create_parser, find_chromium, report, run, serve
from playwright.sync_api import Page, sync_playwright

from hairseg.images import load_photo

SIDES = {"1 megapixel": 1000, "12 megapixels": 3464}

SLOW_BYTES_PER_SECOND = 10e6 / 8

COLOURS = ("violet", "emerald", "black", "copper")  # the last one is the page's default

READY = "document.querySelector('#studio [aria-busy]')?.getAttribute('aria-busy') === 'false'"

RECORD_TIMES = """() => {
    const now = () => performance.now();
    document.querySelector("#photo input[type=file]").addEventListener("change", () => window.began = now(), true);
    document.addEventListener("click", () => window.began = now(), true);
    new MutationObserver(async () => {
        const img = document.querySelector("#recoloured img");
        if (!img || img.src === window.source) return;
        window.source = img.src;
        await img.decode();
        window.duration = now() - window.began;
    }).observe(document.querySelector("#recoloured"), {subtree: true, childList: true, attributes: true});
}"""


def measure_start(checkout: Path = PROJECT) -> dict[str, float]:
    """Time until the page's HTML is served."""
    began = time.perf_counter()
    with serve(checkout) as (address, process):
        while True:
            with suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(address).read()
                break
            time.sleep(0.02)
        return {"seconds": time.perf_counter() - began, "cpu_seconds": cpu_seconds(process)}


def time_action(page: Page, action: Callable[[], None]) -> float:
    """Return the milliseconds from an action on the page until a new recoloured photo is decoded."""
    page.evaluate("window.duration = null; performance.clearResourceTimings()")
    action()
    page.wait_for_function("window.duration !== null")
    return page.evaluate("window.duration")


def upload(page: Page, folder: Path, size: str, number: int) -> float:
    """Upload a portrait that is different for every number; return the milliseconds until it is recoloured."""
    portrait = cv2.resize(load_photo(PORTRAIT), (SIDES[size],) * 2, interpolation=cv2.INTER_CUBIC)
    portrait[:40, :40] = np.random.default_rng(number).integers(0, 256, 3)
    path = folder / f"{number}-{size}.jpg"
    cv2.imwrite(str(path), portrait[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    ms = time_action(page, lambda: page.set_input_files("#photo input[type=file]", path))
    page.locator("#pretrained-mask img").wait_for()
    page.wait_for_timeout(300)
    return ms


def measure_uploads(page: Page, folder: Path, runs: int) -> dict[str, Any]:
    times = [{size: upload(page, folder, size, number) for size in SIDES} for number in range(runs + 1)]
    ms = {size: statistics.median(run[size] for run in times[1:]) for size in SIDES}  # the first run is a warm-up
    small, large = ms.values()
    return {"ms": {size: round(value, 1) for size, value in ms.items()}, "large_to_small": round(large / small, 2)}


def measure_colours(page: Page, process: int) -> dict[str, float]:
    """Click every swatch that is not selected."""
    ms, kilobytes = [], []
    cpu_before = cpu_seconds(process)
    swatches = page.locator("[id^=swatch-]:not([aria-pressed=true])").evaluate_all("all => all.map(one => one.id)")
    for swatch in swatches:
        ms.append(time_action(page, lambda swatch=swatch: page.click(f"#{swatch}")))
        kilobytes.append(page.evaluate("performance.getEntriesByName(window.source)[0].transferSize / 1000"))
    return {
        "ms": round(statistics.median(ms), 1),
        "cpu_ms": round(1000 * (cpu_seconds(process) - cpu_before) / len(ms), 1),
        "max_kilobytes": round(max(kilobytes), 1),
    }


def measure_browser(runs: int) -> dict[str, Any]:
    with (
        serve() as (address, process),
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_function(READY)  # the example is there
        page.evaluate(RECORD_TIMES)
        result = {"upload_to_recoloured": measure_uploads(page, Path(folder), runs)}
        result["another_colour_at_12_megapixels"] = measure_colours(page, process)
        upload(page, Path(folder), "12 megapixels", runs + 1)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        limits = {"latency": 0, "downloadThroughput": SLOW_BYTES_PER_SECOND, "uploadThroughput": SLOW_BYTES_PER_SECOND}
        network.send("Network.emulateNetworkConditions", {"offline": False, **limits})
        result["another_colour_at_10_megabits"] = measure_colours(page, process)
        return result


def measure_beside(other: Path, runs: int) -> dict[str, float]:
    """Return this page's times as multiples of the times of another checkout's page."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in (*SIDES, "another colour", "start")}
    with (
        serve() as (own_address, _),
        serve(other) as (other_address, _),
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        pages = [browser.new_page(viewport={"width": 1440, "height": 900}) for _ in range(2)]
        for page, address in zip(pages, (own_address, other_address), strict=True):
            page.set_default_timeout(300_000)
            page.goto(address)
            page.wait_for_selector("#recoloured", state="attached")
            page.evaluate(RECORD_TIMES)
        for number in range(-1, runs):  # -1 is a warm-up
            for index, page in enumerate(pages):
                page.bring_to_front()
                seconds = {size: [upload(page, Path(folder), size, 2 * number + index + 2)] for size in SIDES}
                swatches = [f"#swatch-{name}" for name in COLOURS]
                seconds["another colour"] = [time_action(page, partial(page.click, swatch)) for swatch in swatches]
                if number >= 0:
                    for name, values in seconds.items():
                        times[name][index].extend(values)
    for _ in range(3):
        for index, checkout in enumerate((PROJECT, other)):
            times["start"][index].append(measure_start(checkout)["seconds"])
    return {name: round(statistics.median(own) / statistics.median(others), 2) for name, (own, others) in times.items()}


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="another checkout of the project")
    args = parser.parse_args()
    result: dict[str, Any] = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    if args.beside:
        result["times_of_the_other_page"] = measure_beside(args.beside, args.runs)
        return report({**result, "load_after": round(os.getloadavg()[0], 1)}, args.output)
    starts = [measure_start() for _ in range(args.starts)]
    result["start"] = {name: round(statistics.median(start[name] for start in starts), 2) for name in starts[0]}
    result |= measure_browser(args.runs)
    result["load_after"] = round(os.getloadavg()[0], 1)
    report(result, args.output)


if __name__ == "__main__":
    run(main)
