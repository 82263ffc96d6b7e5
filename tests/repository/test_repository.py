import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from conftest import write_repository
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from hairseg.errors import InputError
from hairseg.evaluation.figures import draw_history
from hairseg.files import WriteError
from hairseg.networks.backbones import build_model
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.config import Config, VariantConfig
from hairseg.repository.metrics import EpochRecord, EpochScores, GroupScores, Metrics


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
    folder = write_repository(tmp_path, ("random",))
    torch.manual_seed(3)
    network = build_model("efficientnet_lite0")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.weight.data.normal_()
    state = network.state_dict()
    ModelRepository(folder).save_weights("random", "efficientnet_lite0", state)
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


def test_complete_repository_is_valid(small_repository):
    config = ModelRepository(small_repository).validate()
    assert config.backbone == "efficientnet_lite0" and config.preprocessing.image_size == 64
    assert config.variants.keys() == {"pretrained", "random"}


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "random/history.json", "random/model.safetensors"])
def test_missing_file_is_named(repository, name):
    (repository / name).unlink()
    with pytest.raises(InputError, match=f"{name.split('/')[-1]} is missing"):
        ModelRepository(repository).validate()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 2}, "malformed at 'format'. Input should be 1"),
        ({"architecture": "U-Net"}, "malformed at 'architecture'. Input should be 'DeepLabV3'"),
        ({"backbone": "vgg16"}, "backbone 'vgg16' is unknown. Choose one of resnet101"),
        ({"output_stride": 8}, "The output stride 8 does not fit efficientnet_lite0. It must be 16"),
        ({"colour": "red"}, "malformed at 'colour'. Extra inputs are not permitted"),
        ({"mean": [0.5]}, "malformed at 'mean.1'. Field required"),
        ({"threshold": 3}, "malformed at 'threshold'. Input should be less than 1."),
        ({"image_size": "big"}, "malformed at 'image_size'"),
        ({"image_size": 100}, "image size 100"),
        ({"variants": {"other": {}}}, "variant 'other' is unknown. Choose one of pretrained, random"),
    ],
)
def test_wrong_setting_is_named(repository, changes, message):
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
            r"'classifier.4.weight' of type F32 and shape \[21, 256, 1, 1\]. With .* of shape \[1, 256, 1, 1\]",
        ),
    ],
)
def test_wrong_tensor_is_named(repository, change, message):
    edit_weights(repository, change)
    by_check, by_loading = (lambda model: model.check(["random"])), (lambda model: model.load_network("random"))
    for read in (ModelRepository.validate, by_check, by_loading):
        with pytest.raises(InputError, match=message):
            read(ModelRepository(repository))


def test_check_finds_broken_weights_from_headers_alone(repository):
    model = ModelRepository(repository)
    model.check(["random"])
    with pytest.raises(InputError, match="has no 'pretrained' variant"):
        model.check(["pretrained"])
    model.weights("random").write_bytes(model.weights("random").read_bytes()[:-1])
    with pytest.raises(InputError, match="is not a complete safetensors file"):
        model.check(["random"])
    model.weights("random").unlink()
    with pytest.raises(InputError, match=r"random/model\.safetensors is missing"):
        model.check(["random"])


def test_loading_is_strict_without_the_header_check(repository, monkeypatch):
    edit_weights(repository, lambda state: state.pop("classifier.4.weight"))
    monkeypatch.setattr("hairseg.repository.repository._check_tensors", lambda *_: None)
    with pytest.raises(RuntimeError, match=r"Missing key.*classifier\.4\.weight"):
        ModelRepository(repository).load_network("random")


def test_truncated_file_and_pickle_are_refused(repository, tmp_path):
    path = ModelRepository(repository).weights("random")
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], pickle.dumps({"a": 1}), b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not a complete safetensors file"):
            ModelRepository(repository).load_network("random")


def test_a_git_lfs_pointer_is_reported(repository):
    ModelRepository(repository).weights("random").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    with pytest.raises(InputError, match=r"safetensors is a Git LFS pointer\. Run `git lfs pull` there\.$"):
        ModelRepository(repository).load_network("random")


def test_json_with_byte_order_mark_and_crlf_is_read(repository):
    path = repository / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert ModelRepository(repository).config.variants.keys() == {"random"}


def test_missing_variant_is_named(repository):
    with pytest.raises(InputError, match=r"has no 'pretrained' variant\. It has random\."):
        ModelRepository(repository).load_network("pretrained")


def test_bundled_repository_is_complete_and_small():
    config = ModelRepository(BUNDLED).validate()
    assert config.variants.keys() == {"pretrained", "random"}
    assert config.variants["random"].init == "random" != config.variants["pretrained"].init
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) < 40e6
    assert all(path.suffix in {".json", ".md", ".png", ".safetensors"} for path in BUNDLED.rglob("*") if path.is_file())


