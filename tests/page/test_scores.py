"""The tab "What pretraining is worth" shows the contents of the repository's files."""

import json
import shutil

import gradio as gr
import pytest

from hairseg.hub.resolve import ResolvedRepo
from hairseg.page.registry import ServedModel
from hairseg.page.scores import (
    compare_photo_counts,
    f1_captions,
    f1_on_whole_persons,
    read_card,
    render_groups,
    render_headline,
    render_scores,
    render_test_scores,
    render_transfer,
)
from hairseg.paper import PAPER_AUROC
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.metrics import Metrics

JSON = json.loads((BUNDLED / "metrics.json").read_text())
METRICS = Metrics.model_validate(JSON)


def test_the_table_is_the_bundled_metrics_beside_the_papers():
    table = render_test_scores(METRICS)
    for variant, title in {"pretrained": "Pretrained", "random": "From scratch"}.items():
        scores = JSON["variants"][variant]
        (row,) = (line for line in table.splitlines() if line.startswith(f"| {title} |"))
        cells = [float(cell.strip(" %")) for cell in row.split("|")[2:5]]
        assert cells == [round(100 * value, 1) for value in (scores["f1"], scores["auroc"], PAPER_AUROC[variant])]
    assert f1_captions(METRICS) == {"pretrained": "F1 93 %", "random": "F1 88 %"}


def test_the_headline_has_three_numbers():
    numbers, _, words = render_headline(METRICS).splitlines()
    assert numbers == "| 86 % | 0.3 % | 50 photos |"
    assert "64 % from scratch" in words and "1.8 % from scratch" in words and "1,260 from scratch" in words
    assert f1_on_whole_persons(Metrics()) is None and "no scores yet" in render_headline(Metrics())


def test_groups_of_all_datasets_are_sorted_by_difficulty():
    types = {"kinky": {"images": 3, "variants": {"pretrained": {"f1": 0.5, "false_hair": 0.012}}}}
    metrics = {
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
            "hats": {"images": 2, "variants": {"pretrained": {"f1": 0.75}, "random": {"f1": 0.25}}},
            "bare": {"images": 1, "variants": {"pretrained": {"f1": None, "false_hair": 0.5}}},
            "none": {"images": 1, "variants": {}},
        },
    }
    assert render_groups(Metrics.model_validate(metrics)).splitlines()[2:] == [
        "| Coily and Afro hair, hair styles (3 photos) | 50.0 % |  | 1.2 % |  |",
        "| Hats and headwear, portraits of celebrities (2 photos) | 75.0 % | 25.0 % |  |  |",
        "| Small heads: half of the picture, portraits of celebrities | 91.0 % | 82.0 % |  |  |",
        "| bare, portraits of celebrities (1 photo) |  |  | 50.0 % |  |",
        "| Nobody in the picture: flowers |  |  | 0.1 % | 0.0 % |",
        "| Nobody in the picture: animals |  |  | 0.0 % | 25.0 % |",
    ]
    assert "no scores by type of photo" in render_groups(Metrics(dataset="x"))


def test_groups_over_all_datasets_have_intervals_and_labels_by_agreement_are_separate():
    scores = {
        "pretrained": {"f1": 0.75, "f1_interval": [0.7, 0.8], "false_hair": 0.01, "false_hair_interval": [0, 0.02]},
        "random": {"f1": 0.5},
    }
    people, agreed = ["celebamask-hq", "street"], ["everyday"]
    metrics = Metrics.model_validate(
        {
            "photo_types": [
                {"group": "whole person", "datasets": people, "images": 7, "variants": scores},
                {"group": "groups", "datasets": agreed, "images": 2, "variants": {"random": {"f1": 0.25}}},
            ]
        }
    )
    drawn, _, by_networks = render_groups(metrics).partition("### Photos labelled by networks")
    row = "| Whole persons (7 photos) | 75.0 % (70.0 to 80.0) | 50.0 % | 1.0 % (0.0 to 2.0) |  |"
    assert row in drawn.splitlines() and "95 % interval" in drawn and "Groups" not in drawn
    assert "not drawn by people" in by_networks
    assert by_networks.splitlines()[-1] == "| Groups of people, everyday photos (2 photos) |  | 25.0 % |  |  |"
    assert f1_on_whole_persons(metrics) == {"pretrained": 0.75, "random": 0.5}


def test_the_slider_selects_the_number_of_training_photos():
    f1 = {"pretrained": {"50": 0.8, "200": 0.9}, "random": {"50": 0.5, "200": 0.85}}
    metrics = Metrics.model_validate({"transfer": {"f1": f1, "frames": 4000, "image_size": 160}})
    assert "**Trained on 200 photos:**" in render_transfer(metrics, 1) and "| Pretrained | 90.0 % |" in render_transfer(
        metrics, 1
    )
    assert "| From scratch | 50.0 % |" in render_transfer(metrics, 0)
    assert compare_photo_counts(metrics) is None, "short runs of old versions"
    assert "trained once, on about 4,000 photos (with repetition) at 160 x 160" in render_transfer(metrics, 0)


