"""Resident memory: of the page at rest and over many requests, and of training per backbone.

    python benchmarks/memory.py [--requests 200] [--output memory.json]

The page is `python app.py` with the bundled repository, asked by gradio_client for both masks and a change of colour of
one 12-megapixel JPEG after another, no two alike. Training is steps of the paper's recipe at 256 x 256, batch 6, in a
process of its own per backbone, on the CPU (a GPU's memory is in benchmarks/gpu.py). All in MiB of resident set, as
Linux counts it; a page's is that of all its processes, those included that open photos.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from common import PORTRAIT, parser_of, report, served
from gradio_client import Client, handle_file
from tqdm import tqdm

from hairseg.cli.common import run
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


def resident_of_page(page: int, peak: bool = False) -> int:
    children = " ".join(path.read_text() for path in Path(f"/proc/{page}/task").glob("*/children"))
    return sum(resident(int(process), peak) for process in [str(page), *children.split()])


def photos(count: int, folder: Path):
    """Portraits of 12 megapixels, each with a patch of its own colour."""
    portrait = cv2.resize(
        load_photo(PORTRAIT),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    for index in range(count):
        portrait[:50, :50] = np.random.default_rng(index).integers(0, 256, 3)
        path = folder / f"{index}.jpg"
        cv2.imwrite(str(path), portrait[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        yield path
        path.unlink()


def of_page(requests: int) -> dict:
    with served() as (address, page), tempfile.TemporaryDirectory() as folder:
        client = Client(address, verbose=False, download_files=folder)
        client.predict(handle_file(PORTRAIT), api_name="/segment")  # by now the networks are loaded
        rest, curve = resident_of_page(page), []
        for path in tqdm(photos(requests, Path(folder)), total=requests):
            client.predict(handle_file(path), api_name="/segment")
            client.predict(handle_file(path), "#8e24aa", 0.9, "pretrained", api_name="/recolour")
            curve.append(resident_of_page(page))
        return {
            "megapixels": WIDTH * HEIGHT / 1e6,
            "requests": requests,
            "at_rest": rest,
            "after_tenth": curve[min(9, requests - 1)],
            "after_last": curve[-1],
            "peak": resident_of_page(page, peak=True),
            "every_tenth": curve[9::10],
        }


def of_training(backbone: str) -> int:
    network = build_model(backbone).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    step = TrainingStep(network, RECIPES["paper"]["pretrained"], Preprocessing(), torch.device("cpu"))
    batch = (
        torch.randint(0, 256, (6, 256, 256, 3), dtype=torch.uint8),
        torch.randint(0, 2, (6, 256, 256), dtype=torch.uint8),
    )
    for _ in range(3):
        step(*batch)
        optimiser.step()
    return resident(peak=True)


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--train", choices=list(BACKBONES), help="only print the peak of training this backbone here")
    args = parser.parse_args()
    if args.train:
        print(of_training(args.train))
        return
    training = {
        backbone: int(
            subprocess.run(
                [sys.executable, __file__, "--train", backbone], check=True, capture_output=True, text=True
            ).stdout
        )
        for backbone in BACKBONES
    }
    result = {"training_peak": training, "page": of_page(args.requests)}
    report(result, args)


if __name__ == "__main__":
    run(main)
