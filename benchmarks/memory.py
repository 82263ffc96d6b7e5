"""Resident memory of the page at rest and over many requests, and peak memory of training per backbone.

    python benchmarks/memory.py [--requests 200] [--output memory.json]

The page is `python app.py` with the bundled repository. gradio_client requests both masks and a recoloured photo of one
different 12-megapixel JPEG after another. Training is three steps of the paper's recipe at 256 x 256 with batch size 6,
in a process per backbone on the CPU; benchmarks/gpu.py measures GPUs. All numbers are MiB of resident set (Linux); the
page's include its decoder processes.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import PORTRAIT, create_parser, report, run, serve
from gradio_client import Client, handle_file
from tqdm import tqdm

from hairseg.images import load_photo
from hairseg.networks.backbones import BACKBONES, build_model
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.recipes import RECIPES
from hairseg.training.step import TrainingStep

WIDTH, HEIGHT = 3000, 4000


def resident(process: int | str = "self", peak: bool = False) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(rf"Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB", status)
    return round(int(kilobytes) / 1024)


def resident_with_children(process: int, peak: bool = False) -> int:
    children = " ".join(path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children"))
    return sum(resident(child, peak) for child in [process, *map(int, children.split())])


def write_photos(folder: Path, count: int) -> Iterator[Path]:
    """Write one different 12-megapixel portrait after another."""
    portrait = cv2.resize(load_photo(PORTRAIT), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for index in range(count):
        portrait[:50, :50] = np.random.default_rng(index).integers(0, 256, 3)
        path = folder / f"{index}.jpg"
        cv2.imwrite(str(path), portrait[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        yield path
        path.unlink()


def measure_page(requests: int) -> dict[str, Any]:
    with serve() as (address, process), tempfile.TemporaryDirectory() as folder:
        client = Client(address, verbose=False, download_files=folder)
        client.predict(handle_file(PORTRAIT), api_name="/segment")  # returns when the networks are loaded
        at_rest, samples = resident_with_children(process), []
        for path in tqdm(write_photos(Path(folder), requests), total=requests):
            client.predict(handle_file(path), api_name="/segment")
            client.predict(handle_file(path), "#8e24aa", 0.9, "pretrained", api_name="/recolour")
            samples.append(resident_with_children(process))
        return {
            "megapixels": WIDTH * HEIGHT / 1e6,
            "requests": requests,
            "at_rest": at_rest,
            "after_tenth": samples[min(9, requests - 1)],
            "after_last": samples[-1],
            "peak": resident_with_children(process, peak=True),
            "every_tenth": samples[9::10],
        }


def measure_training(backbone: str) -> int:
    network = build_model(backbone).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    step = TrainingStep(network, RECIPES["paper"]["pretrained"], Preprocessing(), torch.device("cpu"))
    photos = torch.randint(0, 256, (6, 256, 256, 3), dtype=torch.uint8)
    masks = torch.randint(0, 2, (6, 256, 256), dtype=torch.uint8)
    for _ in range(3):
        step(photos, masks)
        optimiser.step()
    return resident(peak=True)


def measure_training_in_process(backbone: str) -> int:
    command = [sys.executable, __file__, "--train", backbone]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--train", choices=list(BACKBONES), help="only print the peak of training this backbone")
    args = parser.parse_args()
    if args.train:
        print(measure_training(args.train))
        return
    training = {backbone: measure_training_in_process(backbone) for backbone in BACKBONES}
    report({"training_peak": training, "page": measure_page(args.requests)}, args.output)


if __name__ == "__main__":
    run(main)
