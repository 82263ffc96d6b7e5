"""Backbones of DeepLabV3, and their initialisation from random or published weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import MobileNet_V3_Large_Weights, ResNet50_Weights, ResNet101_Weights, WeightsEnum
from torchvision.models.segmentation import (
    DeepLabV3_MobileNet_V3_Large_Weights,
    DeepLabV3_ResNet50_Weights,
    DeepLabV3_ResNet101_Weights,
    deeplabv3_mobilenet_v3_large,
    deeplabv3_resnet50,
    deeplabv3_resnet101,
)
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from hairseg.errors import InputError, quote, summarise
from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.depthwise import DepthwiseConv2d

StateDict = dict[str, torch.Tensor]

INITS = ("coco", "imagenet", "random")


class EfficientNetLite(nn.Module):
    """An EfficientNet-Lite of timm up to its last block, dilated to a stride of 16. Tensors are named as in timm."""

    def __init__(self, name: str):
        super().__init__()
        self.net = timm.create_model(name, pretrained=False, features_only=True, out_indices=(4,), output_stride=16)
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.__class__ = DepthwiseConv2d

    def forward(self, photos: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the feature map under the key that torchvision's backbones use."""
        return {"out": self.net(photos)[0]}


@dataclass(frozen=True)
class Backbone:
    """How to build DeepLabV3 on a backbone, and where its published weights come from."""

    build: Callable[[], DeepLabV3]  # all weights random
    output_stride: int
    coco: Callable[[], StateDict] | None  # state dict of the complete network, 21 classes
    imagenet: Callable[[], StateDict]  # state dict of a classifier, of which the backbone is used


def _efficientnet_lite(name: str, channels: int) -> Callable[[], DeepLabV3]:
    # Dilation rates (12, 24, 36) belong to a stride of 8 and are halved at 16 (arXiv 1706.05587, section 4.1).
    return lambda: DeepLabV3(EfficientNetLite(name), DeepLabHead(channels, 1, (6, 12, 18)))


def _from_torchvision(builder: Callable[..., Any]) -> Callable[[], DeepLabV3]:
    def build() -> DeepLabV3:
        network = builder(weights=None, weights_backbone=None, num_classes=1)
        return DeepLabV3(network.backbone, network.classifier)

    return build


def _published(weights: WeightsEnum) -> Callable[[], StateDict]:
    return lambda: dict(weights.get_state_dict(progress=True, check_hash=True, weights_only=True))


BACKBONES = {
    "resnet101": Backbone(
        _from_torchvision(deeplabv3_resnet101),
        8,
        _published(DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1),
        _published(ResNet101_Weights.IMAGENET1K_V2),
    ),
    "resnet50": Backbone(
        _from_torchvision(deeplabv3_resnet50),
        8,
        _published(DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
        _published(ResNet50_Weights.IMAGENET1K_V2),
    ),
    "mobilenet_v3_large": Backbone(
        _from_torchvision(deeplabv3_mobilenet_v3_large),
        16,
        _published(DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1),
        _published(MobileNet_V3_Large_Weights.IMAGENET1K_V2),
    ),
    "efficientnet_lite0": Backbone(
        _efficientnet_lite("efficientnet_lite0", 320),
        16,
        None,
        lambda: timm.create_model("efficientnet_lite0", pretrained=True).state_dict(),
    ),
    "efficientnet_lite2": Backbone(
        _efficientnet_lite("efficientnet_lite2", 352),
        16,
        None,
        lambda: timm.create_model("tf_efficientnet_lite2", pretrained=True).state_dict(),
    ),
}


def default_init(backbone: str) -> str:
    """Return the initialisation of a backbone's pretrained variant: "coco" where published, else "imagenet"."""
    return "coco" if BACKBONES[backbone].coco else "imagenet"


def build_model(backbone: str = "resnet101", init: str = "random") -> DeepLabV3:
    """Build DeepLabV3 on a backbone and initialise it.

    Args:
        backbone: a name in `BACKBONES`.
        init: "random" (every tensor, backbone included); "coco" (torchvision's DeepLabV3; the last layer, which has 21
            classes, stays random); "imagenet" (backbone only); or the path of a safetensors or state-dict file of the
            complete network or the backbone.

    Raises:
        InputError: unknown backbone, or weights that are missing, cannot be downloaded or do not fit.
    """
    if backbone not in BACKBONES:
        raise InputError(f"The backbone {quote(backbone)} is unknown.", remedy=f"Choose one of {', '.join(BACKBONES)}.")
    network = BACKBONES[backbone].build()
    if init != "random":
        _initialise(network, backbone, init)
    return network


def _initialise(network: DeepLabV3, backbone: str, init: str) -> None:
    state = _download(backbone, init) if init in INITS else _read_state_dict(Path(init))
    is_complete = any(name.startswith("backbone.") for name in state)
    target = network if is_complete else network.backbone
    expected = target.state_dict()
    if not is_complete and isinstance(target, EfficientNetLite):
        state = {f"net.{name}": tensor for name, tensor in state.items()}
    # A last layer for other classes stays random. Heads of classifiers are ignored.
    last_layer = {
        name
        for name in expected
        if name.startswith("classifier.4.") and name in state and state[name].shape != expected[name].shape
    }
    used = {name: state[name] for name in expected if name in state and name not in last_layer}
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    misshapen = [name for name, tensor in used.items() if tensor.shape != expected[name].shape]
    if missing or misshapen:
        fault = (
            f"{len(missing)} tensors are missing, such as {missing[0]}"
            if missing
            else f"{misshapen[0]} has another shape"
        )
        raise InputError(
            f"The weights of --init {init} do not fit {backbone}: {fault}.",
            remedy="Choose the backbone they belong to.",
        )
    target.load_state_dict(used, strict=False)


def _download(backbone: str, init: str) -> StateDict:
    download = getattr(BACKBONES[backbone], init)
    if download is None:
        raise InputError(
            f"No {init} weights are published for {backbone}.", remedy="Choose --init imagenet, random or a file."
        )
    try:
        return download()
    except Exception as error:  # torch.hub and huggingface_hub raise different transport errors
        raise InputError(
            f"The {init} weights of {backbone} could not be downloaded ({type(error).__name__}: {summarise(error)}).",
            remedy="Connect to the internet once, or name a local file with --init.",
        ) from None


def _read_state_dict(path: Path) -> StateDict:
    if not path.is_file():
        raise InputError(
            f"--init {path} is not a file.",
            remedy=f"Choose {', '.join(INITS)}, or the path of a safetensors or state-dict file.",
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        if all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
            return state
    except Exception:  # safetensors, pickle and zip readers raise different errors
        pass
    raise InputError(
        f"--init {path} cannot be read.", remedy="Choose a safetensors file or a PyTorch state dict of tensors."
    )
