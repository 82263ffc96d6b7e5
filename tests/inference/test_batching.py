"""Forward passes that threads share, on a fake device that records batch sizes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import monotonic, sleep

import numpy as np
import pytest
import torch
from conftest import draw_portrait
from torch import nn

from hairseg.inference.batching import MAX_BATCH_SIZE, Batcher
from hairseg.inference.predictor import HairPredictor, run_network

TIMEOUT = 30  # seconds


class CountingDevice:
    """Runs networks on the CPU and records the size of each batch. Passes wait until `proceed` is set."""

    def __init__(self, proceeds: bool = True):
        self.sizes: list[int] = []
        self.started, self.proceed = Event(), Event()
        if proceeds:
            self.proceed.set()

    def run(self, network: nn.Module, squares: torch.Tensor) -> np.ndarray:
        self.sizes.append(len(squares))
        self.started.set()
        assert self.proceed.wait(TIMEOUT)
        return network(squares).numpy()


def squares_of(value: float, count: int = 1, side: int = 4) -> torch.Tensor:
    return torch.full((count, 3, side, side), value)


def wait_for(batcher: Batcher, squares: int) -> None:
    """Wait until that many squares wait for a forward pass."""
    until = monotonic() + TIMEOUT
    while sum(batch.size for batch in list(batcher._waiting.values())) < squares:
        assert monotonic() < until
        sleep(0.001)


class Double(nn.Module):
    def forward(self, squares):
        return 2 * squares


def test_photos_that_arrive_during_a_forward_pass_share_the_next_one():
    device, network = CountingDevice(proceeds=False), Double()
    batcher = Batcher(device.run)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, network, squares_of(0))
        assert device.started.wait(TIMEOUT)
        others = [pool.submit(batcher, network, squares_of(value)) for value in range(1, 8)]
        wait_for(batcher, 7)
        device.proceed.set()
        results = [future.result(TIMEOUT) for future in (first, *others)]
    assert device.sizes == [1, 7]
    for value, result in enumerate(results):
        np.testing.assert_array_equal(result, np.full((1, 3, 4, 4), 2.0 * value))
    assert not batcher._waiting


def test_a_batch_has_one_network_and_one_input_size():
    device, networks = CountingDevice(proceeds=False), (Double(), Double())
    batcher = Batcher(device.run)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, networks[0], squares_of(0))
        assert device.started.wait(TIMEOUT)
        calls = [(network, side) for network in networks for side in (4, 8)] * 2
        others = [pool.submit(batcher, network, squares_of(1, side=side)) for network, side in calls[1:]]
        wait_for(batcher, 7)
        device.proceed.set()
        assert first.result(TIMEOUT).shape == (1, 3, 4, 4)
        assert [future.result(TIMEOUT).shape[2] for future in others] == [side for _, side in calls[1:]]
    assert sorted(device.sizes) == [1, 1, 2, 2, 2]


def test_a_batch_has_a_maximum_size():
    device, network = CountingDevice(proceeds=False), Double()
    batcher = Batcher(device.run, max_batch_size=4)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, network, squares_of(0))
        assert device.started.wait(TIMEOUT)
        others = [pool.submit(batcher, network, squares_of(value, count=2)) for value in range(1, 6)]
        large = pool.submit(batcher, network, squares_of(9, count=6))
        until = monotonic() + TIMEOUT
        while pool._work_queue.qsize() and monotonic() < until:
            sleep(0.001)
        device.proceed.set()
        assert first.result(TIMEOUT).shape == (1, 3, 4, 4)
        assert large.result(TIMEOUT).shape == (6, 3, 4, 4)
        for value, future in enumerate(others, 1):
            np.testing.assert_array_equal(future.result(TIMEOUT), np.full((2, 3, 4, 4), 2.0 * value))
    assert sum(device.sizes) == 17
    assert all(size <= 4 or size == 6 for size in device.sizes)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_reaches_every_thread_of_its_batch_and_no_other(kind):
    device, network = CountingDevice(proceeds=False), Double()
    error = kind("stopped")

    def run(network: nn.Module, squares: torch.Tensor) -> np.ndarray:
        result = device.run(network, squares)
        if len(device.sizes) == 2:
            raise error
        return result

    batcher = Batcher(run)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, network, squares_of(0))
        assert device.started.wait(TIMEOUT)
        others = [pool.submit(batcher, network, squares_of(value)) for value in (1, 2, 3)]
        wait_for(batcher, 3)
        device.proceed.set()
        assert [future.exception(TIMEOUT) for future in others] == [error] * 3
        assert first.result(TIMEOUT).sum() == 0
    assert batcher(network, squares_of(1)).sum() == 96, "the next call is not affected"
    assert device.sizes == [1, 3, 1]


def test_a_thread_that_is_interrupted_before_its_forward_pass_blocks_no_other():
    """The thread that opened the batch runs it, so its interruption must end the waiting of the others."""
    batcher, network = Batcher(run_network), Double()

    class Interrupted:
        def __enter__(self) -> None:
            wait_for(batcher, 2)
            raise KeyboardInterrupt

        def __exit__(self, *_: object) -> None: ...

    batcher._device = Interrupted()  # pyright: ignore[reportAttributeAccessIssue]
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(batcher, network, squares_of(value)) for value in (1, 2)]
        assert [type(future.exception(TIMEOUT)) for future in futures] == [KeyboardInterrupt] * 2
    assert not batcher._waiting


def test_a_single_photo_does_not_wait_for_others():
    device = CountingDevice()
    batcher = Batcher(device.run)
    for value in (1, 2, 3):  # in turn: one forward pass each
        assert batcher(Double(), squares_of(value)).sum() == 96 * value
    assert device.sizes == [1, 1, 1]


def test_a_predictor_on_a_gpu_shares_forward_passes_and_keeps_the_alphas_of_each_photo(small_repository):
    plain, predictor = HairPredictor(small_repository), HairPredictor(small_repository)
    assert plain._forward_pass is run_network, "nothing changes on a CPU"
    photos = [draw_portrait(seed)[0] for seed in range(8)]
    expected = [plain.alphas(photo) for photo in photos]
    sizes, barrier = [], Barrier(8)

    def run(network: nn.Module, squares: torch.Tensor) -> np.ndarray:
        sizes.append(len(squares))
        return run_network(network, squares)

    def alphas(photo: np.ndarray) -> dict[str, np.ndarray]:
        barrier.wait(TIMEOUT)
        return predictor.alphas(photo)

    predictor._forward_pass = Batcher(run)
    predictor._start_threads()
    assert predictor._threads._max_workers == 2 * MAX_BATCH_SIZE
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(alphas, photos))
    assert len(sizes) < sum(sizes), "fewer forward passes than squares"
    for result, wanted in zip(results, expected, strict=True):
        for variant, alpha in wanted.items():
            np.testing.assert_allclose(result[variant], alpha, atol=0.02)
