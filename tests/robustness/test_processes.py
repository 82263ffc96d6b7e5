"""Predictors in other processes, and on devices that are missing."""

import multiprocessing
import time

import cv2
import numpy as np
import pytest
from conftest import draw_portrait

from hairseg.errors import InputError
from hairseg.inference.predictor import HairPredictor


def predict(predictor: HairPredictor, photo: np.ndarray) -> np.ndarray:
    return predictor.alphas(photo)["pretrained"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_predictor_that_is_loaded_in_another_process_gives_the_same_alpha(method, small_repository):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    photo, _ = draw_portrait(1)
    predictor = HairPredictor(small_repository)
    expected = predict(predictor, photo)
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 5)  # starts the threads of OpenCV
    time.sleep(0.5)  # until they are idle, when waiting for them in a forked process would not end
    with multiprocessing.get_context(method).Pool(1) as pool:  # which pickles the predictor
        alpha = pool.apply_async(predict, (predictor, photo)).get(timeout=60)
    cv2.setNumThreads(opencv_threads)
    assert np.abs(alpha - expected).max() < 1e-5


@pytest.mark.parametrize("device", ["cuda:99", "meta", "gpu"])
def test_a_missing_device_is_reported_in_one_sentence(device, small_repository):
    with pytest.raises(InputError, match=rf"^The device '{device}' is not available\. Choose auto, cpu or cuda\.$"):
        HairPredictor(small_repository, device=device)


def test_variants_may_be_a_single_name(small_repository):
    predictor = HairPredictor.from_pretrained(small_repository, variants="random")
    assert list(predictor.networks) == ["random"]
    with pytest.raises(InputError, match=r"has no 'pretraned' variant\. It has pretrained, random\.$"):
        HairPredictor(small_repository, "pretraned")


def test_a_variant_that_is_not_loaded_is_named(small_repository):
    predictor = HairPredictor(small_repository, ["random"])
    with pytest.raises(InputError, match=r"^The variant 'pretrained' is unknown\. Choose one of random\.$"):
        predictor.predict_single_pass(draw_portrait(1)[0], "pretrained")
