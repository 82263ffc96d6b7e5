import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel

from hairseg.data.datasets import SPLITS, find_pairs
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import IGNORE, Preprocessing
from hairseg.training import loop, state
from hairseg.training.batches import draw_batches, effective_batch_size, epoch_loader
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import train_variant
from hairseg.training.losses import bce_dice_loss, mse_loss
from hairseg.training.recipes import RECIPES, Recipe
from hairseg.training.state import TrainingState, ema_update

SETTINGS = Settings("random", "efficientnet_lite0", "random", Recipe(3, 1e-3, 4, 64), 0, "drawn")
CPU = Accelerator(cpu=True)


@pytest.fixture
def splits(portraits) -> dict[str, PhotoArrays]:
    dataset, pairs = find_pairs(portraits)
    by_name = {
        name: load_arrays({dataset: [pair for pair in pairs if pair.split == name]}, Preprocessing(64), 1)
        for name in SPLITS
    }
    return by_name | {"scenes": by_name["val"]}


@pytest.fixture
def tiny_network(monkeypatch):
    """Replace networks by one with dropout and batch normalisation that trains in milliseconds."""

    def build(backbone, init):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(8, 1, 1)
        )

    monkeypatch.setattr(state, "build_model", build)


def without_seconds(history):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in history]


def test_mse_loss_ignores_padding():
    logits = torch.tensor([[[0.0, 2.0, 50.0]]])
    masks = torch.tensor([[[1, 0, IGNORE]]], dtype=torch.uint8)
    assert mse_loss(logits, masks).item() == pytest.approx(((0.5 - 1) ** 2 + (1 / (1 + np.exp(-2))) ** 2) / 2)


def test_batches_cover_an_epoch_once_and_drop_the_last_photo():
    drawn = torch.cat(list(draw_batches(torch.ones(13).double(), 6, torch.Generator().manual_seed(0))))
    assert len(drawn) == len(set(drawn.tolist())) == 12
    batch_size = effective_batch_size(RECIPES["paper"]["random"], 4, 1)
    assert [len(batch) for batch in draw_batches(torch.ones(4).double(), batch_size, torch.Generator())] == [4]


def test_photos_are_drawn_by_their_weights():
    """Counts per epoch are the weights rounded up or down, and their mean over many epochs is the weight."""
    weights = torch.tensor([1, 1, 0.3, 0.3, 0.3, 2.5, 0.1, 1.5], dtype=torch.float64)
    counts = torch.stack(
        [
            torch.cat(list(draw_batches(weights, 1, torch.Generator().manual_seed(seed)))).bincount(
                minlength=len(weights)
            )
            for seed in range(2000)
        ]
    ).double()
    assert set(counts.sum(1).tolist()) == {7}
    torch.testing.assert_close(counts.mean(0), weights, atol=0.05, rtol=0)
    assert (counts >= weights.floor() - (weights == 1).double()).all()
    assert (counts <= weights.ceil()).all()


def test_batches_are_divided_among_processes():
    recipe = RECIPES["paper"]["random"]
    assert [effective_batch_size(recipe, 13, processes) for processes in (1, 2, 3)] == [6, 6, 6]
    assert effective_batch_size(recipe, 5, 2) == 4
    with pytest.raises(InputError, match="A batch of 6 photos cannot be divided among 4 processes"):
        effective_batch_size(recipe, 13, 4)
    with pytest.raises(InputError, match=r"batch of one photo\. Choose a --batch-size of at least 2\.$"):
        effective_batch_size(replace(recipe, batch_size=1), 13, 1)


@pytest.mark.slow
def test_network_learns_drawn_hair(splits, tmp_path):
    trained = train_variant(replace(SETTINGS, recipe=Recipe(4, 2e-3, 4, 64)), splits, CPU, tmp_path / "c.pt")
    losses = [record["train"]["loss"] for record in trained.history]
    assert losses[-1] < 0.7 * losses[0]
    assert [record["epoch"] for record in trained.history] == [1, 2, 3, 4]
    assert all(record[name].keys() == {"loss", "f1", "auroc"} for record in trained.history for name in SPLITS)
    json.dumps(trained.history)


def test_best_validation_auroc_selects_the_epoch(splits, tmp_path, tiny_network, monkeypatch):
    """Validation is best after epoch 2, test after epoch 3."""
    real, auroc, weights = loop.score_held_out, {"val": [0.7, 0.9, 0.8], "test": [0.7, 0.8, 0.9]}, []

    def score_held_out(network, arrays, *others):
        name = "val" if len(arrays) == len(splits["val"]) else "test"
        if name == "val":
            weights.append(network[0].weight.detach().clone())
        return real(network, arrays, *others) | {"auroc": auroc[name].pop(0)}

    monkeypatch.setattr(loop, "score_held_out", score_held_out)
    trained = train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt")
    assert trained.best_epoch == 2
    assert torch.equal(trained.weights["0.weight"], weights[1])


