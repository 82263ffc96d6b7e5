import json
import pickle
from pathlib import Path

import pytest
import torch
from conftest import write_repository
from safetensors.torch import load_file, save_file

from hairseg.errors import InputError
from hairseg.evaluation.figures import draw_history
from hairseg.files import WriteError, free_bytes
from hairseg.networks.backbones import build_model
from hairseg.repository import BUNDLED, ModelRepository


@pytest.fixture
def repository(tmp_path) -> Path:
    return write_repository(tmp_path / "repo", ("random",))


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    path = ModelRepository(folder).weights("random")
    state = load_file(path)
    change(state)
    save_file(state, path)


def test_round_trip_keeps_normalisation_exactly_and_convolutions_to_half_precision(tmp_path):
    folder = write_repository(tmp_path, ())
    torch.manual_seed(3)
    network = build_model("efficientnet_lite0")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.weight.data.normal_()
    state = network.state_dict()
    ModelRepository(folder).save_weights("random", "efficientnet_lite0", state)
    config = json.loads((folder / "config.json").read_text())
    edit_config(folder, variants={"random": {}}, **{k: config[k] for k in ("backbone",)})
    loaded = ModelRepository(folder).load_network("random")
    assert not loaded.training
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == state[name].dtype
        if state[name].ndim == 4 or name == "classifier.4.bias":
            torch.testing.assert_close(tensor, state[name], rtol=2**-10, atol=1e-7)
        else:
            assert torch.equal(tensor, state[name]), name
    kinds = {name: tensor.dtype for name, tensor in load_file(ModelRepository(folder).weights("random")).items()}
    assert kinds["backbone.net.conv_stem.weight"] == kinds["classifier.4.bias"] == torch.float16
    assert kinds["backbone.net.bn1.running_var"] == torch.float32


def test_a_whole_repository_is_valid(small_repository):
    config = ModelRepository(small_repository).validate()
    assert config.backbone == "efficientnet_lite0" and config.preprocessing.image_size == 64
    assert config.variants.keys() == {"pretrained", "random"}


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "random/history.json", "random/model.safetensors"])
def test_a_missing_file_is_named(repository, name):
    (repository / name).unlink()
    with pytest.raises(InputError, match=f"{name.split('/')[-1]} is missing"):
        ModelRepository(repository).validate()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 2}, "has format 2: expected 1"),
        ({"architecture": "U-Net"}, "does not describe a HairSeg model"),
        ({"backbone": "vgg16"}, "has the backbone 'vgg16': expected one of resnet101"),
        ({"output_stride": 8}, "has the output stride 8: expected 16"),
        ({"colour": "red"}, "missing or unknown settings \\('colour'\\)"),
        ({"mean": [0.5]}, "has the mean \\[0.5\\]: expected three numbers from 0 to 1"),
        ({"threshold": 3}, "has the threshold 3"),
        ({"image_size": "big"}, "has the image size 'big'"),
        ({"image_size": 100}, "the image size 100 does not fit"),
        ({"variants": {"other": {}}}, "expected pretrained or random"),
    ],
)
def test_a_wrong_setting_is_named(repository, changes, message):
    edit_config(repository, **changes)
    with pytest.raises(InputError, match=message):
        assert ModelRepository(repository).config


def test_broken_json_is_named(repository):
    (repository / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is not valid JSON"):
        assert ModelRepository(repository).config


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state: state.pop("classifier.4.weight"), "lacks the tensor 'classifier.4.weight'"),
        (lambda state: state.update(extra=torch.zeros(1)), "has the unknown tensor 'extra'"),
        (
            lambda state: state.update({"classifier.4.weight": torch.zeros(21, 256, 1, 1)}),
            r"'classifier.4.weight' of shape \[21, 256, 1, 1\]: expected \[1, 256, 1, 1\]",
        ),
    ],
)
def test_a_wrong_tensor_is_named(repository, change, message):
    edit_weights(repository, change)
    by_check, by_loading = (lambda model: model.check(["random"])), (lambda model: model.load_network("random"))
    for read in (ModelRepository.validate, by_check, by_loading):
        with pytest.raises(InputError, match=message):
            read(ModelRepository(repository))


