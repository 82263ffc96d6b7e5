"""Load test of two replicas of the page behind Caddy, also when one of them is killed.

    python benchmarks/replicas.py [--visitors 12] [--seconds 45] [--output replicas.json]

Each replica runs as `python app.py` on one core, behind Caddy with the project's Caddyfile. A fixed number of visitors
is served at a time. Each has a new photo of 1 megapixel and new cookies, and leaves when both masks have arrived; the
next one follows. Failed requests are retried.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import cv2
import httpx
from common import PROJECT, create_parser, find_free_port, report, run
from crowd import create_photo, visit

from hairseg.errors import InputError
from hairseg.images import encode_jpeg

START_TIMEOUT = 300.0  # seconds
RETRY_SECONDS = 0.5
MAX_ATTEMPTS = 40
PHOTO_SIDE = 1000  # pixels


@contextmanager
def start_replica(core: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the page on one core; yield its port and process when its networks are loaded."""
    port = find_free_port()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/health")
        yield port, process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def start_caddy(ports: list[int]) -> Iterator[str]:
    """Run Caddy with the project's Caddyfile, over http; yield its address."""
    caddy = shutil.which("caddy")
    if caddy is None:
        raise InputError("Caddy is not installed.", remedy="Install the package caddy.")
    address = f"http://127.0.0.1:{find_free_port()}"
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [caddy, "run", "--adapter", "caddyfile", "--config", str(PROJECT / "Caddyfile")],
            env=os.environ
            | {
                "HOME": home,
                "HAIRSEG_SITE": address,
                "HAIRSEG_REPLICAS": " ".join(f"127.0.0.1:{port}" for port in ports),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(f"{address}/health")
            yield address
        finally:
            process.terminate()
            process.wait()


def wait_until_ready(url: str) -> None:
    """Wait until an address responds with status 200."""
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.2)
    raise InputError(f"{url} did not respond within {START_TIMEOUT:.0f} seconds.", remedy="Run it again.")


def visit_until_served(address: str, name: str, file: bytes) -> tuple[float, int]:
    """Visit until both masks have arrived; return the seconds that this took, and the number of failed attempts."""
    began = time.perf_counter()
    for failures in range(MAX_ATTEMPTS):
        try:
            visit(address, name, file)
        except (httpx.HTTPError, InputError):
            time.sleep(RETRY_SECONDS)
        else:
            return time.perf_counter() - began, failures
    raise InputError(f"{name} failed {MAX_ATTEMPTS} times.", remedy="Read the logs of the page and Caddy.")


def measure(
    address: str,
    numbers: Iterator[int],
    visitors: int,
    seconds: float,
    to_kill: subprocess.Popen[bytes] | None = None,
) -> dict[str, Any]:
    """Measure concurrent visitors for some seconds.

    Args:
        address: of Caddy.
        numbers: seeds of the photos, new ones each time, since the page caches the masks of earlier photos.
        visitors: visitors at the same time.
        seconds: duration of the measurement.
        to_kill: replica that is killed in the middle of it.
    """
    began = time.perf_counter()
    waits, failures = [], []

    def visit_repeatedly() -> None:
        while time.perf_counter() - began < seconds:
            number = next(numbers)
            photo = cv2.resize(create_photo(number), (PHOTO_SIDE, PHOTO_SIDE), interpolation=cv2.INTER_CUBIC)
            wait, failed = visit_until_served(address, f"{number}.jpg", encode_jpeg(photo))
            waits.append(wait)
            failures.append(failed)

    with ThreadPoolExecutor(visitors) as pool:
        futures = [pool.submit(visit_repeatedly) for _ in range(visitors)]
        if to_kill:
            time.sleep(seconds / 2)
            to_kill.send_signal(signal.SIGKILL)
        for future in futures:
            future.result()
    elapsed = time.perf_counter() - began
    return {
        "visits": len(waits),
        "visits_per_hour": round(3600 * len(waits) / elapsed),
        "visits_with_a_failed_request": sum(failed > 0 for failed in failures),
        "seconds": {
            "median": round(statistics.median(waits), 2),
            "p95": round(statistics.quantiles(waits, n=20)[-1], 2),
            "max": round(max(waits), 2),
        },
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--visitors", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=45)
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise InputError("Two replicas need two cores.", remedy="Run it on another machine.")
    numbers = count()
    result: dict[str, Any] = {"visitors_at_once": args.visitors, "load_before": round(os.getloadavg()[0], 1)}
    with ExitStack() as stack:
        replicas = [stack.enter_context(start_replica(core)) for core in cores[:2]]
        ports = [port for port, _ in replicas]
        for name, served in {"one_replica": ports[:1], "two_replicas": ports}.items():
            with start_caddy(served) as address:
                result[name] = measure(address, numbers, args.visitors, args.seconds)
        with start_caddy(ports) as address:
            result["one_of_two_killed"] = measure(address, numbers, args.visitors, args.seconds, to_kill=replicas[1][1])
    report(result, args.output)


if __name__ == "__main__":
    run(main)
