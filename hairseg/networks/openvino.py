"""A network run by OpenVINO, which on a CPU is faster than PyTorch. OpenVINO is an optional package."""

import hashlib
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from hairseg.environment import find_cache_folder
from hairseg.files import WriteError, atomic_write

MODEL_FILE = "network.xml"  # with network.bin beside it


class OpenVinoNetwork(nn.Module):
    """A network with the interface of `DeepLabV3`. Threads may share it; forked processes may not.

    A forward pass uses as many threads as one of PyTorch would in the calling thread (`torch.set_num_threads`).

    Args:
        model: as `convert` returns it.
    """

    def __init__(self, model: Any):
        super().__init__()
        self._model = model
        self._compiled: dict[int, Any] = {}
        self._lock = threading.Lock()  # guards `_compiled`

    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        """Map normalised photos (batch, 3, height, width) to hair logits (batch, 1, height, width)."""
        request = self._compile(torch.get_num_threads()).create_infer_request()
        rows = squares.permute(0, 2, 3, 1).contiguous().numpy()  # no copy in the memory format channels last
        return torch.from_numpy(np.concatenate([request.infer([row[None]])[0] for row in rows]))

    def _compile(self, threads: int) -> Any:
        """Return the model compiled for forward passes with this number of threads."""
        with self._lock:
            if threads not in self._compiled:
                cores = max(threads, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads)
                properties = {
                    "INFERENCE_NUM_THREADS": cores,
                    "NUM_STREAMS": cores // threads,
                    "ENABLE_CPU_PINNING": False,  # or every network with one thread would share the first core
                }
                self._compiled[threads] = import_openvino().Core().compile_model(self._model, "CPU", properties)
            return self._compiled[threads]


def is_installed() -> bool:
    """Return whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report each conversion to Google Analytics."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]  a module that is missing
    import openvino

    return openvino


def load_openvino(load: Callable[[], nn.Module], weights: Path, image_size: int) -> OpenVinoNetwork:
    """Convert a network, or read it from the cache if it has been converted before.

    Converting takes seconds, so the result is stored in the cache folder (`find_cache_folder`), named by a digest of
    the weights. If the folder is not writable, or its file is damaged, the network is converted again.

    Args:
        load: loads the network.
        weights: the file that it is loaded from.
        image_size: side of the network's square input.
    """
    openvino = import_openvino()
    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})  # the file may be removed while it is in use
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    cache = find_cache_folder()
    entry = cache / f"openvino-{version('openvino')}-{image_size}-{digest[:32]}" if cache else None
    if entry:
        try:
            return OpenVinoNetwork(core.read_model(entry / MODEL_FILE))
        except RuntimeError:  # missing or damaged
            shutil.rmtree(entry, ignore_errors=True)
    with TemporaryDirectory() as temporary:
        openvino.save_model(convert(load(), image_size), Path(temporary, MODEL_FILE), compress_to_fp16=True)
        model = core.read_model(Path(temporary, MODEL_FILE))
        if entry:
            with suppress(WriteError), atomic_write(entry) as partial:
                shutil.copytree(temporary, partial)
    return OpenVinoNetwork(model)


def convert(network: nn.Module, image_size: int) -> Any:
    """Convert a network to an `openvino.Model` that maps float32 (1, height, width, 3) to logits."""
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    shape = [1, 3, image_size, image_size]
    # OpenVINO uses deprecated functions of PyTorch, and cannot convert the gradients of depthwise convolutions.
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        model = openvino.convert_model(network, example_input=torch.zeros(shape), input=shape)
    steps = PrePostProcessor(model)
    steps.input().tensor().set_layout(openvino.Layout("NHWC"))  # as photos are stored, so that nothing is copied
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()
