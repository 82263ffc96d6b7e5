"""What the benchmarks share: the portrait, networks with and without trained weights, taking turns, and results."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # run as a script, Python looks for packages beside the benchmarks alone

from hairseg.errors import InputError  # noqa: E402
from hairseg.files import write_json  # noqa: E402
from hairseg.inference.predictor import HairPredictor  # noqa: E402
from hairseg.networks.backbones import build_model  # noqa: E402
from hairseg.networks.deeplab import DeepLabV3  # noqa: E402
from hairseg.networks.devices import prepare_for_inference, select_device  # noqa: E402
from hairseg.repository import BUNDLED  # noqa: E402

PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"
PAPER_SIZE = 256  # side of resnet101's input


def parser_of(script: str, description: str | None) -> ArgumentParser:
    """A parser with the first line of a script's description, and --output."""
    parser = ArgumentParser(prog=Path(script).name, description=(description or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, help="JSON file of the result")
    return parser


def report(result: dict, args: Namespace) -> None:
    """Print the result, and write it where --output says."""
    print(json.dumps(result, indent=2))
    if args.output:
        write_json(args.output, result)


def time_in_turns(
    methods: Mapping[str, Callable],
    runs: int,
    warm_ups: int = 1,
    wait: Callable[[], None] = lambda: None,
    clock: Callable[[], Any] = time.perf_counter,
) -> dict[str, list]:
    """Seconds of every run of every method, without the warm-ups.

    The methods take turns, so that whatever else the machine does falls on all of them.

    Args:
        wait: returns when the device is done with what was begun.
        clock: `both_clocks` gives arrays of two instead of numbers.
    """
    seconds: dict[str, list] = {name: [] for name in methods}
    for _ in range(warm_ups + runs):
        for name, method in methods.items():
            wait()
            began = clock()
            method()
            wait()
            seconds[name].append(clock() - began)
    return {name: times[warm_ups:] for name, times in seconds.items()}


def both_clocks() -> np.ndarray:
    """Seconds of the wall clock, and of the processor for this process, which other programs disturb less."""
    return np.array([time.perf_counter(), time.process_time()])


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """Address and process of the page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as caller:
                if process.poll() is None and caller.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def processor_seconds(pid: int) -> float:
    """Of all threads of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def chromium() -> str:
    """Path of Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        raise InputError("there is no Chromium", "one on the path", "install the package chromium")
    return path


def load_predictor(backbone: str, device: str, variants: list[str]) -> HairPredictor:
    """The bundled networks, or ones of another backbone that take their time and answer what the bundled ones would.

    Random weights would give masks that are nonsense, and so the closer looks and the edges to refine. A network of
    another backbone therefore runs in full, and its answer is replaced by the bundled network's, which is remembered.
    """
    predictor = HairPredictor(BUNDLED, variants, select_device(device))
    if backbone == predictor.config.backbone:
        return predictor

    def replacement(bundled: DeepLabV3) -> DeepLabV3:
        answers = {}

        def answer(_, inputs, logits):
            key = hash(inputs[0].cpu().numpy().tobytes())
            if key not in answers:
                answers[key] = bundled(*inputs)
            return answers[key]

        network = prepare_for_inference(build_model(backbone).eval(), predictor.device)
        network.register_forward_hook(answer)
        return network

    predictor.networks.update({variant: replacement(network) for variant, network in predictor.networks.items()})
    predictor.config = replace(predictor.config, backbone=backbone, image_size=PAPER_SIZE)
    return predictor