def test_full_disk_keeps_every_older_file(repository, small_disk):
    """No weights, JSON, card or figure is truncated."""
    model = ModelRepository(small_disk / "repo")
    written = {path.relative_to(repository): path for path in repository.rglob("*") if path.is_file()}
    older = {}
    for name in [name for name in written if name.suffix == ".json"]:
        (model.folder / name).parent.mkdir(parents=True, exist_ok=True)
        older[name] = written[name].read_bytes()
        (model.folder / name).write_bytes(older[name])
    state = build_model("efficientnet_lite0").state_dict()
    scores: EpochScores = {"loss": 0.1, "f1": 0.9, "auroc": 0.9}
    history: list[EpochRecord] = [{"epoch": 1, "train": scores, "test": scores}]
    metrics = Metrics(groups={f"{index:080}": GroupScores(images=index + 1) for index in range(1000)})
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 3 * 4096))
    for name, write in (
        ("random/model.safetensors", lambda: model.save_weights("random", "efficientnet_lite0", state)),
        ("random/history.json", lambda: model.save_history("random", 1000 * history)),
        ("metrics.json", lambda: model.save_metrics(metrics)),
        ("README.md", lambda: model.save_card("x" * 300_000)),
        ("figures/figure4.png", lambda: draw_history(model.figure("figure4"), history, "random", 1)),
    ):
        with pytest.raises(WriteError, match=rf"{name} cannot be written because the disk"):
            write()
    filler.unlink()
    assert {path.relative_to(model.folder) for path in model.folder.rglob("*") if path.is_file()} == older.keys()
    assert all((model.folder / name).read_bytes() == content for name, content in older.items())


OLD_ENTRY = {
    "recipe": "further",
    "averaging": 0.995,
    "early_share": 0.5,
    "final_share": 0.3,
    "start_share": 0.3,
    "served_share": 0.9,
    "started_from": {"recipe": "modern", "small_share": 0.6, "closing_share": 0.25, "closing": {"far": 0.25}},
}


def test_keys_of_older_versions_are_read(repository):
    edit_config(repository, variants={"random": OLD_ENTRY})
    assert ModelRepository(repository).config.variants["random"].to_json() == {
        "recipe": "finetune",
        "ema_decay": 0.995,
        "low_res_fraction": 0.5,
        "final_phase_fraction": 0.3,
        "init_blend": 0.3,
        "serve_scale": 0.9,
        "started_from": {
            "recipe": "modern",
            "low_res_fraction": 0.6,
            "final_phase_fraction": 0.25,
            "final_augmentation": {"far": 0.25},
        },
    }
    (repository / "metrics.json").write_text(
        json.dumps({"own_size": {"random": {"f1": 0.5, "unrefined": {"f1": 0.4}}}})
    )
    scores = ModelRepository(repository).metrics().full_resolution["random"]
    assert (scores.f1, scores.unrefined.f1) == (0.5, 0.4)


def test_bundled_records_survive_reading_and_writing(tmp_path):
    bundled, copy = ModelRepository(BUNDLED), ModelRepository(tmp_path)
    copy.save_config(bundled.config)
    copy.save_metrics(bundled.metrics())
    names = ["config.json", "metrics.json"]
    for variant in bundled.config.variants:
        copy.save_history(variant, bundled.history(variant))
        names.append(f"{variant}/history.json")
    for name in names:
        assert json.loads((tmp_path / name).read_text()) == json.loads((BUNDLED / name).read_text()), name


def test_malformed_training_record_is_left_out(repository):
    entry = {"recipe": 5, "images": {"train": "many", "val": 3}, "seconds": "long", "unknown": [1]}
    edit_config(repository, variants={"random": entry})
    assert ModelRepository(repository).config.variants == {"random": VariantConfig()}


def test_what_this_version_writes_is_checked():
    with pytest.raises(ValidationError):
        VariantConfig(epochs="many")
    with pytest.raises(ValidationError):
        GroupScores(images=True)
    with pytest.raises(ValidationError):
        Config.from_training("resnet101", Preprocessing(mean=(0.5, 0.5, 2.0)), {"random": VariantConfig()})


def test_malformed_history_is_refused(repository):
    (repository / "random" / "history.json").write_text('[{"epoch": "first"}]')
    with pytest.raises(InputError, match=r"history\.json is malformed at '0\.epoch'\. Input should be a valid integer"):
        ModelRepository(repository).history("random")


def test_settings_in_whole_numbers_work(repository):
    edit_config(repository, mean=[0, 0, 0], std=[1, 1, 1])
    model = ModelRepository(repository)
    squares = torch.full((1, 64, 64, 3), 255, dtype=torch.uint8)
    normalised = model.config.preprocessing.normalise(squares)
    assert torch.equal(normalised, torch.ones(1, 3, 64, 64))
    with torch.inference_mode():
        assert model.load_network("random")(normalised).isfinite().all()


def test_messages_use_the_name_instead_of_the_path(repository):
    named = ModelRepository(repository, name="ada/hair@0123456")
    with pytest.raises(InputError, match=r"^ada/hair@0123456 has no 'pretrained' variant"):
        named.load_network("pretrained")
    named.weights("random").write_bytes(b"")
    (repository / "random" / "history.json").write_text("{")
    (repository / "metrics.json").unlink()
    edit_config(repository, threshold=2)
    for read, start in (
        (lambda: named.history("random"), "ada/hair@0123456/random/history.json is not valid JSON"),
        (lambda: named.load_network("random"), "ada/hair@0123456/random/model.safetensors is not a complete"),
        (named.metrics, "ada/hair@0123456 is not a HairSeg model repository: metrics.json is missing."),
        (ModelRepository(repository, named.name).validate, "ada/hair@0123456/config.json is malformed at 'threshold'"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value).startswith(start) and str(repository) not in str(caught.value)


def test_malformed_scores_do_not_prevent_serving(repository):
    (repository / "metrics.json").write_text('{"variants": 3}')
    ModelRepository(repository).validate()
    with pytest.raises(InputError, match=r"metrics\.json is malformed at 'variants'"):
        ModelRepository(repository).metrics()