def assert_resumes_exactly(settings, splits, folder, monkeypatch):
    """Assert that a run that is killed after its second checkpoint and resumed equals an uninterrupted one."""
    uninterrupted = train_variant(settings, splits, CPU, folder / "uninterrupted.pt")
    real_save = TrainingState.save

    def save_and_die(training, path):
        real_save(training, path)
        if len(training.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        train_variant(settings, splits, CPU, folder / "killed.pt")
    monkeypatch.setattr(TrainingState, "save", real_save)
    resumed = train_variant(settings, splits, CPU, folder / "killed.pt", resume=True)
    assert without_seconds(resumed.history) == without_seconds(uninterrupted.history)
    assert resumed.best_epoch == uninterrupted.best_epoch
    for name, tensor in uninterrupted.weights.items():
        assert torch.equal(resumed.weights[name], tensor), name


def test_resumed_run_equals_an_uninterrupted_one(splits, tmp_path, tiny_network, monkeypatch):
    assert_resumes_exactly(SETTINGS, splits, tmp_path, monkeypatch)


def test_interrupted_write_leaves_the_previous_checkpoint(splits, tmp_path, tiny_network, monkeypatch):
    train_variant(replace(SETTINGS, recipe=Recipe(1, 1e-3, 4, 64)), splits, CPU, tmp_path / "c.pt")
    before = (tmp_path / "c.pt").read_bytes()

    def write_half(state, file):
        file.write(before[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        train_variant(replace(SETTINGS, recipe=Recipe(1, 1e-3, 4, 64)), splits, CPU, tmp_path / "c.pt")
    assert (tmp_path / "c.pt").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "c.pt"]


def test_training_resumes_after_a_full_disk(splits, small_disk, tmp_path_factory, tiny_network, monkeypatch):
    uninterrupted = train_variant(SETTINGS, splits, CPU, tmp_path_factory.mktemp("uninterrupted") / "c.pt")
    filler, real = small_disk / "filler", loop.train_epoch

    def fill_disk_and_train_epoch(training, *others):
        if len(training.history) == 1:  # After the first checkpoint.
            filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 4096))
        return real(training, *others)

    monkeypatch.setattr(loop, "train_epoch", fill_disk_and_train_epoch)
    with pytest.raises(InputError, match=r"c\.pt cannot be written.*disk is full.*--resume"):
        train_variant(SETTINGS, splits, CPU, small_disk / "c.pt")
    assert sorted(path.name for path in small_disk.iterdir()) == ["c.pt", "filler"]
    monkeypatch.setattr(loop, "train_epoch", real)
    filler.unlink()
    resumed = train_variant(SETTINGS, splits, CPU, small_disk / "c.pt", resume=True)
    assert without_seconds(resumed.history) == without_seconds(uninterrupted.history)
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in uninterrupted.weights.items())


@pytest.mark.parametrize(
    "change, named",
    [
        ({"seed": 5}, "seed 0, not 5"),
        ({"backbone": "resnet50"}, "backbone 'efficientnet_lite0', not 'resnet50'"),
        ({"recipe": Recipe(3, 1e-2, 4, 64)}, "learning_rate 0.001, not 0.01"),
        ({"data": "others"}, "data 'drawn', not 'others'"),
    ],
)
def test_checkpoint_of_other_settings_is_refused_by_name(splits, tmp_path, tiny_network, change, named):
    train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt")
    with pytest.raises(InputError, match=f"was written with {named}"):
        train_variant(replace(SETTINGS, **change), splits, CPU, tmp_path / "c.pt", resume=True)


def test_broken_checkpoint_is_named(splits, tmp_path, tiny_network):
    (tmp_path / "c.pt").write_text("text")
    with pytest.raises(InputError, match=r"checkpoint .*c\.pt cannot be read"):
        train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt", resume=True)


def test_without_validation_photos_the_last_epoch_is_selected(splits, tmp_path, tiny_network):
    splits["val"] = PhotoArrays(splits["val"].photos[:0], splits["val"].masks[:0])
    trained = train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt")
    assert trained.best_epoch == 3
    assert trained.history[0]["val"]["auroc"] is None


def test_one_photo_is_not_enough(splits, tmp_path, tiny_network):
    splits["train"] = PhotoArrays(splits["train"].photos[:1], splits["train"].masks[:1])
    with pytest.raises(InputError, match="Training needs at least 2 photos, but an epoch has 1"):
        train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt")


def test_bce_dice_loss_weighs_contours_three_times():
    """The left half is hair. In the first case, all pixels have the same error, so that weights cancel out."""
    logits, masks = torch.zeros(1, 4, 40), torch.zeros(1, 4, 40, dtype=torch.uint8)
    masks[..., :20] = 1
    assert bce_dice_loss(logits, masks).item() == pytest.approx(np.log(2) + 1 - 81 / 121, abs=1e-5)

    def cross_entropy_of_wrong_column(column):
        wrong = torch.where(masks == 1, 20.0, -20.0)
        wrong[..., column] *= -1
        return bce_dice_loss(wrong, masks).item() - 4 / 165  # Four of 84 pixels are wrongly called hair.

    assert cross_entropy_of_wrong_column(20) == pytest.approx(3 * cross_entropy_of_wrong_column(35), rel=1e-3)


