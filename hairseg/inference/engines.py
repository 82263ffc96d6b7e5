"""Engines that run networks: PyTorch on any device, and OpenVINO, which is faster on CPUs."""

from collections.abc import Sequence

import torch
from torch import nn

from hairseg.errors import InputError, raise_if_unknown
from hairseg.networks.devices import prepare_for_inference
from hairseg.networks.openvino import is_installed, load_openvino
from hairseg.repository import ModelRepository

ENGINES = ("auto", "pytorch", "openvino")

ENGINE_TITLES = {"pytorch": "PyTorch", "openvino": "OpenVINO"}


def select_engine(name: str, device: torch.device) -> str:
    """Select an engine: "auto" is OpenVINO on a CPU if it is installed, else PyTorch.

    Raises:
        InputError: the engine is unknown, or OpenVINO is named and cannot be used.

    Example:
        >>> select_engine("pytorch", torch.device("cpu"))
        'pytorch'
    """
    raise_if_unknown("The engine", name, ENGINES)
    if name == "openvino" and not is_installed():
        raise InputError("OpenVINO is not installed.", remedy='Run `pip install "hairseg[fast]"`.')
    if name == "openvino" and device.type != "cpu":
        raise InputError(f"OpenVINO does not run on {device}.", remedy="Choose --device cpu or --engine pytorch.")
    if name == "auto":
        return "openvino" if device.type == "cpu" and is_installed() else "pytorch"
    return name


def load_networks(
    engine: str, repository: ModelRepository, variants: Sequence[str], device: torch.device
) -> dict[str, nn.Module]:
    """Load networks for an engine that `select_engine` returned.

    Raises:
        InputError: the repository lacks a variant, or a file is broken.
    """
    if engine == "pytorch":
        return {variant: prepare_for_inference(repository.load_network(variant), device) for variant in variants}
    repository.check(variants)
    return {
        variant: load_openvino(
            lambda variant=variant: repository.load_network(variant),
            repository.weights(variant),
            repository.config.image_size,
        )
        for variant in variants
    }
