"""More simultaneous visitors than the page has threads (40), each with a different photo."""

import pytest
from conftest import PROJECT, served

from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page

VISITORS = 50


def test_visitors_get_the_masks_of_their_own_photos(small_repository, monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    crowd = pytest.importorskip("crowd")
    predictor = HairPredictor(small_repository)
    with served(build_page(predictor)) as address:
        result = crowd.compare_masks(address, predictor, VISITORS)
    assert result["own_masks"] == result["visitors"] == VISITORS
    assert result["max_difference"] <= 1 < result["min_difference_to_other_photos"]