def test_what_cannot_be_served_shows_without_the_tensors(repository):
    model = ModelRepository(repository)
    model.check(["random"])
    with pytest.raises(InputError, match="has no 'pretrained' variant"):
        model.check(["pretrained"])
    model.weights("random").write_bytes(model.weights("random").read_bytes()[:-1])
    with pytest.raises(InputError, match="is no whole safetensors file"):
        model.check(["random"])
    model.weights("random").unlink()
    with pytest.raises(InputError, match=r"random/model\.safetensors is missing"):
        model.check(["random"])


def test_loading_is_strict_even_if_the_check_before_it_were_to_miss_a_tensor(repository, monkeypatch):
    edit_weights(repository, lambda state: state.pop("classifier.4.weight"))
    monkeypatch.setattr("hairseg.repository.repository._check_tensors", lambda *_: None)
    with pytest.raises(RuntimeError, match=r"Missing key.*classifier\.4\.weight"):
        ModelRepository(repository).load_network("random")


def test_a_cut_off_file_and_a_pickle_are_refused(repository, tmp_path):
    path = ModelRepository(repository).weights("random")
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], pickle.dumps({"a": 1}), b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no whole safetensors file"):
            ModelRepository(repository).load_network("random")


def test_a_variant_that_is_not_there_is_named(repository):
    with pytest.raises(InputError, match="has no 'pretrained' variant: expected one of random"):
        ModelRepository(repository).load_network("pretrained")


def test_the_bundled_repository_is_whole_and_small():
    config = ModelRepository(BUNDLED).validate()
    assert config.variants.keys() == {"pretrained", "random"}
    assert config.variants["random"]["init"] == "random" != config.variants["pretrained"]["init"]
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) < 40e6
    assert all(path.suffix in {".json", ".md", ".png", ".safetensors"} for path in BUNDLED.rglob("*") if path.is_file())


def test_a_disk_without_room_is_named_for_every_file_and_what_was_there_stays(tmp_path, repository, small_disk):
    """Guards against weights, JSON, a card or a figure that are cut off under their names."""
    model = ModelRepository(small_disk / "repo")
    written = {path.relative_to(repository): path for path in repository.rglob("*") if path.is_file()}
    older = {}
    for name in [name for name in written if name.suffix == ".json"]:
        (model.folder / name).parent.mkdir(parents=True, exist_ok=True)
        older[name] = written[name].read_bytes()
        (model.folder / name).write_bytes(older[name])
    long = [{"epoch": 1, "note": "x" * 300_000}]
    state = build_model("efficientnet_lite0").state_dict()
    history = [{"epoch": 1, **{split: {"loss": 0.1, "f1": 0.9, "auroc": 0.9} for split in ("train", "test")}}]
    filler = small_disk / "filler"
    for name, room, write in (
        ("random/model.safetensors", r"1\d\.\d MB", lambda: model.save_weights("random", "efficientnet_lite0", state)),
        ("random/history.json", "301 kB", lambda: model.save_history("random", long)),
        ("metrics.json", "301 kB", lambda: model.save_metrics({"x": long})),
        ("README.md", "300 kB", lambda: model.save_card("x" * 300_000)),
        ("figures/figure4.png", r"\d\d kB", lambda: draw_history(model.figure("figure4"), history, "random", 1)),
    ):
        if name.endswith(".png"):
            filler.write_bytes(bytes(free_bytes(small_disk) - 3 * 4096))
        with pytest.raises(WriteError, match=rf"{name} cannot be written because the disk .*: expected {room} of room"):
            write()
    filler.unlink()
    assert {path.relative_to(model.folder) for path in model.folder.rglob("*") if path.is_file()} == older.keys()
    assert all((model.folder / name).read_bytes() == content for name, content in older.items())
