"""The page on the paper's recipe says what its JSON file says."""

import json
import re
import sys

from conftest import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))

from reproduction import page_of, record_of

from hairseg.paper import PAPER_AUROC
from hairseg.repository import BUNDLED, ModelRepository


def test_the_page_gives_every_epoch_and_the_paper_beside_it():
    repository = ModelRepository(BUNDLED)
    record = json.loads(json.dumps(record_of(repository)))
    page = page_of(record)
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


def test_a_variant_that_was_not_trained_is_said_to_be_missing():
    record = record_of(ModelRepository(BUNDLED))
    del record["variants"]["pretrained"]
    page = page_of(record)
    assert "| pretrained | 0.981631 | not trained |" in page
    assert "python train.py --data CelebAMask-HQ --variants pretrained" in page.split("## pretrained")[1]


def test_trainings_with_other_seeds_are_on_the_page():
    repository = ModelRepository(BUNDLED)
    page = page_of(record_of(repository, [repository]))
    for variant, entry in repository.config.variants.items():
        kept = repository.history(variant)[entry.best_epoch - 1]
        scores = f"{kept['val']['auroc']:.4f} | {kept['test']['auroc']:.4f} | {kept['test']['f1']:.4f}"
        assert page.count(f"| {entry.seed} | {kept['epoch']} | {scores} |\n") >= 2, variant


def test_the_page_is_made_from_its_results():
    results = PROJECT / "benchmarks" / "results" / "reproduction.json"
    assert (PROJECT / "docs" / "reproduction.md").read_text() == page_of(json.loads(results.read_text()))
