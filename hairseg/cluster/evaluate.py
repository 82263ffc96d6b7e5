"""`hairseg evaluate --cluster`: parts of a data set on the machines of a Ray cluster."""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from hairseg.cluster.connect import configure_data
from hairseg.cluster.predict import explain
from hairseg.cluster.workers import load_predictor, network_files
from hairseg.evaluation.runner import Function, Runner


def run_on_cluster(ray: Any, folder: Path, variants: list[str], device: str) -> Runner:
    """Return a runner that uses actors, each of which computes as this process would, with the same number of threads.

    The photos must have the same paths on all machines.

    Args:
        ray: the module, connected.
        folder: the model repository, on this machine.
        variants: networks to load.
        device: of the networks.
    """
    files, threads = network_files(folder, variants), torch.get_num_threads()
    cores = min(int(node["Resources"].get("CPU", 0)) or threads for node in ray.nodes() if node["Alive"])
    has_gpu = device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0
    resources: dict[str, Any] = {"num_gpus": 1} if has_gpu else {"num_cpus": max(1, min(threads, cores))}
    number = int(ray.cluster_resources().get("GPU" if has_gpu else "CPU", 0) / next(iter(resources.values())))

    def run(function: Function, parts: Iterable[Any]) -> Iterator[Any]:
        configure_data(ray, is_ordered=True)
        rows = [{"part": pickle.dumps(part)} for part in parts]
        compute = ray.data.ActorPoolStrategy(min_size=1, initial_size=max(1, min(number, len(rows))))
        arguments = [function, files, variants, device, threads]
        found = ray.data.from_items(rows, override_num_blocks=max(1, len(rows)))
        try:
            for row in found.map(_Scorer, compute=compute, fn_constructor_args=arguments, **resources).iter_rows():
                yield pickle.loads(row["result"])
        except ray.exceptions.RayError as error:
            raise explain(error) from None

    return run


class _Scorer:
    """An actor that scores parts of a data set."""

    def __init__(self, function: Function, files: dict[str, bytes], variants: list[str], device: str, threads: int):
        torch.set_num_threads(threads)
        self._function, self._predictor = function, load_predictor(files, variants, device)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"result": pickle.dumps(self._function(self._predictor, pickle.loads(row["part"])))}
