"""The tab "Models" compares the served models and lists their files."""

import json

from hairseg.hub.resolve import ResolvedRepo
from hairseg.page.models import render_models
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.repository import BUNDLED

METRICS = json.loads((BUNDLED / "metrics.json").read_text())

CONFIG = json.loads((BUNDLED / "config.json").read_text())


def write(folder, **changed) -> ServedModel:
    """Write the bundled model without weights and with changed files."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(changed.get("config", CONFIG)))
    (folder / "metrics.json").write_text(json.dumps(METRICS | changed.get("metrics", {})))
    return ServedModel(folder.name, ResolvedRepo(folder))


def cells_of(text: str, title: str) -> list[str]:
    """Return the cells of the first row with a title."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return next(row[1:] for row in rows if row[0] == title)


def test_one_model_has_its_row_and_its_files():
    model = ServedModel("bundled")
    text, files = render_models(ModelRegistry([model], load=lambda model: None), None)
    entry, scores = CONFIG["variants"]["pretrained"], METRICS["variants"]["pretrained"]
    titles = ("model", "backbone", "recipe", "training photos", "weights (MB)")
    facts = {title: cells_of(text, title) for title in titles}
    assert facts == {
        "model": ["bundled"],
        "backbone": ["efficientnet_lite0"],
        "recipe": [entry["recipe"]],
        "training photos": [f"{entry['images']['train']:,}"],
        "weights (MB)": [f"{model.weight_bytes / 1e6:.1f}"],
    }
    assert cells_of(text, "F1, pretrained") == [f"{100 * scores['f1']:.1f} %"]
    assert cells_of(text, "AUROC, pretrained") == [f"{100 * scores['auroc']:.1f} %"] and "| ★" not in text
    size = (BUNDLED / "pretrained" / "model.safetensors").stat().st_size
    assert cells_of(files, "pretrained/model.safetensors") == ["weights", f"{size / 1e3:,.0f}"]
    assert cells_of(text, "test photos") == ["214 portraits of celebrities, at 352 x 352 pixels"]


def test_comparable_models_are_compared(tmp_path):
    better = {name: scores | {"auroc": 0.9999} for name, scores in METRICS["variants"].items()}
    hub = ServedModel("ada/hair@v2", ResolvedRepo(BUNDLED, "ada/hair", "0123456789" * 4))
    best = write(tmp_path / "better", metrics={"variants": better})
    small = write(tmp_path / "small", metrics={"images": 9})
    text, files = render_models(ModelRegistry([hub, best, small], load=lambda model: None), hub.name)
    assert cells_of(text, "model") == ["better", "ada/hair@v2 (0123456)", "small"]
    first, second, third = cells_of(text, "AUROC, pretrained")
    assert first == "100.0 % ★" and "★" not in second + third
    assert ["★" in cell for cell in cells_of(text, "F1, pretrained")] == [True, True, False]
    assert "ada/hair at 0123456" in files


def test_markup_in_strangers_files_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>![x](http://x)|`"
    variants = {name: entry | {"recipe": evil} for name, entry in CONFIG["variants"].items()}
    model = write(tmp_path / "x", config=CONFIG | {"variants": variants}, metrics={"dataset": evil})
    named = ServedModel(evil, model.source)
    text = "".join(render_models(ModelRegistry([model, named], load=lambda model: None), "x"))
    assert "<" not in text and "![" not in text and "script" in text
    assert len(cells_of(text, "model")) == len(cells_of(text, "recipe")) == 2
