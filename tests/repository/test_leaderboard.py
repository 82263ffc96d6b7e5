"""Rows match the files, and only scores of the same photos are compared."""

import json
from pathlib import Path

import pytest

from hairseg.errors import InputError
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.repository.leaderboard import (
    comparison_groups,
    find_repositories,
    format_leaderboard,
    read_row,
    rows_to_json,
)
from hairseg.repository.metrics import ScoredPhotos
from hairseg.repository.photo_types import group_name

CONFIG = json.loads((BUNDLED / "config.json").read_text())

TEST = {"dataset": "celebamask-hq", "split": "test", "images": 214, "image_size": 320}


def write(folder: Path, metrics: object = None, kilobytes: int = 10, **variants: dict) -> ModelRepository:
    """A repository with placeholder weights."""
    entries = variants or {"pretrained": {"recipe": "modern", "images": {"train": 1000}}}
    for variant in entries:
        (folder / variant).mkdir(parents=True)
        (folder / variant / "model.safetensors").write_bytes(bytes(1000 * kilobytes))
    (folder / "config.json").write_text(json.dumps(CONFIG | {"variants": entries}))
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return ModelRepository(folder)


def scored(photos: dict = TEST, groups: dict | None = None, **variants: tuple[float, float]) -> dict:
    scores = {variant: {"auroc": auroc, "f1": f1} for variant, (auroc, f1) in variants.items()}
    by_group = {
        name: {"images": images, "variants": {variant: {"f1": f1} for variant in variants}}
        for name, (images, f1) in (groups or {}).items()
    }
    return photos | {"variants": scores, "groups": by_group}


@pytest.fixture
def rows(tmp_path):
    """Five repositories: ada, bob and cid on the same photos, dan on others, eve without scores."""
    metrics = {
        "ada": scored(groups={"hats": (8, 0.5), "head": (200, 0.9)}, pretrained=(0.98, 0.91), random=(0.95, 0.80)),
        "bob": scored(groups={"hats": (8, 0.6), "head": (200, 0.4)}, pretrained=(0.99, 0.91), random=(0.94, 0.80001)),
        "cid": scored(pretrained=(0.97, 0.92)),
        "dan": scored(TEST | {"image_size": 256}, pretrained=(0.999, 0.999), random=(0.999, 0.999)),
        "eve": None,
    }
    return {name: read_row(write(tmp_path / name, content), name) for name, content in metrics.items()}


def test_row_matches_the_bundled_files():
    metrics = json.loads((BUNDLED / "metrics.json").read_text())
    row = read_row(ModelRepository(BUNDLED), "bundled", "0123456")
    assert (row.name, row.revision, row.backbone) == ("bundled", "0123456", CONFIG["backbone"])
    assert row.photos == ScoredPhotos(**{name: metrics[name] for name in ("dataset", "split", "images", "image_size")})
    files = [(BUNDLED / variant / "model.safetensors").stat().st_size for variant in ("pretrained", "random")]
    assert row.megabytes == sum(files) / 1e6 and row.milliseconds is None
    for variant, entry in CONFIG["variants"].items():
        known = row.variants[variant]
        assert (known.recipe, known.trained_on) == (entry["recipe"], entry["images"]["train"])
        assert {name: getattr(known, name) for name in ("auroc", "f1")}.items() <= metrics["variants"][variant].items()
        f1 = {name: group["variants"][variant]["f1"] for name, group in metrics["groups"].items()}
        worst = min(f1, key=f1.__getitem__)
        assert (known.worst_f1, known.worst_group) == (f1[worst], group_name(worst))
        assert known.worst_images == metrics["groups"][worst]["images"]


def test_only_scores_of_the_same_photos_are_compared(rows):
    groups = comparison_groups(rows.values())
    assert [[row.name for row in group.rows] for group in groups] == [["bob", "ada", "cid"], ["dan"], ["eve"]]
    assert [group.is_compared for group in groups] == [True, False, False]
    best = {
        (row.name, variant, score)
        for group in groups
        for row in group.rows
        for variant in ("pretrained", "random")
        for score in ("auroc", "f1", "worst_f1")
        if group.is_best(row, variant, score)
    }
    assert best == {
        ("bob", "pretrained", "auroc"),
        ("cid", "pretrained", "f1"),
        ("ada", "pretrained", "worst_f1"),  # 0.5 on hats, where bob's 0.4 is on heads
    }


