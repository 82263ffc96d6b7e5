"""The state of a training run, which steps change and checkpoints contain."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from hairseg.networks.backbones import build_model
from hairseg.repository.metrics import EpochRecord
from hairseg.training.checkpoints import BestEpoch, Checkpoint, Settings, read_checkpoint, write_checkpoint
from hairseg.training.recipes import OPTIMISERS, SCHEDULES

Tensors = list[torch.Tensor] | tuple[torch.Tensor, ...]


@dataclass
class TrainingState:
    """Network, optimiser, schedule, history and best weights of a training run.

    Attributes:
        settings: settings of the run.
        network: the network that is trained.
        ema: exponential moving average of the network; None if the recipe has none.
        optimiser: optimiser of the network.
        schedule: learning rate schedule, advanced after each step.
        history: one record per finished epoch.
        best: the selected epoch so far; None before the first one.
    """

    settings: Settings
    network: nn.Module
    ema: AveragedModel | None
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    history: list[EpochRecord] = field(default_factory=list)
    best: BestEpoch | None = None

    @classmethod
    def start(cls, settings: Settings, accelerator: Accelerator, steps: int) -> "TrainingState":
        """Initialise a training run of `steps` steps."""
        recipe, device = settings.recipe, accelerator.device
        torch.manual_seed(settings.seed)
        network = build_model(settings.backbone, settings.init).to(device).to(memory_format=torch.channels_last)
        if accelerator.num_processes > 1 and device.type == "cuda":
            network = convert_sync_batchnorm(network)
        ema = None
        if recipe.ema_decay:
            ema = AveragedModel(network, multi_avg_fn=ema_update(recipe.ema_decay), use_buffers=True)
        optimiser = OPTIMISERS[recipe.optimiser](
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        schedule = SCHEDULES[recipe.schedule](optimiser, recipe.learning_rate, steps)
        return cls(settings, network, ema, optimiser, schedule)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is scored and saved: the moving average if the recipe has one."""
        return self.network if self.ema is None else self.ema.module

    def update(self) -> None:
        """Update weights, learning rate and moving average from the gradients of one step."""
        self.optimiser.step()
        self.schedule.step()
        if self.ema is not None:
            self.ema.update_parameters(self.network)

    def has_finite_weights(self) -> bool:
        """Return whether no weight is infinite or NaN."""
        return all(bool(weight.isfinite().all()) for weight in self.evaluated.parameters())

    def add_epoch(self, record: EpochRecord) -> None:
        """Add an epoch to the history, and select it if its AUROC on the validation photos is the best.

        Of equal epochs, the later one is selected; without validation photos, all are equal.
        """
        self.history.append(record)
        if self.best is None or _validation_auroc(record) >= _validation_auroc(self.history[self.best["epoch"] - 1]):
            weights = {name: tensor.to("cpu", copy=True) for name, tensor in self.evaluated.state_dict().items()}
            self.best = {"epoch": record["epoch"], "weights": weights}

    def save(self, path: Path) -> None:
        """Write a checkpoint after an epoch."""
        assert self.best is not None
        checkpoint: Checkpoint = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "settings": asdict(self.settings),
            "history": self.history,
            "best": self.best,
        }
        if self.ema is not None:
            checkpoint["ema"] = self.ema.state_dict()
        write_checkpoint(path, checkpoint)

    def restore(self, path: Path, accelerator: Accelerator) -> None:
        """Restore a checkpoint if it exists. The first process reads it, since other machines may lack the file.

        Raises:
            InputError: the file is damaged, or was written with other settings.
        """
        received: list[Any] = [read_checkpoint(path, self.settings) if accelerator.is_main_process else None]
        broadcast_object_list(received)
        checkpoint: Checkpoint | None = received[0]
        if checkpoint is None:
            return
        self.network.load_state_dict(checkpoint["network"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.schedule.load_state_dict(checkpoint["schedule"])
        if self.ema is not None and "ema" in checkpoint:
            self.ema.load_state_dict(checkpoint["ema"])
        self.history, self.best = checkpoint["history"], checkpoint["best"]


def ema_update(decay: float) -> Callable[[Tensors, Tensors, torch.Tensor | int], None]:
    """Return an update of an exponential moving average for `AveragedModel`, with a warm-up of the decay.

    The decay of the n-th update is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage.
    """

    @torch.no_grad()
    def update(averages: Tensors, values: Tensors, count: torch.Tensor | int) -> None:
        if averages[0].is_floating_point():
            # The count is a tensor on the device: reading it would wait for the GPU.
            current = torch.as_tensor((1 + count) / (10 + count)).clamp(max=decay)
            torch._foreach_mul_(averages, current)
            torch._foreach_add_(averages, torch._foreach_mul(values, 1 - current))
        else:
            torch._foreach_copy_(averages, values)

    return update


def _validation_auroc(record: EpochRecord) -> float:
    return record["val"]["auroc"] or 0.0


def interpolate_weights(
    weights: dict[str, torch.Tensor], initial: dict[str, torch.Tensor], blend: float
) -> dict[str, torch.Tensor]:
    """Interpolate linearly between fine-tuned and initial weights, which reduces forgetting.

    M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Args:
        weights: state dict after fine-tuning; its integer buffers are kept.
        initial: state dict before fine-tuning.
        blend: weight of the initial state, from 0 to 1.
    """
    return {
        name: tensor.lerp(initial[name].to(tensor), blend) if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
