"""Trainings killed over their whole length, decoding and the last scores included, and resumed until they are done."""

import json
import random
from pathlib import Path

import cv2
import numpy as np
import torch
from killing import duration, finish, half_written, kill, left_over, start

VARIANT = "random"
RECIPES = {"paper": ["--epochs", "4"], "modern": ["--epochs", "4", "--batch-size", "4"]}
SIDE = 96


def training(recipe: str, folder: Path, kills: int, rng: random.Random) -> dict:
    """The recipe `modern` gets scenes. Compared are weights, histories, scores and configuration, but not seconds."""
    draw_heads(folder / "heads", 16, np.random.default_rng(0))
    draw_scenes(folder / "scenes", 6, np.random.default_rng(1))
    whole, killed = folder / "whole", folder / "killed"
    seconds = duration(start(command_of(recipe, folder, whole), HAIRSEG_CACHE=str(folder / "cache-whole")), at_once)

    command, cache, epochs, broken = command_of(recipe, folder, killed), folder / "cache", [], []
    for _ in range(kills):
        resume = ["--resume"] if (killed / "checkpoints").exists() else []
        if not kill(start(command + resume, HAIRSEG_CACHE=str(cache)), at_once, rng.uniform(0.1, 1.0) * seconds):
            break  # it was done before
        broken += half_written(killed)
        checkpoint = killed / "checkpoints" / f"{VARIANT}.pt"
        epochs.append(len(torch.load(checkpoint, weights_only=True)["history"]) if checkpoint.exists() else 0)
    if not (killed / "config.json").exists() or (killed / "checkpoints").exists():
        resume = ["--resume"] if (killed / "checkpoints").exists() else []
        finish(start(command + resume, HAIRSEG_CACHE=str(cache)))
    one, other = outcome(whole), outcome(killed)
    return {
        "kills": len(epochs),
        "epochs_done_at_each_kill": epochs,
        "equal": {name: one[name] == other[name] for name in one},
        "half_written": broken,
        "left_over": left_over(killed, cache),
    }


def at_once() -> bool:
    return True


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
    words = ["train.py", "--data", str(folder / "heads"), "--backbone", "efficientnet_lite0"]
    words += ["--variants", VARIANT, "--recipe", recipe, "--image-size", "64", "--device", "cpu", "--workers", "1"]
    words += ["--output", str(output), *RECIPES[recipe]]
    return words + (["--scenes", str(folder / "scenes")] if recipe == "modern" else [])


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
