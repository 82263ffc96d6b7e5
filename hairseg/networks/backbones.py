"""The backbones under the DeepLab head, and what they start from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import MobileNet_V3_Large_Weights, ResNet50_Weights, ResNet101_Weights
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

INITS = ("coco", "imagenet", "random")


class EfficientNetLite(nn.Module):
    """One of timm's EfficientNet-Lites up to its last block, dilated to a stride of 16. Tensor names are timm's."""

    def __init__(self, name: str):
        super().__init__()
        self.net = timm.create_model(name, pretrained=False, features_only=True, out_indices=(4,), output_stride=16)
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.__class__ = DepthwiseConv2d

    def forward(self, photos: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": self.net(photos)[0]}


def _efficientnet_lite(name: str, channels: int) -> Callable[[], DeepLabV3]:
    # Rates are halved with the feature map: (12, 24, 36) belong to a stride of 8 (arXiv 1706.05587, section 4.1).
    return lambda: DeepLabV3(EfficientNetLite(name), DeepLabHead(channels, 1, (6, 12, 18)))


def _from_torchvision(builder: Callable) -> Callable[[], DeepLabV3]:
    def build() -> DeepLabV3:
        network = builder(weights=None, weights_backbone=None, num_classes=1)
        return DeepLabV3(network.backbone, network.classifier)

    return build


@dataclass(frozen=True)
class Backbone:
    """One of the networks under the DeepLab head."""

    build: Callable[[], DeepLabV3]  # random weights everywhere
    output_stride: int
    coco: Callable[[], dict] | None  # state dict of the whole network, 21 classes
    imagenet: Callable[[], dict]  # state dict of a classifier; only its backbone is used


def _published(weights) -> Callable[[], dict]:
    return lambda: weights.get_state_dict(progress=True, check_hash=True, weights_only=True)


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
    """What the pretrained variant of a backbone starts from: "coco" where published, else "imagenet"."""
    return "coco" if BACKBONES[backbone].coco else "imagenet"


def build_model(backbone: str = "resnet101", init: str = "random") -> DeepLabV3:
    """Build DeepLabV3 on a backbone and initialise it.

    Args:
        backbone: a name in `BACKBONES`.
        init: "random" (every tensor, backbone included), "coco" (torchvision's DeepLabV3; all but the last layer, whose
            21 classes give way to one), "imagenet" (backbone only), or the path of a safetensors or state-dict file for
            the whole network or the backbone.

    Raises:
        InputError: unknown backbone, or weights that are missing, cannot be had or do not fit.
    """
    if backbone not in BACKBONES:
        raise InputError(f"the backbone {quote(backbone)} is unknown", f"one of {', '.join(BACKBONES)}")
    network = BACKBONES[backbone].build()
    if init != "random":
        _initialise(network, backbone, init)
    return network


def _initialise(network: DeepLabV3, backbone: str, init: str) -> None:
    if init in INITS:
        fetch = getattr(BACKBONES[backbone], init)
        if fetch is None:
            raise InputError(f"{init} weights of {backbone} are not published", "--init imagenet, random or a file")
        try:
            state = fetch()
        except Exception as error:  # transport errors differ between torch.hub and the Hugging Face client
            raise InputError(
                f"{init} weights of {backbone} could not be downloaded ({type(error).__name__}: {summarise(error)})",
                remedy="connect to the internet once, or name a local file with --init",
            ) from None
    else:
        state = _read_state_dict(Path(init))
    whole = any(name.startswith("backbone.") for name in state)
    target = network if whole else network.backbone
    own = target.state_dict()
    if not whole and isinstance(target, EfficientNetLite):
        state = {f"net.{name}": tensor for name, tensor in state.items()}
    # The last layer of a network for other classes starts anew; heads of classifiers have no place here.
    last = tuple(
        name
        for name in own
        if name.startswith("classifier.4.") and name in state and state[name].shape != own[name].shape
    )
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    misshapen = [name for name in own if name in state and name not in last and state[name].shape != own[name].shape]
    if missing or misshapen:
        fault = (
            f"lack {len(missing)} tensors such as {missing[0]}" if missing else f"have another shape for {misshapen[0]}"
        )
        raise InputError(
            f"the weights of --init {init} do not fit {backbone}, as they {fault}",
            remedy="choose the backbone that they belong to",
        )
    target.load_state_dict({name: state[name] for name in own if name in state and name not in last}, strict=False)


def _read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise InputError(
            f"--init {path} is no file", f"{', '.join(INITS)}, or the path of a safetensors or state-dict file"
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        if all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
            return state
    except Exception:  # safetensors, pickle and zip readers each have their own errors
        pass
    raise InputError(f"--init {path} cannot be read", "a safetensors file or a PyTorch state dict of tensors")
