"""A hundred visitors at the same moment, each with a photo of their own."""

import pytest
from conftest import PROJECT

from hairseg.page.layout import build_page
from hairseg.prediction import HairPredictor


def test_everybody_gets_the_masks_of_their_own_photo(small_repository, monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    crowd = pytest.importorskip("crowd")
    predictor = HairPredictor(small_repository)
    page = build_page(predictor)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, server_port=None, ssr_mode=False)
    try:
        found = crowd.own_pictures(address, predictor, 100)
    finally:
        page.close(verbose=False)
    assert found["got_their_own"] == found["visitors"] == 100
    assert found["largest_difference_of_255"] <= 1 < found["smallest_difference_to_another_photo"]
