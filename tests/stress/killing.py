"""What the benchmark of kills shares: commands that are killed at random moments, and what they leave behind."""

import hashlib
import json
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import torch
from common import PROJECT
from safetensors import safe_open

from hairseg.errors import InputError

# Commands are forked from a process that has imported what they need: most of their time would be that, and most kills.
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["__main__", "train", "hairseg.recolouring.collages"])

Begun = Callable[[], bool]


def start(words: list[str], **environment: str) -> BaseProcess:
    """A command in a process of its own.

    Args:
        words: what follows `python` on the command line.
        environment: variables that are read when the command runs, not when its modules are imported.
    """
    process = FORKSERVER.Process(target=_run, args=(words, environment))
    process.start()
    return process


def _run(words: list[str], environment: dict[str, str]) -> None:
    os.chdir(PROJECT)
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    torch.set_num_threads(1)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def finish(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise InputError(f"a command that nobody killed ended with {process.exitcode}")


def duration(process: BaseProcess, begun: Begun) -> float:
    """Seconds from the moment that `begun` says yes to the end of the process."""
    _wait_for(begun, process)
    began = time.monotonic()
    finish(process)
    return time.monotonic() - began


def kill(process: BaseProcess, begun: Begun, seconds: float) -> bool:
    """Send SIGKILL so many seconds after `begun` says yes; False if the process was done by then."""
    _wait_for(begun, process)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _wait_for(begun: Begun, process: BaseProcess) -> None:
    while not begun() and process.is_alive():
        time.sleep(0.002)


def half_written(folder: Path) -> list[str]:
    """Files under their final names that cannot be read, or are not what their names in the Hub's cache say."""
    broken = []
    for path in folder.rglob("*"):
        if any(part.endswith(".partial") for part in path.parts):
            continue
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
            elif path.parent.name == "blobs" and path.suffix != ".incomplete" and path.name not in _checksums(path):
                raise ValueError
        except Exception:  # whatever a broken file makes its reader raise
            broken.append(str(path.relative_to(folder)))
    return broken


def _checksums(path: Path) -> list[str]:
    """SHA-256, by which the Hub names large files, and Git's checksum, by which it names others."""
    content = path.read_bytes()
    return [hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()]


def left_over(*folders: Path) -> list[str]:
    """Names of what should be gone once the next process has done its work."""
    temporary = (".partial", ".incomplete", ".tmp")
    return sorted(path.name for folder in folders for path in folder.rglob("*") if path.name.endswith(temporary))


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a folder by their names in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
