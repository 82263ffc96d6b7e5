import pytest
import torch
from torch import nn

from hairseg.networks.depthwise import DepthwiseConv2d


@pytest.mark.parametrize("side", [9, 16])
@pytest.mark.parametrize("kernel, stride, dilation", [(3, 1, 1), (3, 2, 1), (5, 2, 1), (5, 1, 2), (3, 1, 2)])
def test_gradients_equal_those_of_nn_conv2d(side, kernel, stride, dilation):
    torch.manual_seed(0)
    geometry = dict(
        kernel_size=kernel, stride=stride, padding=kernel // 2 * dilation, dilation=dilation, groups=6, bias=False
    )
    ours, plain = DepthwiseConv2d(6, 6, **geometry), nn.Conv2d(6, 6, **geometry)
    plain.load_state_dict(ours.state_dict())
    photos = torch.randn(2, 6, side, side)
    results = []
    for convolution in (ours, plain):
        features = photos.clone().requires_grad_()
        output = convolution(features)
        (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
        results.append((output, features.grad, convolution.weight.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_bfloat16_gradients_agree_within_its_precision():
    torch.manual_seed(0)
    convolution = DepthwiseConv2d(8, 8, 5, padding=4, dilation=2, groups=8, bias=False)
    features = torch.randn(2, 8, 16, 16)
    gradients = {}
    for enabled in (True, False):
        convolution.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = convolution(features)
        output.float().square().sum().backward()
        gradients[enabled] = convolution.weight.grad
    assert output.dtype == torch.float32
    assert gradients[True].dtype == torch.float32
    torch.testing.assert_close(gradients[True], gradients[False], rtol=0.03, atol=0.5)