def test_scores_that_print_alike_tie(tmp_path):
    both = {"pretrained": {}, "random": {}}
    one = read_row(write(tmp_path / "one", scored(random=(0.9, 0.80001)), **both), "one")
    two = read_row(write(tmp_path / "two", scored(random=(0.91, 0.80002)), **both), "two")
    (group,) = comparison_groups([one, two])
    assert group.is_best(one, "random", "f1") and group.is_best(two, "random", "f1")
    assert not group.is_best(one, "random", "auroc") and group.is_best(two, "random", "auroc")
    assert not group.is_best(one, "pretrained", "auroc")  # neither row has one


@pytest.mark.parametrize(
    "differs", [{"dataset": "figaro1k"}, {"split": "val"}, {"images": 213}, {"image_size": 256}], ids=str
)
def test_only_equal_data_sets_splits_and_sizes_are_compared(tmp_path, differs):
    one = read_row(write(tmp_path / "one", scored(pretrained=(0.9, 0.8))), "one")
    two = read_row(write(tmp_path / "two", scored(TEST | differs, pretrained=(0.91, 0.7))), "two")
    assert [group.is_compared for group in comparison_groups([one, two])] == [False, False]
    text = format_leaderboard([one, two])
    assert text.count("not comparable with the others: ") == 2 and "*" not in text
    assert "not comparable" not in format_leaderboard([two]) and [
        row["compared_with"] for row in rows_to_json([one, two])
    ] == [[], []]


def test_table_has_a_line_per_variant_and_stars(rows):
    text = format_leaderboard(rows.values())
    parts = text.split("\n\n")
    assert [part.splitlines()[0] for part in parts] == [
        "celebamask-hq, split test, 214 photos at 320 x 320; * marks the best",
        "not comparable with the others: celebamask-hq, split test, 214 photos at 256 x 256",
        "no scores: run `hairseg evaluate`",
    ]
    bob, ada, cid = (line.split() for line in parts[0].splitlines()[2:])
    assert bob == ["bob", "-", "efficientnet_lite0", "pretrained", "modern", "1000", "*0.9900", "0.9100", "0.4000",
                   "Portraits,", "200", "0.0", "-"]  # fmt: skip
    assert ada[6:13] == ["0.9800", "0.9100", "*0.5000", "Hats", "and", "headwear,", "8"] and cid[6:10] == [
        "0.9700",
        "*0.9200",
        "-",
        "-",
    ]


def test_json_names_compared_rows_and_best_scores(rows):
    content = json.loads(json.dumps(rows_to_json(rows.values())))
    assert [row["name"] for row in content] == ["bob", "ada", "cid", "dan", "eve"]
    assert [row["compared_with"] for row in content] == [["ada", "cid"], ["bob", "cid"], ["bob", "ada"], [], []]
    assert [row["best"] for row in content[:4]] == [
        ["pretrained.auroc"],
        ["pretrained.worst_f1"],
        ["pretrained.f1"],
        [],
    ]
    assert content[0]["photos"] == TEST and content[0]["variants"]["pretrained"]["trained_on"] == 1000


STRANGE = [None, "x", [], {}, True, -1, 2, 10**400, "\x1b[2J\ud800", "9" * 9999, [[{}]], {"f1": "x", "images": -3}]


@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
def test_malformed_files_still_give_a_row(tmp_path, value):
    metrics = scored(groups={"hats": (8, 0.5)}, pretrained=(0.98, 0.91))
    changed = [value]
    changed += [metrics | {key: value} for key in metrics]
    changed += [metrics | {"variants": {"pretrained": value}}, metrics | {"variants": {"pretrained": {"f1": value}}}]
    changed += [metrics | {"groups": {"hats": value}}, metrics | {"groups": {"hats": {"variants": value}}}]
    entries = [{"recipe": value, "images": value}, {"images": {"train": value}}]
    rows = [
        read_row(write(tmp_path / str(index), content, pretrained=entries[index % 2]), "x")
        for index, content in enumerate(changed)
    ]
    text = format_leaderboard(rows)
    assert "\x1b" not in text and text.encode() and max(map(len, text.splitlines())) < 500
    assert json.dumps(rows_to_json(rows), allow_nan=False)


def test_folders_are_repositories_or_contain_them(tmp_path):
    for name in ("b", "a"):
        write(tmp_path / name)
    (tmp_path / "unfinished" / "checkpoints").mkdir(parents=True)
    a, b = tmp_path / "a", tmp_path / "b"
    assert find_repositories([tmp_path]) == [a, b] and find_repositories([b, tmp_path]) == [b, a]
    for nothing in (tmp_path / "unfinished", tmp_path / "missing", a / "config.json"):
        with pytest.raises(InputError, match="holds no model repository"):
            find_repositories([tmp_path, nothing])
