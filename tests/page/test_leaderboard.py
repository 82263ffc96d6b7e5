"""The tab of models shows a row for each, of strangers' files too, and speeds once they are measured."""

import json
import re
from html import unescape
from html.parser import HTMLParser

from hairseg.errors import InputError
from hairseg.hub.resolve import ResolvedRepo
from hairseg.page.leaderboard import html_of
from hairseg.page.models import Model, Models
from hairseg.page.speeds import Speeds
from hairseg.repository import BUNDLED

METRICS = json.loads((BUNDLED / "metrics.json").read_text())

CONFIG = json.loads((BUNDLED / "config.json").read_text())

PHOTOS = "{dataset}, split {split}, {images} photos at {image_size} x {image_size}".format(**METRICS)


class Table(HTMLParser):
    """Rows of cells' texts; a button is the name that it chooses, in brackets."""

    def __init__(self, html: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True
        if tag == "button":
            self.rows[-1][-1] += f"[{dict(attributes)['data-model']}]"

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += data


def write(folder, **changed) -> Model:
    """A model of the bundled files, some of them changed, without weights."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(changed.get("config", CONFIG)))
    (folder / "metrics.json").write_text(json.dumps(METRICS | changed.get("metrics", {})))
    return Model(folder.name, ResolvedRepo(folder))


def models_of(*listed: Model) -> Models:
    return Models(listed, load=lambda model: Instant(model.name))


class Instant:
    """Networks that have seen everything already."""

    def __init__(self, name):
        self.name, self.photos = name, []

    def alphas(self, photo):
        self.photos.append(photo.shape)
        return {}


def test_one_model_has_its_row_and_nothing_to_choose():
    models = models_of(Model("bundled"))
    table = Table(html_of(models, Speeds(models), "bundled"))
    entry = CONFIG["variants"]["pretrained"]
    heading, row = table.rows[2:]
    assert heading == [PHOTOS] and "button" not in table.tags
    assert row[:4] == ["bundled", "efficientnet_lite0", entry["recipe"], f"{entry['images']['train']:,}"]
    assert row[4].startswith(f"{METRICS['variants']['pretrained']['auroc']:.4f}") and "★" not in "".join(row)
    kinds = {name: kind["variants"]["pretrained"]["f1"] for name, kind in METRICS["groups"].items()}
    worst = min(kinds, key=kinds.get)
    assert row[6] == f"{kinds[worst]:.4f} {worst}, {METRICS['groups'][worst]['images']}"
    assert row[-2:] == [f"{models.known(None).weight / 1e6:.1f}", "not measured yet"]
    assert len(row) == sum(map(len, (table.rows[0], table.rows[1]))) - 2  # the variants' titles span three columns each


def test_several_are_compared_where_they_can_be_and_chosen_by_buttons(tmp_path):
    better = {name: scores | {"auroc": 0.9999} for name, scores in METRICS["variants"].items()}
    hub = Model("ada/hair@v2", ResolvedRepo(BUNDLED, "ada/hair", "0123456789" * 4))
    models = models_of(
        hub, write(tmp_path / "better", metrics={"variants": better}), write(tmp_path / "small", metrics={"images": 9})
    )
    first, best, mine, other, small = Table(html_of(models, Speeds(models), hub.name)).rows[2:]
    assert first == [f"{PHOTOS}; ★ the best of them"]
    assert best[0] == "better [better]Use it" and best[4] == "0.9999★ the best of these"
    assert mine[0] == "ada/hair@v2 0123456 in use" and "★" not in mine[4] and "★" in mine[5] and "★" in best[5]
    assert other == ["not comparable with the others: " + PHOTOS.replace(f"{METRICS['images']} photos", "9 photos")]
    assert small[0] == "small [small]Use it" and "★" not in "".join(small)


def test_strangers_files_bring_no_markup(tmp_path):
    evil = "<script>alert(1)</script>\"'&"
    variants = {name: entry | {"recipe": evil} for name, entry in CONFIG["variants"].items()}
    groups = {evil: METRICS["groups"]["head"]}
    model = write(tmp_path / "x", config=CONFIG | {"variants": variants}, metrics={"dataset": evil, "groups": groups})
    named = Model(evil, model.source)
    models = models_of(named, model)
    html = html_of(models, Speeds(models), "x")
    table = Table(html)
    assert "script" not in table.tags and evil in table.rows[2][0] and f"[{evil}]" in table.rows[3][0]
    assert table.tags <= {"table", "thead", "tbody", "tr", "th", "td", "b", "small", "span", "button", "p"}
    assert unescape(re.sub("<[^>]*>", "", html)).count(evil) >= 4


def test_speeds_are_shown_once_they_are_measured_each_run_after_a_wait():
    models, waits = models_of(Model("bundled")), []
    speeds = Speeds(models, lambda: waits.append(1))
    assert speeds.of("bundled") is None
    networks = models.predictor("bundled")
    assert speeds.measure("bundled") and networks.photos == [(1000, 1000, 3)] * (len(waits) - 1)
    assert speeds.of("bundled") >= 0
    row = Table(html_of(models, speeds, "bundled")).rows[-1]
    assert row[-1] == f"{speeds.of('bundled'):.0f}"


def test_what_finds_no_room_is_measured_when_it_is_loaded_and_what_is_broken_never(tmp_path):
    listed = [Model("bundled"), Model("copy", ResolvedRepo(BUNDLED)), write(tmp_path / "broken")]

    def load(model):
        if model.name == "broken":
            raise InputError("its weights are missing")
        return Instant(model.name)

    models = Models(listed, load, memory=1.5 * listed[0].weight / 1e6)
    speeds = Speeds(models, lambda: None)
    models.predictor("bundled")
    assert [speeds.measure(name) for name in models.names] == [True, False, True]
    assert [speeds.of(name) is None for name in models.names] == [False, True, True]
    models.predictor("copy")
    assert speeds.measure("copy") and speeds.of("copy") is not None
