"""The tab of scores holds what the repository's files hold."""

import json
import shutil
from pathlib import Path

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

from hairseg.page.scores import (
    aurocs_of,
    card_of,
    groups_of,
    history_of,
    history_plot,
    history_table,
    how_good,
    metrics_of,
    roc_of,
    scores_of,
    tables_of,
    transfer_of,
)
from hairseg.paper import PAPER_AUROC
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.metrics import Metrics

METRICS = json.loads((BUNDLED / "metrics.json").read_text())
BUNDLED_METRICS = ModelRepository(BUNDLED).metrics()


def test_the_table_is_the_bundled_metrics_beside_the_papers():
    table = tables_of(BUNDLED_METRICS)
    for variant, scores in METRICS["variants"].items():
        (row,) = (line for line in table.splitlines() if line.startswith(f"| {variant} |"))
        cells = [float(cell) for cell in row.split("|")[2:8]]
        names = ("auroc", "f1", "iou", "mse", "boundary_iou")
        assert cells == [*(round(scores[name], 4) for name in names), PAPER_AUROC[variant]]
    assert aurocs_of(BUNDLED_METRICS) == {
        variant: f"{scores['auroc']:.4f}" for variant, scores in METRICS["variants"].items()
    }


def test_groups_are_those_of_every_data_set_that_was_scored_the_worst_first():
    types = {"kinky": {"images": 3, "variants": {"pretrained": {"f1": 0.5, "false_hair": 0.012}}}}
    metrics = Metrics.model_validate(
        {
            "dataset": "celebamask-hq",
            "framing": {"1/2": {"pretrained": {"f1": 0.91}, "random": {"f1": 0.82}}},
            "hairless": {
                "kinds": {
                    "animals": {"variants": {"pretrained": {"mean": 0.0}, "random": {"mean": 0.25}}},
                    "flowers": {"variants": {"pretrained": {"mean": 0.001}, "random": {"mean": 0.0}}},
                }
            },
            "others": [{"dataset": "figaro1k", "hair_types": types}],
            "groups": {
                "hats": {"images": 2, "variants": {"random": {"f1": 0.25}}},
                "bare": {"images": 1, "variants": {"pretrained": {"f1": None, "false_hair": 0.5}}},
                "none": {"images": 1, "variants": {}},
            },
        }
    )
    assert groups_of(metrics).partition("\n")[0].endswith("false hair: pixels wrongly called hair.")
    assert groups_of(metrics).splitlines()[4:] == [
        "| hats, celebamask-hq, 2 photos |  | 0.2500 |  |  |",
        "| hair: kinky, figaro1k, 3 photos | 0.5000 |  | 1.20 % |  |",
        "| photo 1/2 of a scene, celebamask-hq | 0.9100 | 0.8200 |  |  |",
        "| bare, celebamask-hq, 1 photo |  |  | 50.00 % |  |",
        "| no people: flowers |  |  | 0.10 % | 0.00 % |",
        "| no people: animals |  |  | 0.00 % | 25.00 % |",
    ]
    assert groups_of(Metrics(dataset="x")) == ""


def test_the_curve_over_photos_is_shown_where_there_is_one():
    f1 = {"pretrained": {"50": 0.8, "200": 0.9}, "random": {"50": 0.5, "200": 0.85}}
    curve = transfer_of(Metrics(transfer={"f1": f1}))
    assert curve.to_dict("list") == {
        "training photos": [50, 200, 50, 200],
        "F1": [0.8, 0.9, 0.5, 0.85],
        "curve": ["pretrained", "pretrained", "random", "random"],
    }
    assert transfer_of(Metrics()).empty


def test_curves_are_the_histories():
    curves = history_of(ModelRepository(BUNDLED))
    for variant in ("pretrained", "random"):
        history = json.loads((BUNDLED / variant / "history.json").read_text())
        for split in ("train", "test"):
            rows = curves[curves["curve"] == f"{variant}, {split}"]
            assert list(rows["epoch"].astype(int)) == [epoch["epoch"] for epoch in history]
            assert list(rows["auroc"]) == [epoch[split]["auroc"] for epoch in history]


@pytest.mark.parametrize("epochs, kind", [(4, "nominal"), (30, "quantitative")])
def test_few_epochs_are_named_and_many_are_numbers(epochs, kind):
    """Else a plot would mark fractions of the few, and put 10 of the many before 2."""
    scores = dict.fromkeys(("auroc", "f1", "loss"), 0.5)
    table = history_table([{"curve": "random, test", "epoch": 1 + epoch, **scores} for epoch in range(epochs)])
    drawn = history_plot("auroc").postprocess(table)
    assert drawn.datatypes["epoch"] == kind
    assert [row[drawn.columns.index("epoch")] for row in drawn.data][-1] == (
        str(epochs) if kind == "nominal" else epochs
    )


