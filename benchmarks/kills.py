"""Trainings killed at random moments and resumed, beside ones that were not: are the results equal, bit for bit?

    python benchmarks/kills.py [--kills 6] [--seed 0] [--output kills.json]

A small training by each of the recipes `paper` and `modern`, the latter with scenes, on drawn heads. It gets SIGKILL at
moments that the seed draws over its whole length, decoding and the last scores included, and is started again with
--resume until it is done. Compared are weights, histories, scores and configuration, but not the time they took. After
every kill, no file under its final name may be half-written; at the end, nothing may be left over.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from common import PROJECT, parser_of, report
from safetensors import safe_open

from hairseg.commands import run
from hairseg.errors import InputError

VARIANT = "random"
RECIPES = {"paper": ["--epochs", "4"], "modern": ["--epochs", "4", "--batch-size", "4"]}
SIDE = 96


def draw_heads(root: Path, count: int, rng: np.random.Generator) -> None:
    """Drawn heads in the layout of one's own photos."""
    for kind in ("photos", "masks"):
        (root / kind).mkdir(parents=True)
    for index in range(count):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.ellipse(mask, (SIDE // 2, SIDE // 2), (SIDE // 4, SIDE // 3), 0, 0, 360, 255, -1)
        cv2.ellipse(mask, (SIDE // 2, SIDE * 2 // 3), (SIDE // 6, SIDE // 4), 0, 0, 360, 0, -1)
        photo = np.where(mask[..., None] > 0, rng.integers(0, 90, 3), rng.integers(150, 255, 3))
        photo = np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "photos" / f"{index}.png"), photo)
        cv2.imwrite(str(root / "masks" / f"{index}.png"), mask)


def draw_scenes(root: Path, count: int, rng: np.random.Generator) -> None:
    root.mkdir()
    for index in range(count):
        small = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f"{index}.png"), cv2.resize(small, (90, 60), interpolation=cv2.INTER_CUBIC))


def command_of(recipe: str, folder: Path, output: Path) -> list[str]:
    words = [sys.executable, "train.py", "--data", str(folder / "heads"), "--backbone", "efficientnet_lite0"]
    words += ["--variants", VARIANT, "--recipe", recipe, "--image-size", "64", "--device", "cpu", "--workers", "1"]
    words += ["--output", str(output), *RECIPES[recipe]]
    return words + (["--scenes", str(folder / "scenes")] if recipe == "modern" else [])


def start(command: list[str], cache: Path) -> subprocess.Popen:
    environment = os.environ | {"HAIRSEG_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise InputError(f"a training ended with {process.returncode}: {errors.decode().strip().splitlines()[-1]}")


def half_written(output: Path) -> list[str]:
    """Files under their final names that cannot be read."""
    broken = []
    for path in output.rglob("*"):
        try:
            if path.suffix == ".pt":
                torch.load(path, "cpu", weights_only=True)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt") as file:
                    file.keys()
            elif path.suffix == ".png" and cv2.imread(str(path)) is None:
                raise ValueError
        except Exception:  # whatever a broken file makes its reader raise
            broken.append(str(path.relative_to(output)))
    return broken


def outcome(output: Path) -> dict:
    """What is to be equal, without seconds."""
    config, metrics = (json.loads((output / name).read_text()) for name in ("config.json", "metrics.json"))
    history = json.loads((output / VARIANT / "history.json").read_text())
    for record in [*history, *config["variants"].values()]:
        del record["seconds"]
    del config["variants"][VARIANT]["command"]  # names the output
    return {
        "weights": (output / VARIANT / "model.safetensors").read_bytes(),
        "history": history,
        "metrics": metrics,
        "config": config,
    }


def measure(recipe: str, folder: Path, kills: int, rng: random.Random) -> dict:
    whole, killed = folder / f"{recipe}-whole", folder / f"{recipe}-killed"
    began = time.monotonic()
    finish(start(command_of(recipe, folder, whole), folder / "cache-whole"))
    duration = time.monotonic() - began

    command, cache, epochs, broken = command_of(recipe, folder, killed), folder / f"cache-{recipe}", [], []
    for _ in range(kills):
        resume = ["--resume"] if (killed / "checkpoints").exists() else []
        process = start(command + resume, cache)
        try:
            process.wait(rng.uniform(0.1, 1.0) * duration)
            break  # it was done before
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        broken += half_written(killed)
        checkpoint = killed / "checkpoints" / f"{VARIANT}.pt"
        epochs.append(len(torch.load(checkpoint, weights_only=True)["history"]) if checkpoint.exists() else 0)
    if not (killed / "config.json").exists() or (killed / "checkpoints").exists():
        finish(start(command + (["--resume"] if (killed / "checkpoints").exists() else []), cache))
    one, other = outcome(whole), outcome(killed)
    leftovers = [
        str(path.relative_to(folder)) for path in [*killed.rglob("*"), *cache.rglob("*")] if "partial" in path.name
    ]
    return {
        "kills": len(epochs),
        "epochs_done_at_each_kill": epochs,
        "equal": {name: one[name] == other[name] for name in one},
        "half_written": broken,
        "left_over": leftovers,
    }


def main() -> int:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--kills", type=int, default=6, help="of each training, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw_heads(folder / "heads", 16, rng)
        draw_scenes(folder / "scenes", 6, rng)
        result = {recipe: measure(recipe, folder, args.kills, random.Random(args.seed)) for recipe in args.recipes}
    report(result, args)
    return int(any(not all(r["equal"].values()) or r["half_written"] or r["left_over"] for r in result.values()))


if __name__ == "__main__":
    run(main)
