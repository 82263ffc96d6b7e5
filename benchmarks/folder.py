"""python -m hairseg FOLDER: photos a second, as a ratio to the bare forward passes within it; and its memory.

    python benchmarks/folder.py [--backbones efficientnet_lite0 resnet101] [--sides 512 1000] [--output folder.json]

The command is called in this process with a network that is loaded already: counted is all from reading its arguments
and listing the folder to its closing line, but not starting Python, importing and loading. Bare are the same network's
forward passes on the same inputs, closer looks included, prepared beforehand, in two ways: all cores on one photo, and
a photo on each core; the faster counts. All take turns in one run and medians are compared: absolute numbers depend on
the machine, the ratio much less. Processor time is given beside: what else the machine does is not in it.

efficientnet_lite0 is the bundled network. resnet101 has random weights, whose masks would be nonsense and so would be
the closer looks and the edges to refine: it runs in full, then answers what the bundled network would, remembered.

For the memory, the command runs as a process of its own over --photos of 512 x 512, and its resident set is noted
whenever 50 more are done (Linux only).
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

import cv2
import numpy as np
import torch
from common import PORTRAIT, PROJECT, both_clocks, load_predictor, parser_of, report, time_in_turns

from hairseg import __main__ as command
from hairseg.cli.common import run
from hairseg.images import load_photo
from hairseg.inference import predictor as prediction
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.devices import autocast

VARIANT = "pretrained"
STEP = 50  # photos between two looks at the memory


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--backbones", nargs="*", default=["efficientnet_lite0", "resnet101"])
    parser.add_argument("--sides", nargs="+", type=int, default=[512, 1000], help="of the photos timed, in pixels")
    parser.add_argument("--photos", type=int, default=2000, help="over which memory is noted; 0 leaves that out")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--photos-per-run", type=int, default=8)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    result = json.loads(args.output.read_text()) if args.output and args.output.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for backbone in args.backbones:
            predictor = load_predictor(backbone, args.device, [VARIANT])
            for side in args.sides:
                folder = photos(Path(scratch) / f"{backbone}-{side}", side, args.photos_per_run)
                result[f"{backbone}, {side} x {side}"] = speed(predictor, folder, args.runs)
        if args.photos:
            result["memory"] = memory(photos(Path(scratch) / "many", 512, args.photos))
    report(result, args)


def photos(folder: Path, side: int, number: int) -> Path:
    """A folder with that many photos, names of one file."""
    folder.mkdir(exist_ok=True)
    portrait = cv2.resize(load_photo(PORTRAIT), (side, side), interpolation=cv2.INTER_CUBIC)
    first = folder / "0.jpg"
    first.write_bytes(cv2.imencode(".jpg", portrait[..., ::-1])[1].tobytes())
    for index in range(1, number):
        os.link(first, folder / f"{index}.jpg")
    return folder


def speed(predictor: HairPredictor, folder: Path, runs: int) -> dict:
    network, paths, cores = predictor.networks[VARIANT], sorted(folder.iterdir()), torch.get_num_threads()
    looks = []
    watch = network.register_forward_pre_hook(lambda _, inputs: looks.append(inputs[0]))
    predictor.alphas(load_photo(paths[0]))
    watch.remove()

    @torch.inference_mode()
    def forward_passes(_):
        with autocast(predictor.device):
            for look in looks:
                network(look).cpu()

    def bare(threads: int) -> None:
        torch.set_num_threads(cores // threads)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(forward_passes, paths))

    def whole() -> None:
        torch.set_num_threads(cores)  # what the command finds when it starts
        sys.argv = ["hairseg", str(folder), "--output", str(folder.with_name("out"))]
        with redirect_stderr(io.StringIO()):
            command.main()

    prediction.HairPredictor = lambda *_: predictor
    methods = {
        "bare, all cores on one photo": lambda: bare(1),
        "bare, a photo on each core": lambda: bare(cores),
        "command": whole,
    }
    seconds = time_in_turns(methods, runs, warm_ups=1, clock=both_clocks)
    torch.set_num_threads(cores)
    medians = {name: np.median(times, axis=0) for name, times in seconds.items()}
    rates = {name: float(len(paths) / wall) for name, (wall, _) in medians.items()}
    busy = {name: float(processor / len(paths)) for name, (_, processor) in medians.items()}
    return {
        "input": looks[0].shape[-1],
        "looks_per_photo": sum(len(look) for look in looks),
        "cores": cores,
        "device": str(predictor.device),
        "runs": runs,
        "photos_per_run": len(paths),
        "photos_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "processor_ms_per_photo": {name: round(1000 * seconds, 1) for name, seconds in busy.items()},
        "command_to_bare": round(rates["command"] / max(rate for name, rate in rates.items() if name != "command"), 3),
    }


def memory(folder: Path) -> dict:
    output, curve = folder.with_name("results"), []
    output.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "hairseg", folder, "--output", output],
        cwd=PROJECT,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        time.sleep(0.2)
        done = sum(name.endswith(".cutout.png") for name in os.listdir(output))
        if done >= STEP * (len(curve) + 1):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "VmRSS:" in status:  # not once it has ended
                curve.append(round(int(status.split("VmRSS:")[1].split()[0]) / 1024))
    return {"photos": done, "exit_code": process.returncode, f"resident_mb_every_{STEP}_photos": curve}


if __name__ == "__main__":
    run(main)
