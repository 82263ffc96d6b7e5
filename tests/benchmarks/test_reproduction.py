"""docs/reproduction.md agrees with the record that benchmarks/reproduction.py writes."""

import json
import re
import sys
from typing import Any

from conftest import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))
sys.path.insert(0, str(PROJECT / "scripts"))

from generate_docs import context, render
from reproduction import create_record

from hairseg.paper import PAPER_AUROC
from hairseg.repository import BUNDLED, ModelRepository


def render_page(record: dict[str, Any]) -> str:
    return render("reproduction.md", context() | {"results": {"reproduction": record}})


def test_page_has_every_epoch_and_the_papers_auroc():
    repository = ModelRepository(BUNDLED)
    record = json.loads(json.dumps(create_record(repository)))
    page = render_page(record)
    for variant, auroc in PAPER_AUROC.items():
        (row,) = re.findall(rf"^\| {variant} \| {auroc:.6f} \|(.*)\|$", page, re.MULTILINE)
        scores = repository.metrics().variants[variant]
        assert [float(cell) for cell in row.split("|")[:4]] == [
            round(getattr(scores, name), 4) for name in ("auroc", "f1", "iou", "mse")
        ]
        history = repository.history(variant)
        part = page.split(f"\n## {variant}\n")[1].split("\n## ")[0]
        rows = [line.split("|") for line in part.splitlines() if re.match(r"\| \d", line)]
        assert [int(cells[1]) for cells in rows] == [epoch["epoch"] for epoch in history]
        assert [float(cells[7]) for cells in rows] == [round(epoch["test"]["auroc"], 4) for epoch in history]


def test_page_marks_a_missing_variant():
    record = create_record(ModelRepository(BUNDLED))
    del record["variants"]["pretrained"]
    page = render_page(record)
    assert "| pretrained | 0.981631 | not trained |" in page
    assert "hairseg train --data CelebAMask-HQ --variants pretrained" in page.split("## pretrained")[1]


def test_page_has_other_seeds():
    repository = ModelRepository(BUNDLED)
    page = render_page(create_record(repository, [repository]))
    for variant, entry in repository.config.variants.items():
        kept = repository.history(variant)[entry.best_epoch - 1]
        scores = f"{kept['val']['auroc']:.4f} | {kept['test']['auroc']:.4f} | {kept['test']['f1']:.4f}"
        assert page.count(f"| {entry.seed} | {kept['epoch']} | {scores} |\n") >= 2, variant
