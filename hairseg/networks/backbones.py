"""Backbones of DeepLabV3, and their initialisation from random or published weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import get_model, get_weight
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from hairseg.errors import InputError, raise_if_unknown, summarise
from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.depthwise import DepthwiseConv2d

StateDict = dict[str, torch.Tensor]

INITS = ("coco", "imagenet", "random")


@dataclass(frozen=True)
class Backbone:
    """Properties of a backbone, and the names of its published weights."""

    output_stride: int
    imagenet: str  # weights of a classifier, of which the backbone is used: of torchvision, or a model of timm
    coco: str | None = None  # weights of torchvision's DeepLabV3 with 21 classes


BACKBONES = {
    "resnet101": Backbone(8, "ResNet101_Weights.IMAGENET1K_V2", "DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1"),
    "resnet50": Backbone(8, "ResNet50_Weights.IMAGENET1K_V2", "DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"),
    "mobilenet_v3_large": Backbone(
        16,
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1",
    ),
    "efficientnet_lite0": Backbone(16, "efficientnet_lite0"),
    "efficientnet_lite2": Backbone(16, "tf_efficientnet_lite2"),
}


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite of timm without its classifier, dilated to a stride of 16. Tensors are named as in timm."""

    def __init__(self, name: str):
        super().__init__()
        self.net: Any = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=(4,), output_stride=16
        )
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.__class__ = DepthwiseConv2d

    def forward(self, photos: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the feature map under the key that torchvision's backbones use."""
        return {"out": self.net(photos)[0]}


def default_init(backbone: str) -> str:
    """Return the initialisation of a backbone's pretrained variant: "coco" where published, else "imagenet"."""
    return "coco" if BACKBONES[backbone].coco else "imagenet"


def build_model(backbone: str = "resnet101", init: str = "random") -> DeepLabV3:
    """Build DeepLabV3 on a backbone and initialise it.

    Args:
        backbone: a name in `BACKBONES`.
        init: "random" (all tensors, including the backbone's); "coco" (torchvision's DeepLabV3; the last layer, which
            has 21 classes, stays random); "imagenet" (only the backbone); or the path of a safetensors or state-dict
            file of the complete network or the backbone.

    Raises:
        InputError: unknown backbone, or weights that are missing, cannot be downloaded or do not fit.
    """
    raise_if_unknown("The backbone", backbone, BACKBONES)
    if backbone.startswith("efficientnet_lite"):
        features = EfficientNetLite(backbone)
        # Dilation rates of 12, 24 and 36 are for a stride of 8, and halved at 16 (arXiv 1706.05587, section 4.1).
        network = DeepLabV3(features, DeepLabHead(features.net.feature_info.channels()[-1], 1, (6, 12, 18)))
    else:
        reference: Any = get_model(f"deeplabv3_{backbone}", weights=None, weights_backbone=None, num_classes=1)
        network = DeepLabV3(reference.backbone, reference.classifier)
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
    # The last layer for other classes stays random. Classifiers of backbones are ignored.
    used = {
        name: tensor
        for name, tensor in state.items()
        if name in expected and not (name.startswith("classifier.4.") and tensor.shape != expected[name].shape)
    }
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
    name = BACKBONES[backbone].coco if init == "coco" else BACKBONES[backbone].imagenet
    if name is None:
        raise InputError(
            f"No {init} weights are published for {backbone}.", remedy="Choose --init imagenet, random or a file."
        )
    try:
        if "." in name:
            return dict(get_weight(name).get_state_dict(progress=True, check_hash=True, weights_only=True))
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # torch.hub and huggingface_hub raise different connection errors
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
    except Exception:  # the readers of safetensors, pickle and zip files raise different errors
        pass
    raise InputError(
        f"--init {path} cannot be read.", remedy="Choose a safetensors file or a PyTorch state dict of tensors."
    )
