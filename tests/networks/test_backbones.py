import pytest
import torch
import torchvision
from safetensors.torch import save_file

from hairseg.errors import InputError
from hairseg.networks import devices
from hairseg.networks.backbones import BACKBONES, build_model, default_init
from hairseg.networks.devices import prepare_for_inference

COCO_FILES = {
    "resnet101": "deeplabv3_resnet101_coco-586e9e4e.pth",
    "resnet50": "deeplabv3_resnet50_coco-cd0a2569.pth",
    "mobilenet_v3_large": "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
}


def marked(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same names and shapes, with a value that no initialisation draws."""
    return {name: torch.full_like(tensor, 7) for name, tensor in state.items()}


def is_marked(tensor: torch.Tensor) -> bool:
    return bool((tensor == 7).all())


def parameters_and_statistics(network):
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("backbone", ["resnet101", "mobilenet_v3_large", "efficientnet_lite0"])
def test_normalisation_is_folded_into_the_convolutions(backbone, monkeypatch):
    """Logits are unchanged, with statistics other than the initial 0 and 1, and no normalisation is left."""
    monkeypatch.setattr(devices, "supports_bfloat16", lambda device: False)
    torch.manual_seed(0)
    network, photos = build_model(backbone), torch.randn(4, 3, 64, 64)
    with torch.inference_mode():
        for _ in range(3):
            network(photos)  # in training mode, which updates the statistics
        expected = network.eval()(photos)
        folded = prepare_for_inference(network, torch.device("cpu"))
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
        torch.testing.assert_close(folded(photos), expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


@pytest.mark.parametrize(
    "backbone, stride",
    [
        ("resnet101", 8),
        ("resnet50", 8),
        ("mobilenet_v3_large", 16),
        ("efficientnet_lite0", 16),
        ("efficientnet_lite2", 16),
    ],
)
def test_logits_have_the_photos_size_and_the_feature_map_the_stride(backbone, stride):
    network = build_model(backbone).eval()
    photos = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        assert network(photos).shape == (2, 1, 64, 96)
        assert network.backbone(photos)["out"].shape[-2:] == (64 // stride, 96 // stride)
    assert BACKBONES[backbone].output_stride == stride


def test_resnet101_is_torchvisions_deeplabv3():
    reference = torchvision.models.segmentation.deeplabv3_resnet101(
        weights=None, weights_backbone=None, num_classes=1
    ).eval()
    network = build_model("resnet101").eval()
    network.load_state_dict(reference.state_dict())
    photos = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(photos), reference(photos)["out"])


@pytest.mark.parametrize("backbone", list(COCO_FILES))
def test_coco_weights_fill_all_but_the_last_layer(backbone, tmp_path, monkeypatch):
    builder = getattr(torchvision.models.segmentation, f"deeplabv3_{backbone}")
    published = builder(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(marked(published.state_dict()), tmp_path / "hub" / "checkpoints" / COCO_FILES[backbone])
    network = build_model(backbone, "coco")
    for name, tensor in parameters_and_statistics(network).items():
        assert is_marked(tensor) != name.startswith("classifier.4."), name


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_random_means_random_everywhere(backbone, tmp_path, monkeypatch):
    """No download is attempted, and two seeds give different tensors."""

    def refuse(*args, **kwargs):
        raise AssertionError("pretrained weights were asked for")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    monkeypatch.setattr("timm.models._builder.load_pretrained", refuse)
    torch.manual_seed(1)
    one = build_model(backbone, "random")
    torch.manual_seed(2)
    other = build_model(backbone, "random").state_dict()
    drawn = [name for name, parameter in one.named_parameters() if parameter.ndim > 1]
    assert sum(name.startswith("backbone.") for name in drawn) > 40
    for name, tensor in one.state_dict().items():
        if name in drawn:
            assert not torch.equal(tensor, other[name]), name
            assert (
                abs(torch.corrcoef(torch.stack([tensor.flatten()[:4000], other[name].flatten()[:4000]]))[0, 1]) < 0.3
            ), name


def test_weights_of_a_classifier_fill_the_backbone_only(tmp_path):
    import timm

    classifier = timm.create_model("efficientnet_lite0", pretrained=False)
    save_file(marked(classifier.state_dict()), tmp_path / "weights.safetensors")
    network = build_model("efficientnet_lite0", str(tmp_path / "weights.safetensors"))
    for name, tensor in parameters_and_statistics(network).items():
        assert is_marked(tensor) == name.startswith("backbone."), name


def test_weights_of_a_complete_network_fill_all_tensors(tmp_path):
    torch.save(marked(build_model("mobilenet_v3_large").state_dict()), tmp_path / "weights.pth")
    network = build_model("mobilenet_v3_large", str(tmp_path / "weights.pth"))
    assert all(is_marked(tensor) for tensor in parameters_and_statistics(network).values())


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_nothing_is_unpickled_from_a_weight_file(tmp_path):
    torch.save({"conv_stem.weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(InputError, match=r"trap\.pth cannot be read"):
        build_model("efficientnet_lite0", str(tmp_path / "trap.pth"))
    assert not (tmp_path / "sprung").exists()


def test_unsuitable_weights_are_reported(tmp_path):
    save_file(build_model("mobilenet_v3_large").state_dict(), tmp_path / "other.safetensors")
    (tmp_path / "text.pth").write_text("text")
    for init, message in (
        (str(tmp_path / "other.safetensors"), r"do not fit efficientnet_lite0: \d+ tensors are missing"),
        (str(tmp_path / "text.pth"), r"cannot be read\. Choose a safetensors file"),
        (str(tmp_path / "gone.pth"), r"is not a file\. Choose coco, imagenet, random, or the path"),
        ("coco", "No coco weights are published for efficientnet_lite0"),
    ):
        with pytest.raises(InputError, match=message):
            build_model("efficientnet_lite0", init)
    with pytest.raises(InputError, match=r"backbone 'vgg16' is unknown\. Choose one of resnet101"):
        build_model("vgg16")


def test_failed_downloads_are_reported(monkeypatch, tmp_path):
    def unreachable(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(
        InputError, match=r"coco weights of resnet50 could not be downloaded.*name a local file with --init"
    ):
        build_model("resnet50", "coco")


def test_default_inits():
    assert {name: default_init(name) for name in BACKBONES} == {
        "resnet101": "coco",
        "resnet50": "coco",
        "mobilenet_v3_large": "coco",
        "efficientnet_lite0": "imagenet",
        "efficientnet_lite2": "imagenet",
    }
