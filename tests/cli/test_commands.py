"""Commands from end to end: training on drawn portraits, evaluation, prediction and user mistakes."""

import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, draw_figaro1k, draw_portrait, run_here, run_python
from PIL import Image

from hairseg.data.augmentation import Augmentation
from hairseg.repository import ModelRepository


def error_line(*words, run=run_here) -> str:
    """Run a command that fails with exit code 2; return its only line on standard error."""
    done = run(*words, rc=2)
    assert done.stdout == "" and "Traceback" not in done.stderr
    lines = done.stderr.replace("\r", "\n").strip().splitlines()
    lines = [line for line in lines if not line.startswith("reading photos")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def trained(portraits, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "drawn"
    done = run_python(
        *("train.py", "--data", portraits, "--backbone", "efficientnet_lite0", "--init", "random", "--epochs", 2),
        *("--learning-rate", 2e-3, "--batch-size", 4, "--image-size", 64, "--output", output),
    )
    return output, done


def test_training_writes_a_valid_repository(trained, portraits):
    output, done = trained
    config = ModelRepository(output).validate()
    entry = config.variants["random"]
    assert entry.images == {"train": 9, "val": 1, "test": 3, "scenes": 0} and entry.datasets == ["celebamask-hq"]
    assert (entry.epochs, entry.batch_size, entry.learning_rate, entry.loss) == (2, 4, 2e-3, "mse")
    history = json.loads((output / "random" / "history.json").read_text())
    assert [record["epoch"] for record in history] == [1, 2]
    best = max(history, key=lambda record: record["test"]["auroc"])
    assert (entry.best_test_epoch.epoch, entry.best_test_epoch.auroc) == (best["epoch"], best["test"]["auroc"])
    chosen = max(reversed(history), key=lambda record: record["val"]["auroc"])
    assert entry.best_epoch == chosen["epoch"] and entry.selected_by == "auroc on val"
    assert str(output.parent) not in (output / "config.json").read_text()
    options = (
        "--backbone efficientnet_lite0 --init random --epochs 2 --learning-rate 0.002 --batch-size 4 --image-size 64"
    )
    assert entry.command == f"hairseg train --data {portraits.name} {options} --output drawn"
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["images"] == 3 and metrics["split"] == "test" and metrics["image_size"] == 64
    assert f"{metrics['variants']['random']['auroc']:.4f}" in (output / "README.md").read_text()
    for name in ("figure3", "figure4", "figure5", "roc", "precision_recall", "reliability"):
        with Image.open(output / "figures" / f"{name}.png") as figure:
            assert np.asarray(figure.convert("L")).std() > 5
    assert not (output / "checkpoints").exists()
    for epoch in (1, 2):
        assert (
            f"pretrained epoch {epoch}/2: train loss" in done.stdout and f"random epoch {epoch}/2: train" in done.stdout
        )
    assert "0.9816" in done.stdout and "0.9683" in done.stdout  # AUROC in the paper


def test_evaluation_repeats_the_scores_of_training(trained, portraits, tmp_path):
    """The scores of the first data set are the same; types of photos also count the second one."""
    output, _ = trained
    draw_figaro1k(tmp_path / "figaro", [], [500])
    words = ["--data", portraits, tmp_path / "figaro", "--repo", output, "--output", tmp_path / "scores"]
    done = run_python("evaluate.py", *words)
    expected = json.loads((output / "metrics.json").read_text())
    found = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    (other,) = found["others"]
    assert found | {"others": [], "photo_types": expected["photo_types"]} == expected
    assert other["dataset"] == "figaro1k" and other["images"] == 1
    types = {scores["group"]: (scores["images"], scores["datasets"]) for scores in found["photo_types"]}
    assert types == {"head": (4, ["celebamask-hq", "figaro1k"]), "kinky": (1, ["figaro1k"])}
    assert "pretrained" in done.stdout and "0.9816" in done.stdout and "Portraits, 4 photos" in done.stdout
    assert (tmp_path / "scores" / "figures" / "roc.png").stat().st_size > 1000


def test_a_full_disk_ends_evaluation_and_training_with_one_line(trained, portraits, small_disk, monkeypatch):
    def last_line(*words) -> str:
        errors = run_here(*words, rc=2).stderr
        assert errors.count("error:") == 1 and "Traceback" not in errors
        return errors.strip().splitlines()[-1]

    words = ("evaluate.py", "--data", portraits, "--repo", trained[0])
    assert last_line(*words, "--output", small_disk / "out").endswith("is full. Free some space and try again.")
    assert not (small_disk / "out" / "metrics.json").exists()
    (small_disk / "fill").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with monkeypatch.context() as patch:
        patch.setenv("HAIRSEG_CACHE", str(small_disk / "cache"))
        assert last_line(*words).endswith("is full. Free some space, or choose another folder with HAIRSEG_CACHE.")
    words = ("--backbone", "efficientnet_lite0", "--init", "random", "--epochs", 1, "--image-size", 64)
    stopped = last_line("train.py", "--data", portraits, *words, "--output", small_disk / "run")
    assert stopped.endswith("is full. Free some space or change permissions, then continue with --resume.")
    assert not [path for path in (small_disk / "run").rglob("*") if path.is_file()]


def test_earlier_training_is_not_overwritten(trained, portraits):
    output, _ = trained
    assert "holds an earlier training" in error_line("train.py", "--data", portraits, "--output", output)
    assert "is finished" in error_line("train.py", "--data", portraits, "--output", output, "--resume")


def test_modern_recipe_on_two_data_sets_and_scenes(portraits, tmp_path):
    draw_figaro1k(tmp_path / "figaro", [1, 2, 3], [500, 501])
    for index in (1, 2, 8, 36):  # train, train, test, val
        path = tmp_path / "scenes" / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(path)
    output = tmp_path / "run"
    words = (
        *("train.py", "--data", portraits, tmp_path / "figaro", "--scenes", tmp_path / "scenes", "--recipe", "modern"),
        *("--backbone", "efficientnet_lite0", "--epochs", 2, "--batch-size", 4, "--image-size", 64),
        *("--variants", "random"),
    )
    done = run_here(*words, "--output", output)
    entry = ModelRepository(output).validate().variants["random"]
    assert entry.datasets == ["celebamask-hq", "figaro1k"] and entry.images["train"] >= 9 + 2
    assert entry.images["test"] == entry.images["scenes"] == 3
    assert (entry.loss, entry.optimiser, entry.schedule, entry.augmentation["distant_scale"]) == (
        "bce-dice",
        "adamw",
        "one-cycle",
        [*Augmentation.distant_scale],
    )
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["dataset"] == "celebamask-hq" and metrics["framing"].keys() == {"1/1", "1/2", "1/3", "1/5"}
    assert [part["dataset"] for part in metrics["others"]] == ["figaro1k"] and metrics["others"][0]["images"] == 2
    assert metrics["others"][0]["hair_types"]["kinky"]["images"] == 2
    card = (output / "README.md").read_text()
    assert (
        f"{metrics['full_resolution']['random']['boundary_iou']:.4f}" in card
        and "| Coily and Afro hair | 2 | Figaro1k |" in card
        and "| Small heads: a fifth of the picture | 3 | CelebAMask-HQ |" in card
    )
    assert "figaro1k, split test, 2 photos" in done.stdout and "photos without people" in done.stdout
    assert "is a second data set with the name celebamask-hq" in error_line(
        "train.py", "--data", portraits, portraits, "--output", tmp_path / "other"
    )


def test_fine_tuning_on_a_folder_of_photos(trained, tmp_path):
    start, _ = trained
    photo, hair = draw_portrait(1)
    small = np.where(hair, 255, 0).astype(np.uint8)
    small[:, 40:] = small[30:] = 0  # little hair, so that zoomed crops are added
    for name in "abcdefghij":
        for part, picture in (("photos", photo), ("masks", small)):
            (tmp_path / "street" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "street" / part / f"{name}.png")
    for folder in ("rooms", "animals"):
        for index in (1, 2, 8, 36):
            path = tmp_path / folder / f"{index}.jpg"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(photo[60:]).save(path)
    words = (
        "train.py", "--data", tmp_path / "street", "--scenes", tmp_path / "rooms", tmp_path / "animals",
        "--start", start, "--recipe", "finetune", "--backbone", "efficientnet_lite0", "--epochs", 1,
        "--learning-rate", 1e-9, "--batch-size", 2, "--image-size", 64,
        "--variants", "random", "--output", tmp_path / "run", "--weights",
    )  # fmt: skip
    assert "street/hats" in error_line(*words, "street/hats=2")
    run_here(*words, "street/head=0.5", "animals=2")
    entry = ModelRepository(tmp_path / "run").validate().variants["random"]
    assert entry.init == "random" and entry.weights == {"street/head": 0.5, "animals": 2.0}
    assert "--scenes rooms animals --weights street/head=0.5 animals=2 --start drawn" in entry.command
    assert entry.started_from == ModelRepository(start).validate().variants["random"] and entry.images["train"] > 10
    before, after = (
        ModelRepository(folder).load_network("random").state_dict() for folder in (start, tmp_path / "run")
    )
    name = "classifier.4.weight"
    np.testing.assert_allclose(after[name], before[name], atol=1e-3)  # the learning rate is tiny
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["hairless"]["kinds"]) == {"rooms", "animals"}
    assert ", trained with recipe `paper` on celebamask-hq" in (tmp_path / "run" / "README.md").read_text()
    line = error_line(*words[:-3], "--init", "imagenet", "--output", tmp_path / "other")
    assert "--start and --init exclude each other" in line


def test_killed_training_is_resumed(portraits, tmp_path):
    words = (
        *("train.py", "--data", portraits, "--backbone", "efficientnet_lite0", "--init", "random", "--epochs", 3),
        *("--limit", 4, "--batch-size", 4, "--image-size", 32, "--variants", "random", "--output", tmp_path / "run"),
    )
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert "random epoch 1/3: train" in process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert "holds an earlier training" in error_line(*words)
    done = run_here(*words, "--resume")
    assert "random: resumed after epoch" in done.stdout and "epoch 3/3: train" in done.stdout
    assert len(json.loads((tmp_path / "run" / "random" / "history.json").read_text())) == 3
    ModelRepository(tmp_path / "run").load_network("random")


def test_unreadable_photo_does_not_stop_the_others(trained, tmp_path):
    output, _ = trained
    for seed, size in ((1, 96), (2, 130)):
        Image.fromarray(draw_portrait(seed, size)[0][: size - 20]).save(tmp_path / f"person{seed}.png")
    (tmp_path / "text.jpg").write_text("text")
    photos = [tmp_path / name for name in ("person1.png", "text.jpg", "person2.png")]
    out = tmp_path / "out"
    done = run_python("-m", "hairseg", *photos, "--repo", output, "--output", out, "--colour", "#8e24aa", rc=1)
    assert "text.jpg is not a picture" in done.stderr and "Traceback" not in done.stderr
    for seed, (width, height) in ((1, (96, 76)), (2, (130, 110))):
        for kind, mode in (("alpha", "L"), ("cutout", "RGBA"), ("recoloured", "RGB")):
            with Image.open(out / f"person{seed}.{kind}.png") as picture:
                assert (picture.mode, picture.size) == (mode, (width, height))
    alpha = np.asarray(Image.open(out / "person1.alpha.png"))
    cutout = np.asarray(Image.open(out / "person1.cutout.png"))
    np.testing.assert_array_equal(cutout[..., 3], alpha)


def test_mistakes_print_one_line(tmp_path):
    photo = tmp_path / "a.png"
    Image.fromarray(draw_portrait(1)[0]).save(photo)
    (tmp_path / "empty").mkdir()
    assert "config.json is missing" in error_line("-m", "hairseg", photo, "--repo", tmp_path / "empty")
    assert "A PHOTO is empty" in error_line("-m", "hairseg", "")
    assert "--epochs is 0. Choose a number above 0." in error_line("train.py", "--data", tmp_path, "--epochs", 0)
    assert "Choose a number up to 4294967295." in error_line("train.py", "--data", tmp_path, "--seed", 10**25)
    assert "a.png/run is not a folder" in error_line("train.py", "--data", tmp_path, "--output", photo / "run")
    assert "--limit is 0." in error_line("train.py", "--data", tmp_path, "--limit", 0)
    assert "--weights 'animals=0' is invalid" in error_line("train.py", "--data", tmp_path, "--weights", "animals=0")
    assert "Name one with --start" in error_line("train.py", "--data", tmp_path, "--recipe", "finetune")
    for device in ("warp", "meta"):
        assert f"device '{device}' is not available" in error_line(
            "evaluate.py", "--data", tmp_path, "--device", device
        )
    for option in ("backbone", "recipe", "dataset", "variants", "precision"):
        line = error_line("train.py", "--data", tmp_path, f"--{option}", "vgg16")
        assert f"--{option} 'vgg16' is unknown. Choose one of " in line
    assert "empty" in error_line("evaluate.py", "--data", tmp_path / "empty")
    assert "is not a folder" in error_line("train.py", "--data", tmp_path / "gone")


def test_mistakes_print_one_line_in_separate_processes(tmp_path):
    photo = tmp_path / "a.png"
    Image.fromarray(draw_portrait(1)[0]).save(photo)
    line = error_line("-m", "hairseg", photo, "--colour", "mauve-ish", run=run_python)
    assert "'mauve-ish' is not a colour" in line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = error_line("app.py", "--port", taken.getsockname()[1], run=run_python)
    assert "cannot be used. Choose another --port" in line
