import json

import numpy as np
import pytest
import torch
from conftest import draw_figaro1k, draw_portrait
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score, mean_squared_error, roc_auc_score

from hairseg.data.datasets import find_pairs, find_scenes, load_pair, load_scenes
from hairseg.data.decoded import load_arrays
from hairseg.evaluation.evaluate import _draw_photos, evaluate
from hairseg.evaluation.framing import paste_into_scene, score_hairless
from hairseg.evaluation.full_resolution import score_full_resolution
from hairseg.evaluation.metrics import boundary_iou
from hairseg.evaluation.report import format_report
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import FalseHair, FullResolutionScores, HairlessScores, HairlessType, Metrics, Scores


def test_scores_match_scikit_learn(small_repository, portraits, accept_all_components):
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    arrays = load_arrays({dataset: pairs}, predictor.config.preprocessing, workers=1)
    metrics = evaluate(predictor, "all", {dataset: pairs}, {dataset: arrays})

    truth, alphas = [], []
    for pair in pairs:  # drawn at 96 x 96; fitted to the network's 64 x 64 here by hand
        photo, mask = load_pair(pair, dataset)
        square = predictor.config.preprocessing.fit_photo(photo)
        alphas.append(predictor.submit(square)["random"].result().alpha(square, refined=False).ravel())
        truth.append(predictor.config.preprocessing.fit_mask(mask).ravel())
    truth, alphas = np.concatenate(truth), np.concatenate(alphas)
    scores = metrics.variants["random"]
    assert scores.auroc == pytest.approx(roc_auc_score(truth, alphas), abs=1e-4)
    assert scores.f1 == pytest.approx(f1_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores.iou == pytest.approx(jaccard_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores.mse == pytest.approx(mean_squared_error(truth, alphas), abs=1e-5)
    assert 0 <= scores.boundary_iou <= 1
    bins = np.digitize(alphas, np.linspace(0, 1, 16)[1:-1])
    gaps = [abs(alphas[bins == b].mean() - truth[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    assert scores.calibration_error == pytest.approx(sum(gaps), abs=1e-3)
    json.dumps(metrics.to_json())
    assert metrics.images == len(pairs) and metrics.image_size == 64


def test_full_resolution_scores_match_the_predicted_alphas(small_repository, portraits, tmp_path, monkeypatch):
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    full_resolution = score_full_resolution(predictor, dataset, pairs)
    scores = full_resolution.variants
    loaded = [load_pair(pair, dataset) for pair in pairs]
    for refined, found in ((True, scores["random"]), (False, scores["random"].unrefined)):
        found_alphas = [predictor.submit(photo)["random"].result().alpha(photo, refined) for photo, _ in loaded]
        predictions = [alpha >= 0.5 for alpha in found_alphas]
        masks = [mask for _, mask in loaded]
        alphas = np.concatenate(found_alphas, axis=None)
        assert found.auroc == pytest.approx(roc_auc_score(np.concatenate(masks, axis=None), alphas), abs=1e-4)
        false_hair = np.mean(np.concatenate(predictions, axis=None) & ~np.concatenate(masks, axis=None))
        assert found.false_hair == pytest.approx(false_hair)
        one, other = np.concatenate(masks, axis=None), np.concatenate(predictions, axis=None)
        assert found.f1 == pytest.approx(f1_score(one, other)) and found.iou == pytest.approx(jaccard_score(one, other))
        assert found.boundary_iou == pytest.approx(
            np.mean([boundary_iou(p, m) for p, m in zip(predictions, masks, strict=True)])
        )
        f1 = [f1_score(mask.ravel(), found.ravel()) for found, mask in zip(predictions, masks, strict=True)]
        assert found.median_f1 == pytest.approx(np.median(f1))
    assert full_resolution.hair_types == full_resolution.groups == {}  # all of them heads
    of_first = [predictor.alphas(photo)["pretrained"] >= 0.5 for photo, _ in loaded]
    f1 = [f1_score(mask.ravel(), found.ravel()) for found, (_, mask) in zip(of_first, loaded, strict=True)]
    by_f1 = sorted(range(len(pairs)), key=lambda index: f1[index])
    assert full_resolution.f1_per_photo == pytest.approx(f1)
    drawn = {}
    monkeypatch.setattr(f"{evaluate.__module__}.draw_worst", lambda _, rows: drawn.update(worst=rows))
    monkeypatch.setattr(f"{evaluate.__module__}.draw_comparison", lambda _, rows: drawn.update(comparisons=rows))
    _draw_photos(predictor, dataset, pairs, full_resolution.f1_per_photo, ModelRepository(tmp_path))
    assert [row[0] for row in drawn["worst"]] == [f"{pairs[index].id}, F1 {f1[index]:.2f}" for index in by_f1[:12]]
    assert np.array_equal(drawn["worst"][0][3], of_first[by_f1[0]])
    assert len(drawn["comparisons"]) == 4 and np.array_equal(drawn["comparisons"][1][1], loaded[3][0])


def test_every_network_runs_once_per_photo(small_repository, portraits):
    """Refinement reuses the same forward pass."""
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    preprocessing, seen = predictor.config.preprocessing, []
    predictor.networks["random"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].clone()))
    score_full_resolution(predictor, dataset, pairs[:3])
    squares = [torch.from_numpy(preprocessing.fit_photo(load_pair(pair, dataset)[0])) for pair in pairs[:3]]
    assert [
        sum(torch.equal(square, preprocessing.normalise(photo[None])[0]) for square in seen) for photo in squares
    ] == [1] * 3


@pytest.mark.parametrize("divisor", [1, 2, 3, 5])
def test_pasted_photo_fills_its_fraction_of_the_scene(divisor):
    photo, mask = draw_portrait(3)
    scene = np.full((60, 90, 3), (0, 255, 0), np.uint8)
    canvas, canvas_mask = paste_into_scene(photo[:64], mask[:64], scene, divisor, "3")
    assert canvas.shape == (1024, 1024, 3) and canvas_mask.shape == (1024, 1024)
    rows, columns = np.nonzero((canvas != (0, 255, 0)).any(2))
    assert columns.max() - columns.min() + 1 == round(1024 / divisor)
    assert rows.max() - rows.min() + 1 == pytest.approx(1024 / divisor * 64 / 96, abs=1)
    assert canvas_mask.sum() == pytest.approx(mask[:64].sum() * (1024 / divisor / 96) ** 2, rel=0.02)
    assert np.array_equal(paste_into_scene(photo[:64], mask[:64], scene, divisor, "3")[0], canvas)


def test_scenes_add_framing_and_hairless_scores(small_repository, portraits, tmp_path):
    for name in "ab":
        Image.new("RGB", (48, 32), "green").save(tmp_path / f"{name}.jpg")
    predictor = HairPredictor(small_repository, ["random"])
    predictor.networks["random"].classifier[-1].bias.data.fill_(-20)  # no hair anywhere
    dataset, pairs = find_pairs(portraits)
    arrays = load_arrays({dataset: pairs[:2]}, predictor.config.preprocessing, workers=1)
    metrics = evaluate(
        predictor,
        "all",
        {dataset: pairs[:2]},
        {dataset: arrays},
        load_scenes(find_scenes(tmp_path)),
        ModelRepository(tmp_path / "out"),
    )
    nothing = {"random": FalseHair(mean=0.0, worst=0.0)}
    kinds = {tmp_path.name: HairlessType(images=2, variants=nothing)}
    assert metrics.hairless == HairlessScores(images=2, variants=nothing, kinds=kinds)
    assert metrics.framing.keys() == {"1/1", "1/2", "1/3", "1/5"} and metrics.framing["1/5"]["random"].f1 == 0
    for name in ("worst", "figures/reliability", "figures/roc", "figures/precision_recall"):
        with Image.open(tmp_path / "out" / f"{name}.png") as figure:
            figure.verify()
    report = format_report(metrics)
    assert "Small heads: a third of the picture, 2 photos" in report and "2 photos without people" in report
    assert "Portraits, 2 photos" in report and "Nobody in the picture, 2 photos" in report


def test_types_of_scenes_are_scored_apart_the_worst_first():
    dark, light = np.zeros((4, 4, 3)), np.full((4, 4, 3), 255)
    scenes = {"rooms": [dark, dark], "animals": [dark, light, light]}
    scores = score_hairless(lambda photo: {"one": photo[..., 0] / 255}, 0.5, scenes)
    assert scores.images == 5 and (scores.variants["one"].mean, scores.variants["one"].worst) == (0.4, 1.0)
    assert scores.variants["one"].mean_interval == (0.0, 0.8)  # of five photos, two are wrong
    assert list(scores.kinds) == ["animals", "rooms"]
    assert scores.kinds["animals"].images == 3 and scores.kinds["animals"].variants["one"].worst == 1.0
    assert scores.kinds["animals"].variants["one"].mean == pytest.approx(2 / 3)


def test_groups_are_scored_apart_the_worst_first(small_repository, tmp_path):
    """Hats, hairless heads and framings; unlabelled pixels are ignored."""
    photo, hair = draw_portrait(1)
    small = np.zeros((96, 96), bool)
    small[:20, :20] = True
    masks = {"hat-1": hair, "other-1": hair, "bare-1": np.zeros_like(hair), "street": small}
    for part in ("photos", "masks"):
        (tmp_path / "mine" / part).mkdir(parents=True)
    for name, mask in masks.items():
        labels = np.where(mask, 255, 0).astype(np.uint8)
        labels[:, 60:] = 128
        Image.fromarray(photo).save(tmp_path / "mine" / "photos" / f"{name}.png")
        Image.fromarray(labels).save(tmp_path / "mine" / "masks" / f"{name}.png")
    predictor = HairPredictor(small_repository, ["random"])
    dataset, pairs = find_pairs(tmp_path / "mine")
    full_resolution = score_full_resolution(predictor, dataset, pairs)
    groups = full_resolution.groups
    assert {group: scores.images for group, scores in groups.items()} == {
        "hats": 1, "hairless": 1, "head": 1, "whole person": 1
    }  # fmt: skip
    found = predictor.alphas(photo)["random"][:, :60] >= 0.5
    assert groups["hairless"].variants["random"].false_hair == pytest.approx(found.mean())
    assert groups["hats"].variants["random"].f1 == pytest.approx(f1_score(hair[:, :60].ravel(), found.ravel()))
    assert groups["hairless"].variants["random"].f1 is None
    ranks = [
        1 - scores.variants["random"].false_hair if group == "hairless" else scores.variants["random"].f1
        for group, scores in groups.items()
    ]
    assert ranks == sorted(ranks)
    f1 = [f1_score(mask[:, :60].ravel(), found.ravel()) for name, mask in masks.items() if name != "bare-1"]
    assert full_resolution.variants["random"].median_f1 == pytest.approx(np.median(f1))


def test_hair_types_are_scored_apart(small_repository, tmp_path):
    draw_figaro1k(tmp_path, [], [1, 460, 461])
    predictor = HairPredictor(small_repository, ["random"])
    dataset, pairs = find_pairs(tmp_path)
    hair_types = score_full_resolution(predictor, dataset, pairs).hair_types
    assert {hair_type: scores.images for hair_type, scores in hair_types.items()} == {"straight": 1, "kinky": 2}
    photo, mask = load_pair(pairs[0], dataset)
    found = predictor.alphas(photo)["random"] >= 0.5
    assert hair_types["straight"].variants["random"].f1 == pytest.approx(f1_score(mask.ravel(), found.ravel()))


def write_dataset(folder, masks):
    """Write photos with these bool masks, by name, in the layout "folder"."""
    photo, _ = draw_portrait(1)
    for part in ("photos", "masks"):
        (folder / part).mkdir(parents=True)
    for name, mask in masks.items():
        Image.fromarray(photo).save(folder / "photos" / f"{name}.png")
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    return find_pairs(folder)


def test_types_of_photos_are_scored_over_all_data_sets(small_repository, tmp_path):
    """Data sets labelled by agreement are scored separately."""
    photo, hair = draw_portrait(1)
    other = np.roll(hair, 9, axis=1)
    datasets = dict(
        [
            write_dataset(tmp_path / "street", {"1": hair, "hat-1": other, "hairtype-kinky-1": hair}),
            write_dataset(tmp_path / "club", {"hat-2": hair, "bare-1": np.zeros_like(hair)}),
            write_dataset(tmp_path / "everyday", {"hat-3": hair, "group-1": hair}),
        ]
    )
    predictor = HairPredictor(small_repository, ["random"])
    arrays = {
        name: load_arrays({name: pairs}, predictor.config.preprocessing, workers=1) for name, pairs in datasets.items()
    }
    metrics = evaluate(predictor, "all", datasets, arrays)
    assert [part.dataset for part in (metrics, *metrics.others)] == ["street", "club", "everyday"]
    found = {(scored.name, *scored.datasets): scored for scored in metrics.by_photo_type()}
    assert {key: scored.images for key, scored in found.items()} == {
        ("Portraits", "street"): 2,
        ("Coily and Afro hair", "street"): 1,
        ("Hats and headwear", "street", "club"): 2,
        ("Hairless people", "club"): 1,
        ("Hats and headwear", "everyday"): 1,
        ("Groups of people", "everyday"): 1,
    }
    prediction = predictor.alphas(photo)["random"] >= 0.5
    hats = found["Hats and headwear", "street", "club"].scores("random")
    assert hats.f1 == pytest.approx(f1_score(np.append(other, hair), np.append(prediction, prediction)))
    assert hats.f1_interval is None  # two photos are too few
    by_agreement = [scored.name for scored in found.values() if scored.is_labelled_by_agreement]
    assert sorted(by_agreement) == ["Groups of people", "Hats and headwear"]
    report = format_report(metrics)
    assert report.index("Portraits, 2 photos") < report.index("not drawn by people") < report.index("Groups of people")
    assert Metrics.model_validate(json.loads(json.dumps(metrics.to_json()))) == metrics


def test_report_shows_the_paper_beside_ours():
    scores = Scores(auroc=0.98765, f1=0.9, iou=0.8, mse=0.05, boundary_iou=0.5, calibration_error=0.012)
    refined, unrefined = {"f1": 0.9, "iou": 0.8, "boundary_iou": 0.6}, Scores(f1=0.85, iou=0.75, boundary_iou=0.4)
    metrics = Metrics(
        dataset="celebamask-hq",
        split="test",
        images=205,
        image_size=256,
        variants={"pretrained": scores, "random": scores.model_copy(update={"auroc": None})},
        full_resolution={"pretrained": FullResolutionScores(**refined, unrefined=unrefined)},
    )
    lines = [line.split() for line in format_report(metrics).splitlines()]
    assert " ".join(lines[0]) == "celebamask-hq, split test, 205 photos at 256 x 256"
    assert lines[2] == ["pretrained", "0.9877", "0.9816", "0.9000", "0.8000", "0.0500", "0.5000", "0.0120"]
    assert lines[3][:3] == ["random", "-", "0.9683"]
    assert ["refined", "pretrained", "0.9000", "0.8000", "0.6000"] in lines
    assert ["not", "refined", "pretrained", "0.8500", "0.7500", "0.4000"] in lines
