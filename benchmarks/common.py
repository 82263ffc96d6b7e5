"""Helpers of the benchmarks: arguments, timing, results, the page as a process, and trained networks."""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # a script's own folder is on the path, the project's is not

from torch import nn  # noqa: E402

from hairseg.errors import InputError  # noqa: E402
from hairseg.files import write_json  # noqa: E402
from hairseg.inference.predictor import HairPredictor  # noqa: E402
from hairseg.networks.backbones import build_model  # noqa: E402
from hairseg.networks.devices import prepare_for_inference, select_device  # noqa: E402
from hairseg.repository import BUNDLED  # noqa: E402

PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"
PAPER_SIZE = 256  # pixels, side of ResNet-101's input


def create_parser(description: str | None) -> argparse.ArgumentParser:
    """Create a parser with --output and the first line of a docstring as its description."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, help="JSON file of the results")
    return parser


def run(main: Callable[[], None]) -> None:
    """Run a benchmark and exit; an InputError becomes one line on standard error and exit code 2."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def report(result: dict[str, Any], output: Path | None) -> None:
    """Print the result and write it to a file if one is given."""
    print(json.dumps(result, indent=2))
    if output:
        write_json(output, result)


def time_alternately(
    methods: Mapping[str, Callable[[], object]],
    runs: int,
    warm_ups: int = 1,
    synchronise: Callable[[], None] = lambda: None,
    clock: Callable[[], Any] = time.perf_counter,
) -> dict[str, list[Any]]:
    """Time every run of every method in seconds, without the warm-ups.

    The methods alternate, so that other load on the machine affects all of them.

    Args:
        methods: by name.
        runs: timed runs of each method.
        warm_ups: further runs before them.
        synchronise: waits until the device is idle.
        clock: `wall_and_cpu_seconds` gives arrays of two values instead of numbers.
    """
    seconds: dict[str, list[Any]] = {name: [] for name in methods}
    for _ in range(warm_ups + runs):
        for name, method in methods.items():
            synchronise()
            began = clock()
            method()
            synchronise()
            seconds[name].append(clock() - began)
    return {name: times[warm_ups:] for name, times in seconds.items()}


def wall_and_cpu_seconds() -> np.ndarray:
    """Read the wall clock and this process's CPU time, which other programs disturb less."""
    return np.array([time.perf_counter(), time.process_time()])


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serve(folder: Path = PROJECT) -> Iterator[tuple[str, int]]:
    """Run `python app.py` of a checkout and yield the page's address and process ID."""
    port = find_free_port()
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=folder, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as client:
                if process.poll() is None and client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of all threads of a process since its start (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def find_chromium() -> str:
    """Return the path of Chromium or Chrome."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        raise InputError("Chromium is not installed.", remedy="Install the package chromium.")
    return path


def load_predictor(backbone: str, device: str, variants: list[str]) -> HairPredictor:
    """Load the bundled networks, or networks of another backbone that return the bundled networks' logits.

    Random weights would give meaningless masks, and so meaningless zoomed passes and edges. A network of another
    backbone therefore runs in full, but returns the bundled network's logits, which are cached.
    """
    predictor = HairPredictor(BUNDLED, variants, select_device(device))
    if backbone == predictor.config.backbone:
        return predictor

    def create_stand_in(bundled: nn.Module) -> nn.Module:
        cache = {}

        def replace_logits(_module: object, inputs: Any, _logits: object) -> Any:
            key = hash(inputs[0].cpu().numpy().tobytes())
            if key not in cache:
                cache[key] = bundled(*inputs)
            return cache[key]

        network = prepare_for_inference(build_model(backbone).eval(), predictor.device)
        network.register_forward_hook(replace_logits)
        return network

    predictor.networks.update({variant: create_stand_in(network) for variant, network in predictor.networks.items()})
    predictor.config = predictor.config.model_copy(update={"backbone": backbone, "image_size": PAPER_SIZE})
    return predictor
