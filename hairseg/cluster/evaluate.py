"""`hairseg evaluate --cluster`: parts of a data set on the machines of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hairseg.cluster.pool import Pool
from hairseg.cluster.workers import load_predictor, network_files
from hairseg.evaluation.parts import Map
from hairseg.inference.predictor import HairPredictor

_predictor: HairPredictor | None = None  # of the actor in this process


@contextmanager
def map_on_cluster(ray: Any, predictor: HairPredictor) -> Iterator[Map]:
    """Yield a function like `map` that calls functions in actors.

    A predictor in a function or its arguments is replaced by that of the actor, which uses the same device type and
    number of threads. The photos must have the same paths on all machines.

    Args:
        ray: the module, connected.
        predictor: the networks.
    """
    variants, threads = list(predictor.networks), torch.get_num_threads()
    if predictor.device.type == "cpu":
        cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        resources = {"num_cpus": max(1, min(threads, *filter(None, cores)))}
    else:
        resources = {"num_gpus": 1}
    arguments = [network_files(predictor.folder, variants), variants, predictor.device.type, threads]
    ray.util.register_serializer(HairPredictor, serializer=lambda _: None, deserializer=_own_predictor)
    pool = Pool(ray, Scorer, arguments, resources)

    def map_parts(function: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        shared = ray.put(function)
        finished: dict[int, Any] = {}
        next_index = 0
        for index, result in pool.run((shared, part) for part in parts):
            finished[index] = result
            while next_index in finished:
                yield finished.pop(next_index)
                next_index += 1

    try:
        yield map_parts
    finally:
        pool.close()
        ray.util.deregister_serializer(HairPredictor)


class Scorer:
    """An actor that scores parts of a data set."""

    def __init__(self, files: dict[str, bytes], variants: list[str], device: str, threads: int):
        global _predictor
        torch.set_num_threads(threads)
        _predictor = load_predictor(files, variants, device)

    def process(self, function: Callable[[Any], Any], part: Any) -> Any:
        """Score a part."""
        return function(part)


def _own_predictor(_: None) -> HairPredictor | None:
    return _predictor