def test_the_slider_shows_ranges_over_seeds_and_the_headline_claims_no_more_than_they_show():
    f1 = {"pretrained": {"50": 0.8, "200": 0.9}, "random": {"50": 0.5, "200": 0.75}}
    ranges = {
        "pretrained": {"50": [0.76, 0.85], "200": [0.85, 0.95]}, "random": {"50": [0.4, 0.6], "200": [0.7, 0.8]},
    }  # fmt: skip
    experiment = {"samples": 40_000, "image_size": 160, "seeds": [0, 1, 2], "datasets": ["a", "b"]}

    def metrics(random: list[float]) -> Metrics:
        f1_range = ranges | {"random": ranges["random"] | {"200": random}}
        return Metrics.model_validate({"transfer": experiment | {"f1": f1, "f1_range": f1_range}})

    text = render_transfer(metrics([0.7, 0.8]), 0)
    assert "| Pretrained | 80.0 % (76.0 to 85.0) |\n| From scratch | 50.0 % (40.0 to 60.0) |" in text
    assert "until its F1 on validation photos stopped rising, on at most 40,000 photos" in text
    assert "mean of 3 runs" in text and "from only 2 data sets" in text
    better = "with pretraining do better than 200 from scratch, in every run"
    assert compare_photo_counts(metrics([0.7, 0.75])) == ("50 photos", better)
    assert compare_photo_counts(metrics([0.7, 0.8])) == ("200 photos", better)
    assert compare_photo_counts(metrics([0.7, 0.9])) == (
        "50 photos", "with pretraining may do as well as 200 from scratch: the ranges of F1 overlap",
    )  # fmt: skip
    assert compare_photo_counts(metrics([0.96, 0.97])) is None


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
def test_malformed_scores_leave_only_their_part_of_the_tab_empty(tmp_path, metrics):
    """Guards against a tab that stays empty because of one malformed number."""
    shutil.copytree(BUNDLED, tmp_path / "repo")
    (tmp_path / "repo" / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "repo" / "README.md").write_bytes(b"\xff")
    repository = ModelRepository(tmp_path / "repo")
    found = ServedModel("x", ResolvedRepo(repository.folder)).metrics
    with gr.Blocks():
        headline, _, _, table, groups, *_, card = render_scores(repository, found)
    assert (
        headline.startswith(("The scores of this model cannot be shown", "This model has no scores")) or headline == ""
    )
    assert f1_captions(found) == {} and "no scores by type" in groups and card == "The card of this model is not text."
    assert table == "" or "|" in table or "cannot be shown" in table


def test_the_card_is_shown_without_metadata_and_pictures():
    card = read_card(ModelRepository(BUNDLED))
    assert not card.startswith("---") and "license:" not in card.splitlines()[0] and "![" not in card
    assert "DeepLabV3" in card


def test_files_of_a_strangers_repository_are_shown_without_markup(tmp_path):
    """Guards against forms, trackers, and text that cannot be encoded."""
    shutil.copytree(BUNDLED, tmp_path / "repo")
    repository = ModelRepository(tmp_path / "repo")
    metrics = JSON | {
        "dataset": "<img src=http://x/>\ud800",
        "transfer": {"f1": {"random": {"9" * 30: 1}}},
    }
    metrics["variants"] = {**JSON["variants"], "\ud800": {"auroc": 0.5}}
    hostile = "![a](http://x)|" * 100
    metrics["photo_types"] = [
        {"group": hostile, "datasets": [hostile], "images": 1, "variants": {"random": {"f1": 0.25}}}
    ]
    (tmp_path / "repo" / "metrics.json").write_text(json.dumps(metrics))
    record = repository.history("random")[0]
    (tmp_path / "repo" / "random" / "history.json").write_text(json.dumps(20_000 * [record]))
    card = (
        "# Card\n<form action=http://x><input type=file></form> 2 < 3 ![a][b] ![c](http://x)\n```mermaid\ngraph\n```\n"
    )
    (tmp_path / "repo" / "README.md").write_text(card)
    (tmp_path / "repo" / "worst.png").write_bytes((BUNDLED / "figures" / "figure3.png").read_bytes())
    found = ServedModel("x", ResolvedRepo(repository.folder)).metrics
    with gr.Blocks():
        headline, _, transfer, table, groups, figures, card = render_scores(repository, found)
    assert f1_captions(found) == f1_captions(METRICS)
    for text in (headline, transfer, table, groups, card):
        text.encode()
        assert "![" not in text and "<img" not in text and "<form" not in text and "mermaid" not in text
    assert "2 < 3" in card and max(map(len, groups.splitlines())) < 200
    assert str(tmp_path / "repo") not in figures and "worst.jpg" in figures  # a copy in the folder of results is served


def test_a_card_of_brackets_only_does_not_slow_down_the_regular_expressions(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "repo")
    (tmp_path / "repo" / "README.md").write_text("![" * 1_000_000)
    assert len(read_card(ModelRepository(tmp_path / "repo"))) <= 200_000
