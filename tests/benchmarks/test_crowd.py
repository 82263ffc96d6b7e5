"""More visitors at the same moment than the page has threads (40), each with a photo of their own."""

import pytest
from conftest import PROJECT, served

from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page

VISITORS = 50


def test_everybody_gets_the_masks_of_their_own_photo(small_repository, monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    crowd = pytest.importorskip("crowd")
    predictor = HairPredictor(small_repository)
    with served(build_page(predictor)) as address:
        found = crowd.own_pictures(address, predictor, VISITORS)
    assert found["got_their_own"] == found["visitors"] == VISITORS
    assert found["largest_difference_of_255"] <= 1 < found["smallest_difference_to_another_photo"]
