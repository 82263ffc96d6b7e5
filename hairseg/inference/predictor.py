"""`HairPredictor`: from a photo to alpha at full resolution, with the networks of a model repository."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from hairseg.errors import InputError, raise_if_unknown
from hairseg.hub.publish import push
from hairseg.hub.resolve import resolve
from hairseg.images import as_photo
from hairseg.inference.batching import MAX_BATCH_SIZE, Batcher
from hairseg.inference.engines import load_networks, select_engine
from hairseg.inference.multiscale import TwoPassPrediction, find_zoom_windows, merge_passes
from hairseg.networks.devices import autocast, select_device
from hairseg.paper import VARIANTS
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.config import Config

_IMPORTING_PROCESS = os.getpid()


class HairPredictor:
    """Hair segmentation with the networks of one model repository. Threads may share a predictor.

    On a GPU, photos of several threads share forward passes; see `hairseg.inference.batching`.

    A pickled or deep-copied predictor loads the weights from its folder again. On a CPU, a predictor can be used in
    forked processes, such as the workers of a PyTorch DataLoader, where it computes in one thread.

    Args:
        folder: a model repository on disk.
        variants: networks to load, or the name of one; by default all networks of the repository.
        device: device of the networks.
        engine: "pytorch", "openvino", or "auto", which is OpenVINO on a CPU if it is installed.
            Forked processes use PyTorch.

    Raises:
        InputError: the repository is incomplete, or lacks one of the variants, or the device or the engine is not
            available.
    """

    def __init__(
        self,
        folder: str | Path,
        variants: Iterable[str] | None = None,
        device: str | torch.device = "cpu",
        engine: str = "pytorch",
    ):
        self.folder = Path(folder).absolute()
        repository = ModelRepository(folder)
        if isinstance(variants, str):
            variants = [variants]
        self.config: Config = repository.config
        self.device = select_device(str(device))
        if os.getpid() != _IMPORTING_PROCESS:
            self._use_one_thread()
            engine = "pytorch"
        names = list(variants or [name for name in VARIANTS if name in self.config.variants])
        self.engine = select_engine(engine, self.device)
        self.networks: dict[str, nn.Module] = load_networks(self.engine, repository, names, self.device)
        self._forward_pass = run_network if self.device.type == "cpu" else Batcher(run_network)
        self._start_threads()

    @classmethod
    def from_pretrained(
        cls,
        repo: str | Path = BUNDLED,
        *,
        revision: str | None = None,
        variants: Iterable[str] | None = None,
        device: str | torch.device = "cpu",
        engine: str = "pytorch",
        token: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
    ) -> "HairPredictor":
        """Load a model repository from a folder, or from the Hugging Face Hub or its cache.

        Args:
            repo: a folder, or "USER/NAME" or "USER/NAME@REVISION" on the Hub; the bundled repository by default.
            revision: branch, tag or commit on the Hub.
            variants: networks to load, or the name of one; by default all networks of the repository.
            device: device of the networks.
            engine: "pytorch", "openvino" or "auto"; see `HairPredictor`.
            token: access token of the Hub; by default the one that huggingface_hub finds.
            cache_dir: folder of the Hub's cache; by default that of huggingface_hub.
            local_files_only: use the cache without contacting the Hub.
            force_download: download the files again, even if they are in the cache.

        Raises:
            InputError: the repository does not exist, is incomplete, or lacks one of the variants.
            HubError: the Hub cannot be reached or refuses the request. A subclass of InputError.

        Example:
            >>> predictor = HairPredictor.from_pretrained(variants=["pretrained"])
            >>> predictor.alphas(np.zeros((40, 30, 3), np.uint8))["pretrained"].shape
            (40, 30)
        """
        resolved = resolve(
            str(repo),
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            force_download=force_download,
        )
        return cls(resolved.folder, variants, device, engine)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Push the loaded model repository to the Hub; see `hairseg.push`.

        Args:
            repo_id: "USER/NAME"; created if necessary.
            private: make a new repository visible to its owner only.
            token: access token of the Hub; by default the one that huggingface_hub finds.

        Returns:
            The URL of the repository on the Hub.

        Raises:
            InputError: the repository cannot be pushed; see `hairseg.push`.
        """
        return push(self.folder, repo_id, private, token=token).url

    def alphas(self, photo: ArrayLike) -> dict[str, np.ndarray]:
        """Segment one photo with every loaded variant: a coarse pass, then zoomed passes over small heads.

        Args:
            photo: uint8 RGB, (height, width, 3), upright; or another form that `hairseg.images.as_photo` converts.

        Returns:
            Alpha per variant: float32 in [0, 1], (height, width), the fraction of each pixel that is hair.

        Raises:
            InputError: the array is not a photo.
        """
        array, batch = self._prepare(photo)
        if len(self.networks) == 1:
            return {name: self._alpha(network, array, batch) for name, network in self.networks.items()}
        futures = {
            name: self._threads.submit(self._alpha, network, array, batch) for name, network in self.networks.items()
        }
        return {name: future.result() for name, future in futures.items()}

    def submit(self, photo: ArrayLike) -> dict[str, Future[TwoPassPrediction]]:
        """Segment one photo with every loaded variant in threads of this predictor, without waiting for the results.

        Args:
            photo: as for `alphas`.

        Returns:
            A future per variant. The `alpha` method of its result returns alpha for the photo at any size.

        Raises:
            InputError: the array is not a photo.
        """
        array, batch = self._prepare(photo)
        return {
            name: self._threads.submit(self._predict, network, array, batch) for name, network in self.networks.items()
        }

    def predict_single_pass(self, photo: ArrayLike, variant: str) -> np.ndarray:
        """Segment one photo with the coarse pass only, in the calling thread: fast enough for video.

        Args:
            photo: as for `alphas`.
            variant: name of the network.

        Returns:
            Alpha: float32 in [0, 1], (height, width), with refined edges; less accurate for small heads than `alphas`.

        Raises:
            InputError: the array is not a photo, or the variant is not loaded.
        """
        raise_if_unknown("The variant", variant, self.networks)
        array, batch = self._prepare(photo)
        return self._predict(self.networks[variant], array, batch, zoom=False).alpha(array)

    def __reduce__(self) -> tuple[type["HairPredictor"], tuple[Path, list[str], str, str]]:
        return type(self), (self.folder, list(self.networks), str(self.device), self.engine)

    def _start_threads(self) -> None:
        # On a CPU, networks in parallel on a part of the cores each are faster than one after the other on all cores.
        # On a GPU, the threads wait for a batch that they share.
        threads = len(self.networks) if self._forward_pass is run_network else MAX_BATCH_SIZE * len(self.networks)
        self._threads = ThreadPoolExecutor(
            threads, "network", torch.set_num_threads, (max(1, torch.get_num_threads() // threads),)
        )
        self._process = os.getpid()

    def _prepare(self, photo: ArrayLike) -> tuple[np.ndarray, torch.Tensor]:
        """Return the checked photo, and a batch of it for any of the networks."""
        array = as_photo(photo)
        self._adapt_to_fork()
        return array, self._preprocess([array])

    def _adapt_to_fork(self) -> None:
        """In a forked process, avoid the threads of the parent, which a fork does not copy."""
        if self._process == os.getpid():
            return
        if self.device.type != "cpu":
            raise InputError(
                f"A predictor on {self.device} cannot be used in a forked process.",
                remedy='Create it there, or start processes with the method "spawn".',
            )
        self._use_one_thread()
        if self.engine == "openvino":
            self.engine, self._parent_networks = "pytorch", self.networks  # deleting them would wait for their threads
            self.networks = load_networks(self.engine, ModelRepository(self.folder), list(self.networks), self.device)
        self._start_threads()

    @staticmethod
    def _use_one_thread() -> None:
        """Avoid the thread pools of PyTorch and OpenCV, whose threads a fork does not copy."""
        torch.set_num_threads(1)
        cv2.setNumThreads(0)  # 1 would wait for the end of the threads that do not exist

    def _alpha(self, network: nn.Module, photo: np.ndarray, batch: torch.Tensor) -> np.ndarray:
        return self._predict(network, photo, batch).alpha(photo)

    def _predict(
        self, network: nn.Module, photo: np.ndarray, batch: torch.Tensor, zoom: bool = True
    ) -> TwoPassPrediction:
        """Run the coarse pass over a photo, preprocessed as `batch`, and the zoomed passes."""
        shape = photo.shape[0], photo.shape[1]
        (coarse,) = self._forward(network, [photo], batch)
        windows = find_zoom_windows(coarse, shape) if zoom else []
        zoomed = self._forward(network, [photo[window] for window in windows])
        return merge_passes(shape, self.config.image_size, coarse, windows, zoomed)

    @torch.inference_mode()
    def _preprocess(self, photos: Sequence[np.ndarray]) -> torch.Tensor:
        """Preprocess photos to a batch for any of the networks: float32 (photos, 3, image_size, image_size)."""
        preprocessing = self.config.preprocessing
        squares = torch.as_tensor(np.stack([preprocessing.fit_photo(photo) for photo in photos]))
        return preprocessing.normalise(squares.to(self.device))

    @torch.inference_mode()
    def _forward(
        self, network: nn.Module, photos: Sequence[np.ndarray], batch: torch.Tensor | None = None
    ) -> list[np.ndarray]:
        """Return the hair logits of each photo at the network's input size, without padding: float32 (height, width).

        Args:
            network: one of `networks`.
            photos: uint8 RGB, (height, width, 3) each.
            batch: the preprocessed photos; by default they are preprocessed here.
        """
        if not photos:
            return []
        logits = self._forward_pass(network, self._preprocess(photos) if batch is None else batch)
        return [
            square[self.config.preprocessing.window(*photo.shape[:2])]
            for square, photo in zip(logits, photos, strict=True)
        ]


@torch.inference_mode()
def run_network(network: nn.Module, squares: torch.Tensor) -> np.ndarray:
    """Return the hair logits of preprocessed photos: float32 (squares, height, width).

    Args:
        network: as `prepare_for_inference` returns it.
        squares: float32 (squares, 3, height, width), on the network's device.
    """
    with autocast(squares.device):
        return network(squares)[:, 0].cpu().numpy()