def test_bce_dice_loss_ignores_padding():
    logits, masks = torch.randn(2, 8, 8), torch.randint(0, 2, (2, 8, 8), dtype=torch.uint8)
    padded_logits = torch.cat([logits, torch.full((2, 8, 12), 30.0)], dim=2)
    padded_masks = torch.cat([masks, torch.full((2, 8, 12), IGNORE, dtype=torch.uint8)], dim=2)
    assert bce_dice_loss(padded_logits, padded_masks).item() == pytest.approx(
        bce_dice_loss(logits, masks).item(), abs=1e-6
    )


@pytest.fixture
def modern(portraits) -> tuple[Settings, dict[str, PhotoArrays]]:
    recipe = replace(RECIPES["modern"]["random"], epochs=4, image_size=96, batch_size=4)
    dataset, pairs = find_pairs(portraits)
    sizes = {"train": recipe.source_size, "val": 96, "test": 96}
    splits = {
        name: load_arrays({dataset: [pair for pair in pairs if pair.split == name]}, Preprocessing(size), 1)
        for name, size in sizes.items()
    }
    return replace(SETTINGS, recipe=recipe), splits | {"scenes": splits["train"]}


def test_final_phase_has_its_own_augmentation(modern):
    settings, splits = modern
    recipe = settings.recipe
    augmentations = [
        epoch_loader(settings, splits, Preprocessing(64), epoch).dataset.augmentation for epoch in (1, 2, 3, 4)
    ]
    # Three tenths of four epochs, rounded up.
    assert augmentations == [recipe.augmentation] * 2 + [recipe.final_augmentation] * 2


@pytest.mark.slow
def test_modern_recipe_resumes_exactly_and_grows_its_input(modern, tmp_path, tiny_network, monkeypatch):
    settings, splits = modern
    sizes, real = [], loop.epoch_loader

    def record_size(settings, splits, preprocessing, *others):
        sizes.append(preprocessing.image_size)
        return real(settings, splits, preprocessing, *others)

    monkeypatch.setattr(loop, "epoch_loader", record_size)
    assert_resumes_exactly(settings, splits, tmp_path, monkeypatch)
    assert sizes == [64, 64, 96, 96, 64, 64, 96, 96]  # Uninterrupted, killed, resumed.


def test_first_epochs_train_at_two_thirds_of_the_size():
    recipe = RECIPES["modern"]["random"]
    assert [recipe.training_size(epoch) for epoch in (1, 15, 16, 26)] == [224, 224, 320, 320]
    assert RECIPES["paper"]["random"].training_size(1) == 256


def test_moving_average_warms_up():
    """The first update keeps 2/11 of the average, the second would keep 3/12 but is limited to the decay, 1/5."""
    network, averages = nn.Linear(1, 1, bias=False), []
    ema = AveragedModel(network, multi_avg_fn=ema_update(0.2))
    for value in (0, 1, 2):
        network.weight.data.fill_(value)
        ema.update_parameters(network)
        averages.append(ema.module.weight.item())
    assert averages == pytest.approx([0, 9 / 11, 97 / 55], rel=1e-5)


def test_selected_weights_and_statistics_are_the_moving_average(splits, tmp_path, tiny_network):
    """With a decay, the selected weights lag behind those of the last step; without, they are equal."""
    splits["val"] = PhotoArrays(splits["val"].photos[:0], splits["val"].masks[:0])  # The last epoch is selected.

    def trained(decay):
        recipe = Recipe(3, 1e-2, 4, 64, ema_decay=decay)
        train_variant(replace(SETTINGS, recipe=recipe), splits, CPU, tmp_path / f"{decay}.pt")
        return torch.load(tmp_path / f"{decay}.pt", weights_only=True)

    plain, smooth = trained(0.0), trained(0.9)
    assert plain["best"]["weights"].keys() == smooth["best"]["weights"].keys()
    assert smooth["ema"]["n_averaged"] == 6
    for name in ("0.weight", "1.running_mean"):
        assert torch.equal(plain["best"]["weights"][name], plain["network"][name])
        assert torch.equal(smooth["best"]["weights"][name], smooth["ema"][f"module.{name}"])
        assert not torch.equal(smooth["best"]["weights"][name], smooth["network"][name])
    assert smooth["best"]["weights"]["1.num_batches_tracked"] == smooth["network"]["1.num_batches_tracked"] == 6


def test_diverged_training_stops_and_keeps_the_last_good_checkpoint(splits, tmp_path, tiny_network, monkeypatch):
    real_update = TrainingState.update

    def update(training):
        real_update(training)
        if len(training.history) == 2:
            training.network[0].weight.data[0, 0, 0, 0] = torch.inf

    monkeypatch.setattr(TrainingState, "update", update)
    with pytest.raises(InputError, match=r"random diverged in epoch 3: .*c\.pt holds epoch 2.* below 0\.001"):
        train_variant(SETTINGS, splits, CPU, tmp_path / "c.pt")
    kept = torch.load(tmp_path / "c.pt", weights_only=True)
    assert len(kept["history"]) == 2
    assert all(tensor.isfinite().all() for tensor in kept["network"].values())
