"""Scores are checked when they are read, compared, and listed by type of photo."""

import pytest
from pydantic import ValidationError

from hairseg.repository.metrics import Metrics
from hairseg.repository.records import describe

PHOTOS = {"dataset": "figaro1k", "split": "test", "images": 210, "image_size": 256}


@pytest.mark.parametrize(
    "content, place",
    [
        ({"images": 10**30}, "images"),
        ({"variants": {"pretrained": {"f1": 2}}}, "variants.pretrained.f1"),
        ({"variants": {"pretrained": {"iou": True}}}, "variants.pretrained.iou"),
        ({"variants": {"random": 3}}, "variants.random"),
        ({"variants": []}, "variants"),
        ({"roc": {"random": [1]}}, "roc.random"),
        ({"roc": {"random": {"true_positive_rate": 1001 * [0.5]}}}, "roc.random.true_positive_rate"),
        ({"others": [None]}, "others.0"),
    ],
)
def test_malformed_scores_are_named(content, place):
    with pytest.raises(ValidationError) as caught:
        Metrics.model_validate(PHOTOS | content)
    assert str(describe(caught.value, "metrics.json")).startswith(f"metrics.json is malformed at '{place}'. ")


def test_names_lose_markup_and_control_characters():
    metrics = Metrics.model_validate({"groups": {"![a](http://x)|\x1b" + "x" * 100: {"images": 3}}})
    (name,) = metrics.groups
    assert name.startswith("!a(http://x)xx") and len(name) == 80


@pytest.mark.parametrize("content", [None, [], 3, "x"])
def test_metrics_must_be_an_object(content):
    with pytest.raises(ValidationError) as caught:
        Metrics.model_validate(content)
    assert str(describe(caught.value, "metrics.json")).startswith("metrics.json is malformed. Input should be")


def scored(f1: float | None = 0.9, **changes: object) -> Metrics:
    return Metrics.model_validate(PHOTOS | {"variants": {"random": {"auroc": 0.95, "f1": f1}}} | changes)


def test_lower_scores_on_the_same_photos_are_regressions():
    assert scored(0.8).regressions_against(scored()) == ["F1 of random is 0.8000, not 0.9000"]
    assert scored(0.89996).regressions_against(scored()) == []
    assert scored(None).regressions_against(scored()) == scored().regressions_against(scored(None)) == []


@pytest.mark.parametrize(
    "change", [{"split": "val"}, {"dataset": "x"}, {"images": 9}, {"image_size": 96}, {"split": None}]
)
def test_scores_on_other_photos_are_no_regressions(change):
    assert scored(0.1, **change).regressions_against(scored()) == []


def test_photo_types_of_every_data_set_are_listed_the_worst_first():
    metrics = Metrics.model_validate(
        {
            "dataset": "celebamask-hq",
            "framing_photos": 7,
            "framing": {"1/2": {"pretrained": {"f1": 0.91}, "random": {"f1": 0.82}}},
            "hairless": {
                "kinds": {
                    "animals": {"images": 4, "variants": {"pretrained": {"mean": 0.0}, "random": {"mean": 0.25}}},
                    "flowers": {"variants": {"pretrained": {"mean": 0.001}, "random": {"mean": 0.0}}},
                }
            },
            "others": [
                {
                    "dataset": "figaro1k",
                    "hair_types": {
                        "kinky": {"images": 3, "variants": {"pretrained": {"f1": 0.5, "false_hair": 0.012}}}
                    },
                }
            ],
            "groups": {
                "hats": {"images": 2, "variants": {"random": {"f1": 0.25}}},
                "bald": {"images": 1, "variants": {"pretrained": {"f1": None, "false_hair": 0.5}}},
                "none": {"images": 1, "variants": {}},
            },
        }
    )
    found = metrics.by_photo_type()
    assert [photo_type.label for photo_type in found] == [
        "hats, celebamask-hq, 2 photos",
        "hair: kinky, figaro1k, 3 photos",
        "photo 1/2 of a scene, celebamask-hq, 7 photos",
        "bald, celebamask-hq, 1 photo",
        "no people: flowers",
        "no people: animals, 4 photos",
    ]
    assert found[2].f1 == {"pretrained": 0.91, "random": 0.82} and found[1].false_hair == {"pretrained": 0.012}
    assert found[5].f1 == {"pretrained": None, "random": None} and found[5].false_hair["random"] == 0.25
