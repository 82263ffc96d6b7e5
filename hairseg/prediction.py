"""Photo -> alpha at the photo's own size, with the networks of a model repository."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from hairseg import InputError
from hairseg.repository import Config, load_config, load_network
from hairseg.training import VARIANTS


class HairPredictor:
    """The networks of one model repository, loaded once and used for any number of photos, by several threads if need be.

    Args:
        folder: a model repository on disk.
        variants: which networks to load; all that the repository has by default.
        device: where they run.

    Raises:
        InputError: the repository is not whole, or lacks one of the variants.
    """

    def __init__(self, folder: str | Path, variants: Iterable[str] | None = None, device: str | torch.device = "cpu"):
        self.config: Config = load_config(folder)
        self.device = torch.device(device)
        self.networks = {
            variant: load_network(folder, variant).to(self.device, memory_format=torch.channels_last)
            for variant in (variants or [name for name in VARIANTS if name in self.config.variants])
        }

    @torch.inference_mode()
    def alphas(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """Segment one photo with every loaded variant.

        Args:
            photo: uint8 RGB, (height, width, 3), upright.

        Returns:
            Alpha per variant: float32 in [0, 1], (height, width), how much of each pixel is hair.

        Raises:
            InputError: the array is no photo.
        """
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
            raise InputError(
                f"an array of {photo.dtype} and shape {photo.shape} is no photo: expected uint8 (height, width, 3); "
                "read files with hairseg.images.load_photo."
            )
        preset = self.config.preset
        square = torch.from_numpy(preset.fit_photo(photo))[None].to(self.device)
        squares = preset.normalise(square)
        results = {}
        for variant, network in self.networks.items():
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                logits = network(squares)
            alpha = preset.restore_logits(logits, *photo.shape[:2]).sigmoid_()
            results[variant] = alpha[0].cpu().numpy()
        return results
