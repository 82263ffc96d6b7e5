"""Scores are checked when they are read, compared, and listed by type of photo."""

import pytest
from pydantic import ValidationError

from hairseg.repository.metrics import Metrics, Scores, Transfer
from hairseg.repository.records import describe
from hairseg.repository.transfer import describe_experiment, summarise_transfer

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
        ({"photo_types": [{"datasets": []}]}, "photo_types.0.group"),
        ({"variants": {"random": {"f1_interval": [0.5]}}}, "variants.random.f1_interval.1"),
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
    assert [(photo_type.label, photo_type.datasets) for photo_type in found] == [
        ("Hats and headwear, 2 photos", ["celebamask-hq"]),
        ("Coily and Afro hair, 3 photos", ["figaro1k"]),
        ("Small heads: half of the picture, 7 photos", ["celebamask-hq"]),
        ("bald, 1 photo", ["celebamask-hq"]),
        ("Nobody in the picture: flowers", []),
        ("Nobody in the picture: animals, 4 photos", []),
    ]
    assert {variant: scores.f1 for variant, scores in found[2].variants.items()} == {"pretrained": 0.91, "random": 0.82}
    assert found[1].scores("pretrained").false_hair == 0.012 and found[1].scores("random") == Scores()
    assert found[5].scores("random") == Scores(false_hair=0.25)


def test_types_of_photos_over_all_data_sets_replace_those_of_each():
    f1 = {"pretrained": {"f1": 0.8, "f1_interval": [0.7, 0.9]}}
    metrics = Metrics.model_validate(
        {
            "dataset": "figaro1k",
            "groups": {"head": {"images": 3, "variants": {"pretrained": {"f1": 0.7}}}},
            "others": [
                {"dataset": "street", "groups": {"head": {"images": 4, "variants": {"pretrained": {"f1": 0.9}}}}}
            ],
            "photo_types": [
                {"group": "head", "datasets": ["figaro1k", "street"], "images": 7, "variants": f1},
                {"group": "head", "datasets": ["everyday"], "images": 2, "variants": f1},
            ],
        }
    )
    portraits, by_agreement = metrics.by_photo_type()
    assert (portraits.label, portraits.datasets) == ("Portraits, 7 photos", ["figaro1k", "street"])
    assert portraits.scores("pretrained").f1_interval == (0.7, 0.9)
    assert by_agreement.is_labelled_by_agreement and not portraits.is_labelled_by_agreement


def test_photos_without_people_of_one_folder_are_one_type():
    nobody = {"images": 4, "variants": {"random": {"mean": 0.5, "mean_interval": [0.25, 0.75]}}}
    metrics = {"hairless": nobody | {"kinds": {"animals": nobody}}}
    (found,) = Metrics.model_validate(metrics).by_photo_type()
    assert found.label == "Nobody in the picture, 4 photos"
    assert found.scores("random") == Scores(false_hair=0.5, false_hair_interval=(0.25, 0.75))
    twice = Metrics.model_validate({"others": [metrics, metrics]})
    assert twice.by_photo_type() == [found]
    both = Metrics.model_validate({"hairless": nobody | {"kinds": {"animals": nobody, "coco": nobody}}})
    assert [photo_type.name for photo_type in both.by_photo_type()] == [
        "Nobody in the picture",
        "Nobody in the picture: animals",
        "Nobody in the picture: rooms, food and toys",
    ]


F1 = {"pretrained": {"50": 0.8, "400": 0.85, "1260": 0.9}, "random": {"50": 0.4, "400": 0.5, "1260": 0.7}}


def range_of(f1: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {photos: (score - 0.02, score + 0.02) for photos, score in f1.items()}


@pytest.mark.parametrize(
    "all_random, seeds, expected",
    [
        (0.7, 3, "The worst of 3 pretrained runs on 50 photos has a higher F1 than the best of 3 runs from scratch on "
                 "1,260."),
        (0.7, 1, "The pretrained run on 50 photos has a higher F1 than the run from scratch on 1,260."),
        (0.79, 2, "The worst of 2 pretrained runs on 400 photos has a higher F1 than the best of 2 runs from scratch "
                  "on 1,260. On 50 photos, the ranges overlap."),
        (0.89, 3, "Pretrained runs on 400 photos and runs from scratch on 1,260 have overlapping ranges of F1."),
        (0.95, 3, "The worst of 3 runs from scratch on 1,260 photos has a higher F1 than every pretrained run."),
    ],
)  # fmt: skip
def test_the_curve_in_words_claims_no_more_than_its_ranges_show(all_random, seeds, expected):
    f1 = {"pretrained": F1["pretrained"], "random": F1["random"] | {"1260": all_random}}
    f1_range = {variant: range_of(scores) for variant, scores in f1.items()}
    transfer = Transfer.model_validate({"f1": f1, "f1_range": f1_range, "seeds": list(range(seeds))})
    assert summarise_transfer(transfer) == expected


def test_curves_of_older_versions_have_one_short_run_per_number_of_photos():
    transfer = Transfer.model_validate({"f1": F1, "photos_saved": 0.25, "frames": 4000, "image_size": 160})
    assert (
        summarise_transfer(transfer)
        == "The pretrained run on 50 photos has a higher F1 than the run from scratch on 1,260."
    )
    assert describe_experiment(transfer).startswith("Each network was trained once, on about 4,000 photos")


def test_incomplete_curves_have_no_points():
    assert Transfer().points() == [] and summarise_transfer(Transfer()) == ""
    curve = {"pretrained": {"50": 0.5, "9" * 30: 0.5, "x": 0.5}, "random": {"50": None, "9" * 30: 0.5, "x": 0.5}}
    assert Transfer.model_validate({"f1": curve}).points() == []