def test_points_of_the_roc_curve_are_drawn_where_they_are_stored():
    points = {"false_positive_rate": [0, 0.1, 1], "true_positive_rate": [0, 0.9, 1]}
    roc = roc_of(Metrics(roc={"pretrained": points, "random": points}))
    assert list(roc[roc["curve"] == "random"]["true positive rate"]) == [0, 0.9, 1] and len(roc) == 6
    assert roc_of(Metrics()).empty


@pytest.mark.parametrize(
    "missing", [("metrics.json",), ("README.md",), ("pretrained/history.json",), ("metrics.json", "README.md")]
)
def test_a_repository_that_lacks_files_still_has_a_tab(tmp_path, missing):
    for name in ("metrics.json", "README.md", "pretrained/history.json", "random/history.json"):
        if name not in missing:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            shutil.copy(BUNDLED / name, tmp_path / name)
    repository = ModelRepository(tmp_path)
    with gr.Blocks():
        assert len(scores_of(repository, metrics_of(repository))) == len(how_good())


@pytest.mark.parametrize(
    "metrics",
    [
        [],
        {"variants": []},
        {"variants": {"other": {"f1": 0.9}}},
        {"variants": {"random": {"auroc": "high", "f1": 10**400}}},
        {"variants": {"random": None}, "roc": {"random": [1]}, "groups": 3, "others": [None]},
    ],
)
def test_scores_of_strangers_that_are_none_cost_only_their_part_of_the_tab(tmp_path, metrics):
    """Guards against a tab that waits for ever because of a number that is none."""
    shutil.copytree(BUNDLED, tmp_path / "repo")
    (tmp_path / "repo" / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "repo" / "README.md").write_bytes(b"\xff")
    repository = ModelRepository(tmp_path / "repo")
    found = metrics_of(repository)
    with gr.Blocks():
        table, history, *_, groups, card = scores_of(repository, found)
    assert table.startswith(("The scores of this repository cannot be shown", "This repository has no scores"))
    assert aurocs_of(found) == {} and groups == "" and card == "The card of this repository is no text."
    assert len(history) == len(history_of(ModelRepository(BUNDLED)))


def test_the_card_is_its_text_without_metadata_and_pictures():
    card = card_of(ModelRepository(BUNDLED))
    assert not card.startswith("---") and "license:" not in card.splitlines()[0] and "![" not in card
    assert "DeepLabV3" in card


def test_a_strangers_repository_brings_no_markup_and_nothing_a_browser_stumbles_over(tmp_path):
    """Guards against forms, trackers and answers that cannot be sent, of one model or of all that are served."""
    shutil.copytree(BUNDLED, tmp_path / "repo")
    repository = ModelRepository(tmp_path / "repo")
    metrics = METRICS | {
        "dataset": "<img src=http://x/>\ud800",
        "images": 10**30,
        "transfer": {"f1": {"random": {"9" * 30: 1}}},
    }
    metrics["variants"] = {**METRICS["variants"], "\ud800": {"auroc": 0.5}}
    metrics["groups"] = {"![a](http://x)|" * 100: {"variants": {"random": {"f1": 0.25}}}}
    (tmp_path / "repo" / "metrics.json").write_text(json.dumps(metrics))
    record = repository.history("random")[0]
    (tmp_path / "repo" / "random" / "history.json").write_text(json.dumps(20_000 * [record]))
    card = (
        "# Card\n<form action=http://x><input type=file></form> 2 < 3 ![a][b] ![c](http://x)\n```mermaid\ngraph\n```\n"
    )
    (tmp_path / "repo" / "README.md").write_text(card)
    (tmp_path / "repo" / "worst.png").write_bytes((BUNDLED / "figures" / "figure3.png").read_bytes())
    found = metrics_of(repository)
    with gr.Blocks():
        table, history, *_, worst, _, groups, card = scores_of(repository, found)
    assert aurocs_of(found) == aurocs_of(BUNDLED_METRICS)
    for text in (table, groups, card):
        text.encode()
        assert "![" not in text and "<img" not in text and "<form" not in text and "mermaid" not in text
    assert "2 < 3" in card and max(map(len, groups.splitlines())) < 200 and len(history) < 3000
    assert Path(worst.value["path"]).is_relative_to(get_upload_folder())  # wherever the repository lies


def test_a_card_that_is_all_brackets_is_read_at_once(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "repo")
    (tmp_path / "repo" / "README.md").write_text("![" * 1_000_000)
    assert len(card_of(ModelRepository(tmp_path / "repo"))) <= 200_000
