"""What README and the bundled card say is what the files and the parsers hold."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from conftest import PROJECT

from hairseg.hub.card import dataset_name, render_card
from hairseg.page.studio.studio import EXAMPLES
from hairseg.repository import BUNDLED, ModelRepository

README = (PROJECT / "README.md").read_text()
METRICS = json.loads((BUNDLED / "metrics.json").read_text())
PARSERS = {}


def test_the_results_table_is_the_bundled_metrics():
    for variant, scores in METRICS["variants"].items():
        row = re.search(rf"^\| {variant} \|(.*)\|$", README, re.MULTILINE)[1].split("|")
        assert [float(cell) for cell in row[:5]] == [
            round(scores[name], 4) for name in ("auroc", "f1", "iou", "mse", "boundary_iou")
        ]
    assert f"{METRICS['images']} photos" in README
    assert METRICS["split"] == "test" and METRICS["dataset"] == "celebamask-hq"


def test_the_bundled_card_is_rendered_from_its_config_and_metrics():
    assert (BUNDLED / "README.md").read_text() == render_card(ModelRepository(BUNDLED).config, METRICS)


def figures_of(scores: dict) -> list[float]:
    return [round(scores[variant][name], 4) for variant in ("pretrained", "random") for name in ("f1", "boundary_iou")]


def row(label: str) -> list[float]:
    return [float(cell) for cell in re.search(rf"^\| {re.escape(label)} \|(.*)\|$", README, re.MULTILINE)[1].split("|")]


def test_the_tables_of_what_users_get_are_the_bundled_metrics():
    assert len(METRICS["others"]) == 3
    for part in (METRICS, *METRICS["others"]):
        name, full_resolution = dataset_name(part["dataset"]), part["own_size"]
        assert row(f"{name}, {part['images']} photos") == figures_of(full_resolution)
        if name in ("CelebAMask-HQ", "Figaro1k"):
            unrefined = {variant: scores["unrefined"] for variant, scores in full_resolution.items()}
            assert row(f"{name}, edges as the network has them") == figures_of(unrefined)
    for share, label in (("1/2", "a half"), ("1/3", "a third"), ("1/5", "a fifth")):
        assert row(f"CelebAMask-HQ, photo {label} of a scene") == figures_of(METRICS["framing"][share])
    for variant, shares in METRICS["hairless"]["variants"].items():
        assert f"{100 * shares['mean']:.2f} % ({variant})" in README
    assert f"In {METRICS['hairless']['images']} scenes without people" in README
    assert f"({METRICS['framing_photos']} photos)" in README


def test_what_the_readme_says_of_chance_is_what_the_second_seed_gave():
    found = benchmark("seeds")
    said = README.partition("How much of that is chance?")[2].partition("\n\n")[0]
    assert f"`--seed {found['seed']}`" in said and f"calls {100 * found['animals_called_hair']:.2f} %" in said
    for f1 in found["f1"].values():
        assert f"{f1:.4f}" in said


def test_the_table_over_numbers_of_photos_is_its_result():
    result = json.loads((PROJECT / "benchmarks" / "results" / "transfer.json").read_text())
    assert len(result["f1"]["random"]) == 6
    for photos, f1 in result["f1"]["random"].items():
        assert row(photos) == [round(result["f1"]["pretrained"][photos], 4), round(f1, 4)]
    settings = result["settings"]
    assert f"{settings['frames']} frames" in README and f"{settings['test_photos']} test photos" in README
    assert METRICS["transfer"]["f1"] == result["f1"] and f"than {settings['training_photos']} do from random" in README


def percents(shares: dict) -> list[str]:
    return [f"{100 * shares[variant]:.2f} %" for variant in ("pretrained", "random")]


def test_the_table_of_kinds_is_the_bundled_metrics():
    """Every kind of photo of every data set, and every folder of scenes."""
    expected = {}
    for part in (METRICS, *METRICS["others"]):
        for group, of_group in part["groups"].items():
            scores = of_group["variants"]
            f1 = ["-" if scores[variant]["f1"] is None else f"{scores[variant]['f1']:.4f}" for variant in scores]
            false_hair = percents({variant: scores[variant]["false_hair"] for variant in scores})
            expected[f"{group}, {part['dataset']}, {of_group['images']} photos"] = f1 + false_hair
    for kind, of_kind in METRICS["hairless"]["kinds"].items():
        shares = percents({variant: shares["mean"] for variant, shares in of_kind["variants"].items()})
        expected[f"nobody: {kind}, {of_kind['images']} photos"] = ["-", "-", *shares]
    lines = README.split("| kind, data set |")[1].split("\n\n")[0].splitlines()[2:]
    found = {cells[0]: cells[1:] for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)}
    assert found == expected


def test_the_table_of_edges_is_its_benchmark():
    for name in ("celebamask-hq", "figaro1k"):
        result = json.loads((PROJECT / "benchmarks" / "results" / f"edges-{name}.json").read_text())
        for way, scores in result["ways"].items():
            assert row(f"{way}, {name}") == [scores["f1"], scores["boundary_iou"], scores["mse"], scores["time"]]


def benchmark(name: str) -> dict:
    return json.loads((PROJECT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_the_table_of_speed_is_its_benchmarks():
    request, training, folder = benchmark("request"), benchmark("training"), benchmark("folder")
    backbones = ("efficientnet_lite0", "resnet101")
    for label, name in (
        ("one look by both variants, as served / plain float32", "fast_to_plain"),
        ("whole request / bare", "request_to_bare"),
        ("another colour / bare", "colour_change_to_bare"),
    ):
        assert row(label) == [request[backbone][name] for backbone in backbones]
    for side in (512, 1000):
        assert row(f"folder of {side} x {side}, photos a second / bare") == [
            folder[f"{backbone}, {side} x {side}"]["command_to_bare"] for backbone in backbones
        ]
    assert row("training epoch / plain float32") == [
        training[backbone]["to_plain"]["train.py"] for backbone in backbones
    ]
    theirs = training["resnet101"]["to_plain"]["segmentation_models.pytorch"]
    assert f"| the same by segmentation_models.pytorch / plain float32 | - | {theirs} |" in README


def test_the_table_of_backbones_is_its_benchmark():
    result = benchmark("backbones")
    for kind, scores in result["kinds"].items():
        backbone, size = kind.split(":")
        found = [scores[dataset][name] for dataset in ("celebamask-hq", "figaro1k") for name in ("f1", "boundary_iou")]
        assert row(f"{backbone}, {size} x {size}") == [*found, scores["megabytes"], scores["to_first"]]
    recipe, photos = result["settings"]["recipe"], result["settings"]["training_photos"]
    assert f"for {recipe['epochs']} epochs of the same {photos} photos" in README


def test_the_reproduction_is_its_result():
    random = benchmark("reproduction")["variants"]["random"]
    auroc, photos = random["test"]["auroc"], random["settings"]["images"]["train"]
    assert f"on {photos} photos" in README and f"AUROC {auroc:.4f}." in README
    others = [f"{of_seed['kept']['test']['auroc']:.4f}" for of_seed in random["seeds"][1:]]
    assert f"Two more seeds give {' and '.join(others)}" in README


def test_the_constants_of_scaling_are_their_benchmarks():
    request, training, folder = benchmark("request"), benchmark("training"), benchmark("folder")
    backbones, scaling = ("efficientnet_lite0", "resnet101"), (PROJECT / "docs" / "scaling.md").read_text()
    for label, unit, values in (
        (
            "wall time of a whole request on 2 cores, 1 megapixel",
            "ms",
            [request[name]["ms"]["request"] for name in backbones],
        ),
        (
            "folder, 1000 x 1000, one variant, 2 cores",
            "a second",
            [folder[f"{name}, 1000 x 1000"]["photos_per_second"]["command"] for name in backbones],
        ),
        (
            "training, 256 x 256, 2 cores",
            "ms a photo",
            [training[name]["ms_per_photo"]["train.py"] for name in backbones],
        ),
    ):
        assert f"| {label} | {values[0]} {unit} | {values[1]} {unit} |" in scaling
    assert f"| {benchmark('memory')['page']['peak']} MiB |" in scaling
    gpu = benchmark("gpu")
    for label, batch_size in (("one photo at a time", 1), ("16 at a time", 16)):
        passes = [gpu["serving"][f"{backbone}, batch {batch_size}"] for backbone in backbones]
        assert f"| {label} | {passes[0]} | {passes[1]} |" in scaling
    small, large = (gpu["steps"][f"batch {size}, mixed"] for size in (6, 64))
    assert f"{small['photos_per_second']} photos a second in the paper's batches" in scaling
    assert f"{large['photos_per_second']} in batches of 64" in scaling
    assert f"{small['tflops']} and {large['tflops']} TFLOP/s" in scaling
    assert f"{gpu['matrix_product']['tflops']} that a large matrix" in scaling
    assert f"peaks at {gpu['memory']['resnet101']} MiB" in scaling
    assert all(f"{gpu['augmentation'][part]} ms" in scaling for part in ("step_ms", "all_ms"))


def test_what_the_readme_says_of_precision_is_its_benchmark_and_within_the_limits():
    result = benchmark("precision")
    assert f"({result['photos']} validation photos)" in README
    for variant, part in result["variants"].items():
        auroc, apart = part["auroc"], part["alpha_difference"]
        assert f"{variant}, AUROC {auroc['float32']} and {auroc['page']}, alpha {apart} apart" in README
        assert abs(auroc["float32"] - auroc["page"]) < 0.0005 and apart < 0.005


def test_the_table_of_memory_is_its_benchmarks_and_memory_stays_flat():
    page, folder = benchmark("memory")["page"], benchmark("folder")["memory"]
    curve = folder["resident_mb_every_50_photos"]
    assert row("page, at rest") == [page["at_rest"]]
    assert row("page, after 10 requests of 12 megapixels") == [page["after_tenth"]]
    assert row(f"page, after {page['requests']} of them") == [page["after_last"]]
    assert row(f"folder of {folder['photos']} photos, after 50") == [curve[0]]
    assert row(f"folder of {folder['photos']} photos, at the end") == [curve[-1]]
    assert page["after_last"] < 1.1 * page["after_tenth"] and max(curve) < 1.1 * curve[0]
    for backbone, peak in benchmark("memory")["training_peak"].items():
        assert row(f"training at 256 x 256, batch 6, {backbone}") == [peak]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(import hairseg\n.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "astronaut.jpg", "selfie.jpg")
    names = {}
    exec(block, names)
    height, width = names["photo"].shape[:2]
    assert names["alphas"].keys() == {"pretrained", "random"} and names["hair"].shape == (height, width, 4)
    changed = np.abs(names["dyed"].astype(int) - names["photo"]).max(axis=2)
    assert (
        changed[names["alphas"]["pretrained"] > 0.9].mean()
        > 10
        > 0
        == changed[names["alphas"]["pretrained"] == 0].sum()
    )


def test_the_rooms_of_the_readme_and_of_contributing_are_there():
    text = (PROJECT / "CONTRIBUTING.md").read_text()
    for room in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        for path in re.findall("`([^`]+)`", room):
            assert (PROJECT / "hairseg" / path).exists(), path
    for path in re.findall(r"`(hairseg/[\w/.]+)`", README + text):
        assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("line", re.findall(r"^python .*$", README, re.MULTILINE))
def test_commands_in_the_readme_are_understood(line):
    words = shlex.split(line)[1:]
    name = " ".join(words[:2]) if words[0] == "-m" else words[0]
    PARSERS[name].parse().parse_args(words[len(name.split()) :])


def test_files_the_readme_shows_are_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert 5_000 < (PROJECT / path).stat().st_size < 400_000
