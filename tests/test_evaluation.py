import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, mean_squared_error, roc_auc_score

from hairseg.datasets import find_pairs, load_arrays, load_pair
from hairseg.evaluation import evaluate, table
from hairseg.prediction import HairPredictor
from hairseg.training import Split


def test_scores_are_those_of_the_single_pixels(small_repository, portraits, tmp_path):
    predictor = HairPredictor(small_repository)
    dataset, pairs = find_pairs(portraits)
    arrays = Split(*load_arrays(pairs, dataset, predictor.config.preset, workers=1))
    metrics = evaluate(predictor, dataset, "all", pairs, arrays, tmp_path)

    truth, alphas = [], []
    for pair in pairs:  # drawn at 96 x 96; fitted to the network's 64 x 64 here by hand
        photo, mask = load_pair(pair, dataset)
        alphas.append(predictor.alphas(predictor.config.preset.fit_photo(photo))["random"].ravel())
        truth.append(predictor.config.preset.fit_mask(mask).ravel())
    truth, alphas = np.concatenate(truth), np.concatenate(alphas)
    scores = metrics["variants"]["random"]
    assert scores["auroc"] == pytest.approx(roc_auc_score(truth, alphas), abs=1e-4)
    assert scores["f1"] == pytest.approx(f1_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores["iou"] == pytest.approx(jaccard_score(truth, alphas >= 0.5), abs=1e-3)
    assert scores["mse"] == pytest.approx(mean_squared_error(truth, alphas), abs=1e-5)
    assert 0 <= scores["boundary_iou"] <= 1
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert metrics["images"] == len(pairs) and metrics["image_size"] == 64


def test_table_shows_the_papers_figures_beside_ours():
    scores = {"auroc": 0.98765, "f1": 0.9, "iou": 0.8, "mse": 0.05, "boundary_iou": 0.5}
    lines = table({"dataset": "celebamask-hq", "split": "test", "images": 205, "image_size": 256,
                   "variants": {"pretrained": scores, "random": {**scores, "auroc": None}}}).splitlines()
    assert lines[0] == "celebamask-hq, split test, 205 photos at 256 x 256"
    assert lines[2].split() == ["pretrained", "0.9877", "0.9816", "0.9000", "0.8000", "0.0500", "0.5000"]
    assert lines[3].split()[:3] == ["random", "-", "0.9683"]
