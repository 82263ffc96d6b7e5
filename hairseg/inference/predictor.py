"""Photo -> alpha at the photo's own size, with the networks of a model repository."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from hairseg.errors import InputError
from hairseg.hub.publish import push
from hairseg.hub.resolve import resolve
from hairseg.inference.multiscale import TwoPassPrediction, combine, find_zoom_windows
from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.devices import autocast, prepare_for_inference
from hairseg.paper import VARIANTS
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.config import Config


class HairPredictor:
    """The networks of one model repository, loaded once and used for any number of photos, also by several threads at
    once.

    Args:
        folder: a model repository on disk.
        variants: which networks to load; all that the repository has by default.
        device: where they run.

    Raises:
        InputError: the repository is not whole, or lacks one of the variants.
    """

    def __init__(self, folder: str | Path, variants: Iterable[str] | None = None, device: str | torch.device = "cpu"):
        self.folder = Path(folder)
        repository = ModelRepository(folder)
        self.config: Config = repository.config
        self.device = torch.device(device)
        self.networks = {
            variant: prepare_for_inference(repository.load_network(variant), self.device)
            for variant in (variants or [name for name in VARIANTS if name in self.config.variants])
        }
        # On a CPU the networks share the cores: each loses less to waiting alone on its own than all would on all of
        # them.
        at_once = len(self.networks) if self.device.type == "cpu" else 1
        self._threads = ThreadPoolExecutor(
            at_once, "network", torch.set_num_threads, (max(1, torch.get_num_threads() // at_once),)
        )
        self._halves = ThreadPoolExecutor(2, "half")  # of a photo that somebody waits for

    @classmethod
    def from_pretrained(
        cls,
        repo: str | Path = BUNDLED,
        revision: str | None = None,
        variants: Iterable[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> "HairPredictor":
        """Load a model repository by its name; what is missing of one on the Hub is downloaded once.

        Args:
            repo: a folder, or "USER/NAME" or "USER/NAME@REVISION" on the Hugging Face Hub; the bundled pair by default.
            revision: branch, tag or commit on the Hub.
            variants: which networks to load; all that the repository has by default.
            device: where they run.

        Raises:
            InputError: no such repository, or as the class itself; HubError where the Hub is at fault.

        Example:
            >>> predictor = HairPredictor.from_pretrained(variants=["pretrained"])
            >>> predictor.alphas(np.zeros((40, 30, 3), np.uint8))["pretrained"].shape
            (40, 30)
        """
        return cls(resolve(f"{repo}@{revision}" if revision else str(repo)).folder, variants, device)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Push the model repository that this was loaded from, as `hairseg.push` does.

        Args:
            repo_id: "USER/NAME"; made where there is none.
            private: only its owner sees it.
            token: of the Hub; by default the one that its client finds.

        Returns:
            The address of the repository on the Hub.

        Raises:
            InputError: as `hairseg.push`.
        """
        return push(self.folder, repo_id, private, token=token).url

    def alphas(self, photo: np.ndarray, refined: bool = True) -> dict[str, np.ndarray]:
        """Segment one photo with every loaded variant.

        A network sees the photo as a whole, then closer wherever it suspects hair that fills little of the frame.

        Args:
            photo: uint8 RGB, (height, width, 3), upright.
            refined: whether edges follow the photo (`refinement.refine_alpha`), or are the network's, scaled.

        Returns:
            Alpha per variant: float32 in [0, 1], (height, width), how much of each pixel is hair.

        Raises:
            InputError: the array is no photo.
        """
        entered = self._enter([photo])
        if len(self.networks) == 1:
            return {
                variant: self._alpha(network, photo, entered, refined) for variant, network in self.networks.items()
            }
        pending = {
            variant: self._threads.submit(self._alpha, network, photo, entered, refined)
            for variant, network in self.networks.items()
        }
        return {variant: alpha.result() for variant, alpha in pending.items()}

    def submit(self, photo: np.ndarray) -> dict[str, Future]:
        """Start a `TwoPassPrediction` of a photo by every network; one future per variant."""
        entered = self._enter([photo], self._halves.map)
        return {
            variant: self._threads.submit(self._look_at, network, photo, entered)
            for variant, network in self.networks.items()
        }

    def predict_single_pass(self, photo: np.ndarray, variant: str) -> np.ndarray:
        """The alpha by one look at the whole photo, in the calling thread: what there is time for in a stream.

        Args:
            photo: uint8 RGB, (height, width, 3), upright.
            variant: which network looks.

        Returns:
            float32 in [0, 1], (height, width), edges refined. Of small heads it tells less than `alphas`.

        Raises:
            InputError: the array is no photo.
        """
        return self._look_at(self.networks[variant], photo, self._enter([photo]), closely=False).alpha(photo)

    def _alpha(self, network: DeepLabV3, photo: np.ndarray, entered: torch.Tensor, refined: bool) -> np.ndarray:
        return self._look_at(network, photo, entered).alpha(photo, refined)

    def _look_at(
        self, network: DeepLabV3, photo: np.ndarray, entered: torch.Tensor, closely: bool = True
    ) -> TwoPassPrediction:
        whole = self._look(network, [photo], entered)[0]
        windows = find_zoom_windows(whole, photo.shape[:2]) if closely else []
        closer = self._look(network, [photo[window] for window in windows])
        return combine(photo.shape[:2], self.config.image_size, whole, windows, closer)

    @torch.inference_mode()
    def _enter(self, photos: list[np.ndarray], each: Callable = map) -> torch.Tensor:
        """Photos as every network takes them: float32 (photos, 3, image_size, image_size)."""
        for photo in photos:
            if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
                raise InputError(
                    f"an array of {photo.dtype} and shape {photo.shape} is no photo",
                    "uint8 (height, width, 3)",
                    "read files with hairseg.images.load_photo",
                )
        preprocessing = self.config.preprocessing
        squares = torch.from_numpy(np.stack([preprocessing.fit_photo(photo, each) for photo in photos])).to(self.device)
        return preprocessing.normalise(squares)

    @torch.inference_mode()
    def _look(
        self, network: DeepLabV3, photos: list[np.ndarray], entered: torch.Tensor | None = None
    ) -> list[np.ndarray]:
        """Hair logits of photos at the network's input size, padding cut off: float32 (height, width) each."""
        if not photos:
            return []
        with autocast(self.device):
            logits = network(self._enter(photos) if entered is None else entered)
        return [
            square[self.config.preprocessing.window(*photo.shape[:2])]
            for square, photo in zip(logits[:, 0].cpu().numpy(), photos, strict=True)
        ]
