"""DeepLabV3 with one output channel, the hair logit.

L.-C. Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv 1706.05587.
"""

import torch
import torch.nn.functional as F
from torch import nn


class DeepLabV3(nn.Module):
    """DeepLabV3 for one class. Tensors are named as in torchvision: `backbone.*` and `classifier.*`."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Map normalised photos (batch, 3, height, width) to hair logits (batch, 1, height, width)."""
        logits = self.classifier(self.backbone(photos)["out"])
        return F.interpolate(logits.float(), size=photos.shape[-2:], mode="bilinear", align_corners=False)
