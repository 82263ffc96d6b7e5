"""ZeroGPU: a Space gets a GPU only while it processes a photo.

`spaces.GPU` runs a function in a forked process that has the GPU; the Space's own process must not use CUDA. Import
this module before Gradio and PyTorch, which the package spaces patches.
"""

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from pathlib import Path

import spaces  # pyright: ignore[reportMissingImports]  # installed in every Space with Gradio
from numpy.typing import ArrayLike

from hairseg.errors import printable, summarise
from hairseg.images import as_photo
from hairseg.inference.multiscale import TwoPassPrediction
from hairseg.inference.predictor import HairPredictor
from hairseg.paper import VARIANTS

MAX_SECONDS = 15  # of a GPU per photo, loading the networks included; visitors have a daily quota

MAX_CALLS = 4  # that use or wait for a GPU at a time


class ZeroGpuPredictor(HairPredictor):
    """Both networks, on the CPU for camera frames and on a GPU of ZeroGPU for photos.

    A photo is processed on the CPU if no GPU is available, for example because the visitor's quota is used up.

    Args:
        folder: A model repository on disk.
    """

    def __init__(self, folder: str | Path):
        super().__init__(folder, VARIANTS, "cpu")
        self._calls = ThreadPoolExecutor(MAX_CALLS, "gpu")

    def submit(self, photo: ArrayLike) -> dict[str, Future[TwoPassPrediction]]:
        """Segment one photo with both networks; see `HairPredictor.submit`."""
        array = as_photo(photo)
        results: dict[str, Future[TwoPassPrediction]] = {variant: Future() for variant in self.networks}

        def predict() -> None:
            try:
                predictions = predict_on_gpu(self.folder, array)
            except Exception as error:
                print(f"note: ZeroGPU: {printable(summarise(error))} The CPU is used.", file=sys.stderr, flush=True)
                predictions = {}
            try:
                predictions = predictions or wait_for(super(ZeroGpuPredictor, self).submit(array))
                for variant, result in results.items():
                    result.set_result(predictions[variant])
            except Exception as error:
                for result in results.values():
                    result.set_exception(error)

        self._calls.submit(copy_context().run, predict)  # Gradio's context identifies the visitor, whose quota is used
        return results


@spaces.GPU(duration=MAX_SECONDS)
def predict_on_gpu(folder: Path, photo: ArrayLike) -> dict[str, TwoPassPrediction]:
    """Segment a photo with the networks of a model repository, in the forked process."""
    return wait_for(load_on_gpu(folder).submit(photo))


@cache
def load_on_gpu(folder: Path) -> HairPredictor:
    """Load the networks once per forked process, which may process several photos."""
    return HairPredictor(folder, VARIANTS, "cuda")


def wait_for(futures: dict[str, Future[TwoPassPrediction]]) -> dict[str, TwoPassPrediction]:
    """Return the results of futures."""
    return {variant: future.result() for variant, future in futures.items()}
