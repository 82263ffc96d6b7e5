"""The model card: its text and its metadata for the Hub."""

import re

from hub.helpers import METRICS, publish, training_entry
from huggingface_hub import ModelCard, get_session

from hairseg.hub import card
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Metrics


def test_card_contains_scores_and_settings(server, both):
    text = (both / "README.md").read_text(encoding="utf-8")
    for variant, scores in METRICS["variants"].items():
        row = " | ".join(f"{value:.4f}" for value in scores.values())
        assert f"| {variant} | {row} | {card.PAPER_AUROC[variant]} |" in text
    entry = training_entry("imagenet")
    for fact in (
        entry.command,
        "torch 2.15.0",
        "621 photos for training",
        "learning rate 0.0001",
        "15 epochs",
        "0.9812",
        "@misc{cesnik2020hair",
        "64 x 64",
        "figures/figure3.png",
        "personal data",
        "under-represented",
        "non-commercial",
    ):
        assert fact in text, fact
    assert "{{" not in text and "{%" not in text and "Undefined" not in text


def test_card_metadata(server, both):
    loaded = ModelCard.load(both / "README.md")
    answer = get_session().post(f"{server.url}/api/validate-yaml", json={"content": str(loaded)})
    assert answer.json() == {"errors": [], "warnings": []}
    data = loaded.data.to_dict()
    assert (
        data["pipeline_tag"] == "image-segmentation"
        and data["library_name"] == "hairseg"
        and data["license"] == "other"
    )
    assert data["datasets"] == ["liusq/CelebAMask-HQ"] and data["base_model"] == "timm/efficientnet_lite0.ra_in1k"
    assert {result.dataset_type for result in loaded.data.eval_results} == {"liusq/CelebAMask-HQ"}
    results = {
        (result.metric_name, result.dataset_name, result.dataset_split): result.metric_value
        for result in loaded.data.eval_results
    }
    expected = {
        (f"{label} ({variant})", "CelebAMask-HQ", "test"): METRICS["variants"][variant][name]
        for variant in METRICS["variants"]
        for name, label in (("auroc", "AUROC"), ("f1", "F1"), ("iou", "IoU"))
    }
    assert results == expected


def test_data_sets_without_a_hub_id(both):
    config = ModelRepository(both).config
    entry = config.variants["random"]

    def card_of(*datasets: str) -> ModelCard:
        return ModelCard(
            card.render_card(
                config.model_copy(update={"variants": {"random": entry.model_copy(update={"datasets": [*datasets]})}}),
                Metrics(),
            )
        )

    mixed, own = card_of("figaro1k", "celebamask-hq", "street"), card_of("street")
    assert mixed.data.datasets == ["liusq/CelebAMask-HQ"] and own.data.datasets is None
    assert "No Hub id is known for Figaro1k, street, so the metadata above do not name them." in mixed.text
    assert "No Hub id is known for street, so the metadata above do not name it." in own.text
    assert "liusq" in mixed.text and "liusq" not in own.text
    assert "No Hub id" not in card_of("celebamask-hq").text


def test_card_without_scores(both):
    config = ModelRepository(both).config
    assert "Not evaluated yet" in card.render_card(config, Metrics())
    nothing = {name: None for name in METRICS["variants"]["random"]}
    text = card.render_card(config, Metrics(**METRICS | {"variants": {"pretrained": nothing, "random": nothing}}))
    assert "| random | - | - | - | - | - |" in text and "model-index" not in text


def test_card_by_hair_type(both):
    scores = {"pretrained": {"f1": 0.91234, "false_hair": 0.01}, "random": {"f1": 0.85234, "false_hair": 0.02}}
    parts = {"curly": {"images": 15, "variants": scores}}
    text = card.render_card(ModelRepository(both).config, Metrics(**METRICS | {"hair_types": parts}))
    assert "| Curly hair | 15 | CelebAMask-HQ | 0.9123 | 0.8523 | 1.00 % | 2.00 % |" in text
    assert "bootstrap" not in text and "not drawn by people" not in text


def test_card_by_type_of_photo(both):
    scores = {"pretrained": {"f1": 0.9, "f1_interval": [0.8, 0.95]}, "random": {"false_hair": 0.5}}
    types = [
        {"group": "head", "datasets": ["figaro1k", "celebamask-hq"], "images": 9, "variants": scores},
        {"group": "groups", "datasets": ["everyday"], "images": 8, "variants": scores},
    ]
    text = card.render_card(ModelRepository(both).config, Metrics(**METRICS | {"photo_types": types}))
    drawn, _, by_agreement = text.partition("\nThese masks were not drawn by people")
    row = "| 0.9000 (0.800 to 0.950) | - | - | 50.00 % |"
    assert f"\n| Portraits | 9 | Figaro1k, CelebAMask-HQ {row}\n" in drawn and "95 % bootstrap" in drawn
    assert f"\n| Groups of people | 8 | everyday (labels by agreement) {row}\n" in by_agreement


def test_card_example_runs(server, both, monkeypatch, tmp_path):
    publish(server, both)
    monkeypatch.chdir(tmp_path)
    from PIL import Image

    Image.new("RGB", (70, 50)).save("photo.jpg")
    code = re.search(r"```python\n(.*?)```", (both / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 5
    names = {}
    exec(code, names)
    assert {name: alpha.shape for name, alpha in names["alphas"].items()} == {
        "pretrained": (50, 70),
        "random": (50, 70),
    }
