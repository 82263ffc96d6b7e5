"""The state of one training: what a step changes, and what a checkpoint keeps."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from hairseg.networks.backbones import build_model
from hairseg.training.checkpoints import Settings, read_checkpoint, write_checkpoint
from hairseg.training.recipes import OPTIMISERS, SCHEDULES


@dataclass
class TrainingState:
    """Network, moving average, optimiser, schedule, history, and the weights of the best epoch so far."""

    settings: Settings
    network: nn.Module
    averaged: AveragedModel | None  # None: the recipe averages nothing
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    history: list[dict] = field(default_factory=list)  # one record per epoch
    best: dict = field(default_factory=dict)  # "epoch", and "weights" on the CPU; empty before the first epoch

    @classmethod
    def start(cls, settings: Settings, accelerator: Accelerator, steps: int) -> "TrainingState":
        """The state before the first of a training's `steps`."""
        recipe, device = settings.recipe, accelerator.device
        torch.manual_seed(settings.seed)
        network = build_model(settings.backbone, settings.init).to(device).to(memory_format=torch.channels_last)
        if accelerator.num_processes > 1 and device.type == "cuda":
            network = convert_sync_batchnorm(network)
        averaged = None
        if recipe.averaging:
            averaged = AveragedModel(network, multi_avg_fn=moving_average(recipe.averaging), use_buffers=True)
        optimiser = OPTIMISERS[recipe.optimiser](
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        schedule = SCHEDULES[recipe.schedule](optimiser, recipe.learning_rate, steps)
        return cls(settings, network, averaged, optimiser, schedule)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is scored and kept: the moving average, where there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def update(self) -> None:
        """Apply the gradients of one step."""
        self.optimiser.step()
        self.schedule.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)

    def is_finite(self) -> bool:
        return all(bool(weight.isfinite().all()) for weight in self.evaluated.parameters())

    def add_epoch(self, record: dict) -> None:
        """Add an epoch to the history; its weights are kept if its AUROC on validation photos is the best.

        Without validation photos all epochs tie. Of equals the last is kept.
        """
        self.history.append(record)
        if not self.best or _selection(record) >= _selection(self.history[self.best["epoch"] - 1]):
            weights = {name: tensor.to("cpu", copy=True) for name, tensor in self.evaluated.state_dict().items()}
            self.best = {"epoch": record["epoch"], "weights": weights}

    def save(self, path: Path) -> None:
        checkpoint = {name: module.state_dict() for name, module in self._modules().items()}
        kept = {"settings": asdict(self.settings), "history": self.history, "best": self.best}
        write_checkpoint(path, checkpoint | kept)

    def restore(self, path: Path, accelerator: Accelerator) -> None:
        """Take up the checkpoint, if there is one. The first process reads it: other machines need not have the file.

        Raises:
            InputError: the file is broken, or other settings have written it.
        """
        checkpoints = [read_checkpoint(path, self.settings) if accelerator.is_main_process else None]
        broadcast_object_list(checkpoints)
        if checkpoint := checkpoints[0]:
            for name, module in self._modules().items():
                module.load_state_dict(checkpoint[name])
            self.history, self.best = checkpoint["history"], checkpoint["best"]

    def _modules(self) -> dict:
        modules = {"network": self.network, "optimiser": self.optimiser, "schedule": self.schedule}
        return modules if self.averaged is None else modules | {"averaged": self.averaged}


def moving_average(decay: float) -> Callable:
    """Exponential moving average for `AveragedModel`, whose decay warms up: it forgets the first steps sooner.

    The n-th update keeps min(decay, (1 + n) / (10 + n)) of the average, as TensorFlow's ExponentialMovingAverage does.
    """

    @torch.no_grad()
    def update(averages: list[torch.Tensor], values: list[torch.Tensor], count: torch.Tensor) -> None:
        if averages[0].is_floating_point():
            kept = ((1 + count) / (10 + count)).clamp(max=decay)  # stays on its device: no waiting for a GPU
            torch._foreach_mul_(averages, kept)
            torch._foreach_add_(averages, torch._foreach_mul(values, 1 - kept))
        else:  # counts of batches
            torch._foreach_copy_(averages, values)

    return update


def _selection(record: dict) -> float:
    return record["val"]["auroc"] or 0.0


def interpolate_weights(
    weights: dict[str, torch.Tensor], start: dict[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """State dict on the line from fine-tuned weights to those they started from, at a share of the way.

    So a network that has learnt a new kind of photo forgets less of the old ones (M. Wortsman et al., "Robust
    fine-tuning of zero-shot models", CVPR 2022). Counters stay those of the fine-tuned weights.
    """
    return {
        name: tensor.lerp(start[name].to(tensor), share) if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
