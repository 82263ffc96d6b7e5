"""Run commands in processes that can be killed, and check what they leave behind."""

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
from conftest import PROJECT
from safetensors import safe_open

# Commands are forked from a process that has imported most of what they need, since imports take longer than the work.
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "hairseg.training.loop",
        "hairseg.evaluation.figures",
        "hairseg.hub.publish",
        "hairseg.hub.resolve",
        "hairseg.inference.folder",
        "hairseg.recolouring.collages",
    ]
)


def start(*command: str | Path, **environment: str) -> BaseProcess:
    """Start `python COMMAND...` in the project's folder."""
    process = FORKSERVER.Process(target=_run, args=([str(word) for word in command], environment))
    process.start()
    return process


def _run(command: list[str], environment: dict[str, str]) -> None:
    os.chdir(PROJECT)
    os.environ.update(environment)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    torch.set_num_threads(1)
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


def finish(process: BaseProcess) -> None:
    """Wait for a command that must succeed."""
    process.join()
    assert process.exitcode == 0


def measure(process: BaseProcess, has_begun: Callable[[], bool]) -> float:
    """Return the seconds from `has_begun()` to the end of the command."""
    _wait_for(has_begun, process)
    began = time.monotonic()
    finish(process)
    return time.monotonic() - began


def kill(process: BaseProcess, has_begun: Callable[[], bool], seconds: float) -> bool:
    """Send SIGKILL some seconds after `has_begun()`; return False if the command had ended by then."""
    _wait_for(has_begun, process)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _wait_for(has_begun: Callable[[], bool], process: BaseProcess) -> None:
    while not has_begun() and process.is_alive():
        time.sleep(0.002)


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder by their relative paths."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(*folders: Path) -> list[str]:
    """List temporary files."""
    suffixes = (".partial", ".incomplete", ".tmp")
    return sorted(path.name for folder in folders for path in folder.rglob("*") if path.name.endswith(suffixes))


def corrupt_files(folder: Path) -> list[str]:
    """List files that cannot be read, or whose names in the Hub's cache are not their checksums.

    Temporary files are left out.
    """
    corrupt = []
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
            elif path.suffix == ".png":
                assert cv2.imread(str(path)) is not None
            elif path.parent.name == "blobs" and path.suffix != ".incomplete":
                assert path.name in _checksums(path.read_bytes())
        except Exception:  # each reader raises errors of its own
            corrupt.append(str(path.relative_to(folder)))
    return corrupt


def _checksums(content: bytes) -> list[str]:
    """SHA-256, the Hub's name of large files, and the checksum of a Git blob, its name of others."""
    return [hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()]
