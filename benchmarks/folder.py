"""Throughput of `hairseg FOLDER` relative to its forward passes alone, and its memory.

    python benchmarks/folder.py [--backbones efficientnet_lite0 resnet101] [--sides 512 1000] [--output folder.json]

The command runs in this process with a network that is already loaded. Timed is everything from parsing the arguments
to the last line, but not starting Python, imports and loading. "Forward passes" are those of the same network on the
same inputs, zoomed passes included, prepared before: either with all cores on one photo, or with one photo per core;
the faster counts. All alternate in one run and medians are compared, since ratios depend less on the machine than
times. CPU time excludes other load on the machine.

resnet101 has no trained weights here; `load_predictor` in common.py says how it runs.

For the memory, the command runs as a process of its own on --photos photos of 512 x 512, and its resident set is
recorded every 50 photos (Linux only).
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import (
    PORTRAIT,
    PROJECT,
    create_parser,
    load_predictor,
    report,
    run,
    time_alternately,
    wall_and_cpu_seconds,
)

from hairseg.cli.app import invoke
from hairseg.images import load_photo
from hairseg.inference import predictor as predictor_module
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.devices import autocast

VARIANT = "pretrained"
PHOTOS_PER_SAMPLE = 50  # between two samples of the memory


def write_photos(folder: Path, side: int, count: int) -> Path:
    """Write one photo under several names."""
    folder.mkdir(exist_ok=True)
    portrait = cv2.resize(load_photo(PORTRAIT), (side, side), interpolation=cv2.INTER_CUBIC)
    first = folder / "0.jpg"
    first.write_bytes(cv2.imencode(".jpg", portrait[..., ::-1])[1].tobytes())
    for index in range(1, count):
        os.link(first, folder / f"{index}.jpg")
    return folder


def measure_throughput(predictor: HairPredictor, folder: Path, runs: int) -> dict[str, Any]:
    network, paths, cores = predictor.networks[VARIANT], sorted(folder.iterdir()), torch.get_num_threads()
    batches = []
    hook = network.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    predictor.alphas(load_photo(paths[0]))
    hook.remove()

    @torch.inference_mode()
    def run_forward_passes(_path: Path) -> None:
        with autocast(predictor.device):
            for batch in batches:
                network(batch).cpu()

    def run_all_forward_passes(threads: int) -> None:
        torch.set_num_threads(cores // threads)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run_forward_passes, paths))

    def run_command() -> None:
        torch.set_num_threads(cores)
        with redirect_stderr(io.StringIO()):
            invoke([str(folder), "--output", str(folder.with_name("out"))])

    predictor_module.HairPredictor = lambda *_: predictor
    methods = {
        "forward passes, all cores on one photo": lambda: run_all_forward_passes(1),
        "forward passes, one photo per core": lambda: run_all_forward_passes(cores),
        "command": run_command,
    }
    seconds = time_alternately(methods, runs, clock=wall_and_cpu_seconds)
    torch.set_num_threads(cores)
    medians = {name: np.median(times, axis=0) for name, times in seconds.items()}
    rates = {name: float(len(paths) / wall) for name, (wall, _) in medians.items()}
    return {
        "input": batches[0].shape[-1],
        "passes_per_photo": sum(map(len, batches)),
        "cores": cores,
        "device": str(predictor.device),
        "runs": runs,
        "photos_per_run": len(paths),
        "photos_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "cpu_ms_per_photo": {name: round(float(1000 * cpu / len(paths)), 1) for name, (_, cpu) in medians.items()},
        "relative_to_forward_passes": round(rates.pop("command") / max(rates.values()), 3),
    }


def measure_memory(folder: Path) -> dict[str, Any]:
    output, samples, done = folder.with_name("results"), [], 0
    output.mkdir()
    words = [sys.executable, "-m", "hairseg", folder, "--output", output]
    process = subprocess.Popen(words, cwd=PROJECT, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.2)
        done = sum(name.endswith(".cutout.png") for name in os.listdir(output))
        if done >= PHOTOS_PER_SAMPLE * (len(samples) + 1):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "VmRSS:" in status:  # an ended process has none
                samples.append(round(int(status.split("VmRSS:")[1].split()[0]) / 1024))
    return {"photos": done, "exit_code": process.returncode, f"resident_mb_every_{PHOTOS_PER_SAMPLE}_photos": samples}


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--backbones", nargs="*", default=["efficientnet_lite0", "resnet101"])
    parser.add_argument("--sides", nargs="+", type=int, default=[512, 1000], help="pixels, of the photos timed")
    parser.add_argument("--photos", type=int, default=2000, help="photos for the memory; 0 skips it")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--photos-per-run", type=int, default=8)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    result = json.loads(args.output.read_text()) if args.output and args.output.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for backbone in args.backbones:
            predictor = load_predictor(backbone, args.device, [VARIANT])
            for side in args.sides:
                folder = write_photos(Path(temporary) / f"{backbone}-{side}", side, args.photos_per_run)
                result[f"{backbone}, {side} x {side}"] = measure_throughput(predictor, folder, args.runs)
        if args.photos:
            result["memory"] = measure_memory(write_photos(Path(temporary) / "many", 512, args.photos))
    report(result, args.output)


if __name__ == "__main__":
    run(main)
