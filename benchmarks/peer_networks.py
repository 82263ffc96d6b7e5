"""Hair segmentation networks of others, for peers.py. docs/results.md has links to their weights."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18

from hairseg.errors import InputError
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import ModelRepository

SIDE = 512  # pixels, of the inputs of both networks

try:
    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]  (optional)
except ImportError:
    Interpreter = None


class Peer(Protocol):
    """A hair segmentation network. The optional attribute `trained_on` names the data sets it was trained on.

    Attributes:
        name: for tables.
        megabytes: size of the weights.
    """

    name: str
    megabytes: float

    def alpha(self, photo: np.ndarray) -> np.ndarray:
        """Segment the hair of a photo.

        Args:
            photo: uint8 RGB (height, width, 3).

        Returns:
            How much of each pixel is hair, float32 in [0, 1], (height, width). The threshold is 0.5.
        """
        ...


class HairSeg:
    """One variant of a model repository, with zoomed passes and refinement, as served."""

    def __init__(self, folder: Path, variant: str):
        self.name = f"HairSeg, {'from scratch' if variant == 'random' else variant}"
        self.megabytes = ModelRepository(folder).weights(variant).stat().st_size / 1e6
        self._predictor, self._variant = HairPredictor(folder, [variant]), variant

    def alpha(self, photo: np.ndarray) -> np.ndarray:
        return self._predictor.alphas(photo)[self._variant]


class MediaPipe:
    """MediaPipe's hair segmenter of 2019: one pass over the photo, without a previous mask.

    A. Tkachenka et al., "Real-time Hair Segmentation and Recoloring on Mobile GPUs", arXiv 1907.06740.
    """

    name = "MediaPipe hair segmenter"

    def __init__(self, weights: Path):
        if Interpreter is None:
            raise InputError("ai-edge-litert is not installed.", remedy="Run pip install ai-edge-litert.")
        self.megabytes = weights.stat().st_size / 1e6
        self._network = Interpreter(str(weights), num_threads=torch.get_num_threads())
        self._network.allocate_tensors()

    def alpha(self, photo: np.ndarray) -> np.ndarray:
        photo_and_mask = np.zeros((1, SIDE, SIDE, 4), np.float32)
        photo_and_mask[0, ..., :3] = _stretch(photo) / 255
        self._network.set_tensor(self._network.get_input_details()[0]["index"], photo_and_mask)
        self._network.invoke()
        (logits,) = self._network.get_tensor(self._network.get_output_details()[0]["index"])
        hair = cv2.resize(logits[..., 1] - logits[..., 0], photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return 1 / (1 + np.exp(-hair))


class FaceParsing:
    """Face-parsing BiSeNet (zllrunning/face-parsing.PyTorch) with 19 classes, trained on CelebAMask-HQ."""

    name = "Face-parsing BiSeNet"
    trained_on = ("celebamask-hq", "celebamask-hq-hats")

    def __init__(self, weights: Path):
        self.megabytes = weights.stat().st_size / 1e6
        self._network = BiSeNet().eval()
        try:
            tensors = torch.load(weights, weights_only=True, map_location="cpu")
            self._network.load_state_dict({name: tensors[name] for name in self._network.state_dict()})
        except Exception as error:  # PyTorch raises many types
            raise InputError(
                f"{weights} does not hold the weights of face-parsing BiSeNet ({type(error).__name__}).",
                remedy="Give the path of 79999_iter.pth.",
            ) from None

    @torch.inference_mode()
    def alpha(self, photo: np.ndarray) -> np.ndarray:
        batch = Preprocessing(SIDE).normalise(torch.from_numpy(_stretch(photo))[None])
        logits = self._network(batch)
        logits = functional.interpolate(logits, photo.shape[:2], mode="bilinear", align_corners=True)[0]  # as trained
        hair = logits[HAIR_CLASS].clone()
        logits[HAIR_CLASS] = -torch.inf
        return torch.sigmoid(hair - logits.amax(0)).numpy()  # at least 0.5 where hair is the most probable class


HAIR_CLASS, CLASSES = 17, 19


class BiSeNet(nn.Module):
    """BiSeNet on ResNet-18, with the features at stride 8 in place of the spatial path.

    C. Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation", ECCV 2018. The modules
    have the names of the published weights. The auxiliary heads of training are omitted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256, 256)
        self.conv_out = Head(256, CLASSES)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Return logits at stride 8, (batch, CLASSES, height / 8, width / 8), of normalised photos."""
        return self.conv_out(self.ffm(*self.cp(photos)))


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv(features)))


class AttentionRefinement(nn.Module):
    """A convolution with channel attention."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = ConvolutionBlock(inputs, outputs, 3)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = self.conv(features)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(_global_mean(features))))


class ContextPath(nn.Module):
    """Features of ResNet-18 at stride 8, and the context of strides 16 and 32 at the same stride."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = resnet18(weights=None)
        self.resnet.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        self.arm16, self.arm32 = AttentionRefinement(256, 128), AttentionRefinement(512, 128)
        self.conv_head16, self.conv_head32 = ConvolutionBlock(128, 128, 3), ConvolutionBlock(128, 128, 3)
        self.conv_avg = ConvolutionBlock(512, 128, 1)

    def forward(self, photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        net = self.resnet
        stride4 = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(photos)))))
        stride8 = net.layer2(stride4)
        stride16 = net.layer3(stride8)
        stride32 = net.layer4(stride16)
        context32 = self.arm32(stride32) + self.conv_avg(_global_mean(stride32))
        context16 = self.arm16(stride16) + self.conv_head32(functional.interpolate(context32, stride16.shape[2:]))
        return stride8, self.conv_head16(functional.interpolate(context16, stride8.shape[2:]))


class FeatureFusion(nn.Module):
    """A convolution of two concatenated feature maps, with residual channel attention."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convblk = ConvolutionBlock(inputs, outputs, 1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, details: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        features = self.convblk(torch.cat([details, context], 1))
        return features + features * torch.sigmoid(self.conv2(functional.relu(self.conv1(_global_mean(features)))))


class Head(nn.Module):
    """Two convolutions that return the logits of each class."""

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.conv = ConvolutionBlock(inputs, inputs, 3)
        self.conv_out = nn.Conv2d(inputs, classes, 1, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.conv_out(self.conv(features))


def _global_mean(features: torch.Tensor) -> torch.Tensor:
    return features.mean((2, 3), keepdim=True)


def _stretch(photo: np.ndarray) -> np.ndarray:
    """Scale a photo to the square input without keeping its aspect ratio, as both networks' original code does."""
    interpolation = cv2.INTER_AREA if min(photo.shape[:2]) >= SIDE else cv2.INTER_LINEAR
    return cv2.resize(photo, (SIDE, SIDE), interpolation=interpolation)
