import json

import numpy as np
import pytest
from conftest import draw_figaro1k, draw_portrait
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score, mean_squared_error, roc_auc_score

from hairseg.data.datasets import find_pairs, find_scenes, load_pair, load_scenes
from hairseg.data.decoded import load_arrays
from hairseg.evaluation.evaluate import evaluate, in_scene, own_size_scores
from hairseg.evaluation.metrics import boundary_iou
from hairseg.evaluation.report import table
from hairseg.prediction import HairPredictor


def test_scores_are_those_of_the_single_pixels(small_repository, portraits):
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    arrays = load_arrays({dataset: pairs}, predictor.config.preset, workers=1)
    metrics = evaluate(predictor, dataset, "all", pairs, arrays)

    truth, alphas = [], []
    for pair in pairs:  # drawn at 96 x 96; fitted to the network's 64 x 64 here by hand
        photo, mask = load_pair(pair, dataset)
        alphas.append(predictor.alphas(predictor.config.preset.fit_photo(photo), refined=False)["random"].ravel())
        truth.append(predictor.config.preset.fit_mask(mask).ravel())
    truth, alphas = np.concatenate(truth), np.concatenate(alphas)
    scores = metrics["variants"]["random"]
    assert scores["auroc"] == pytest.approx(roc_auc_score(truth, alphas), abs=1e-4)
    assert scores["f1"] == pytest.approx(f1_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores["iou"] == pytest.approx(jaccard_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores["mse"] == pytest.approx(mean_squared_error(truth, alphas), abs=1e-5)
    assert 0 <= scores["boundary_iou"] <= 1
    bins = np.digitize(alphas, np.linspace(0, 1, 16)[1:-1])
    gaps = [abs(alphas[bins == b].mean() - truth[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    assert scores["calibration_error"] == pytest.approx(sum(gaps), abs=1e-3)
    json.dumps(metrics)
    assert metrics["images"] == len(pairs) and metrics["image_size"] == 64


def test_own_size_scores_are_those_of_the_alphas_a_user_gets(small_repository, portraits):
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    scores, hair_types, per_photo = own_size_scores(predictor, dataset, pairs)
    loaded = [load_pair(pair, dataset) for pair in pairs]
    for refined, found in ((True, scores["random"]), (False, scores["random"]["unrefined"])):
        predictions = [predictor.alphas(photo, refined)["random"] >= 0.5 for photo, _ in loaded]
        masks = [mask for _, mask in loaded]
        one, other = np.concatenate(masks, axis=None), np.concatenate(predictions, axis=None)
        assert found["f1"] == pytest.approx(f1_score(one, other)) and found["iou"] == pytest.approx(
            jaccard_score(one, other)
        )
        assert found["boundary_iou"] == pytest.approx(np.mean([boundary_iou(p, m) for p, m in zip(predictions, masks)]))
        if refined:
            assert per_photo["random"] == pytest.approx(
                [f1_score(m.ravel(), p.ravel()) for p, m in zip(predictions, masks)]
            )
    assert hair_types == {}


@pytest.mark.parametrize("part", [1, 2, 3, 5])
def test_a_photo_in_a_scene_is_its_part_of_it(part):
    photo, mask = draw_portrait(3)
    scene = np.full((60, 90, 3), (0, 255, 0), np.uint8)
    canvas, canvas_mask = in_scene(photo[:64], mask[:64], scene, part, "3")
    assert canvas.shape == (1024, 1024, 3) and canvas_mask.shape == (1024, 1024)
    rows, columns = np.nonzero((canvas != (0, 255, 0)).any(2))
    assert columns.max() - columns.min() + 1 == round(1024 / part)
    assert rows.max() - rows.min() + 1 == pytest.approx(1024 / part * 64 / 96, abs=1)
    assert canvas_mask.sum() == pytest.approx(mask[:64].sum() * (1024 / part / 96) ** 2, rel=0.02)
    assert np.array_equal(in_scene(photo[:64], mask[:64], scene, part, "3")[0], canvas)


def test_scenes_add_framing_and_hair_free_photos(small_repository, portraits, tmp_path):
    for name in "ab":
        Image.new("RGB", (48, 32), "green").save(tmp_path / f"{name}.jpg")
    predictor = HairPredictor(small_repository, ["random"])
    predictor.networks["random"].classifier[-1].bias.data.fill_(-20)  # sure that there is no hair anywhere
    dataset, pairs = find_pairs(portraits)
    arrays = load_arrays({dataset: pairs[:2]}, predictor.config.preset, workers=1)
    metrics = evaluate(
        predictor, dataset, "all", pairs[:2], arrays, load_scenes(find_scenes(tmp_path)), tmp_path / "out"
    )
    assert metrics["hairless"] == {"images": 2, "variants": {"random": {"mean": 0.0, "worst": 0.0}}}
    assert metrics["framing"].keys() == {"1/1", "1/2", "1/3", "1/5"} and metrics["framing"]["1/5"]["random"]["f1"] == 0
    for name in ("worst", "figures/reliability", "figures/roc"):
        with Image.open(tmp_path / "out" / f"{name}.png") as figure:
            assert np.asarray(figure.convert("L")).std() > 5
    assert "photo 1/3 of a scene" in table(metrics) and "scenes without people" in table(metrics)


def test_hair_types_are_scored_apart(small_repository, tmp_path):
    draw_figaro1k(tmp_path, [], [1, 460, 461])
    predictor = HairPredictor(small_repository, ["random"])
    dataset, pairs = find_pairs(tmp_path)
    _, hair_types, per_photo = own_size_scores(predictor, dataset, pairs)
    assert {kind: part["images"] for kind, part in hair_types.items()} == {"straight": 1, "kinky": 2}
    assert hair_types["straight"]["variants"]["random"]["f1"] == per_photo["random"][0]


def test_table_shows_the_papers_figures_beside_ours():
    scores = {"auroc": 0.98765, "f1": 0.9, "iou": 0.8, "mse": 0.05, "boundary_iou": 0.5, "calibration_error": 0.012}
    own = {"f1": 0.9, "iou": 0.8, "boundary_iou": 0.6}
    lines = table(
        {
            "dataset": "celebamask-hq",
            "split": "test",
            "images": 205,
            "image_size": 256,
            "variants": {"pretrained": scores, "random": {**scores, "auroc": None}},
            "own_size": {"pretrained": own | {"unrefined": own}},
        }
    ).splitlines()
    assert lines[0] == "celebamask-hq, split test, 205 photos at 256 x 256"
    assert lines[2].split() == ["pretrained", "0.9877", "0.9816", "0.9000", "0.8000", "0.0500", "0.5000", "0.0120"]
    assert lines[3].split()[:3] == ["random", "-", "0.9683"]
