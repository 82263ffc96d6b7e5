"""`scripts/blend.py`: weights between those before and after fine-tuning."""

import sys

import pytest
import torch
from conftest import PROJECT, write_repository

from hairseg.errors import InputError
from hairseg.repository import ModelRepository
from hairseg.repository.config import Blend, VariantConfig

sys.path.insert(0, str(PROJECT / "scripts"))
from blend import blend


def test_weights_and_record_of_a_blend(tmp_path):
    before, after = (ModelRepository(write_repository(tmp_path / str(seed), ("random",), seed)) for seed in (1, 2))
    first = before.config.variants["random"]
    second = VariantConfig(recipe="finetune", started_from=VariantConfig(recipe="finetune", started_from=first))
    after.save_config(after.config.model_copy(update={"variants": {"random": second}}))
    blend(before.folder, after.folder, 0.25, tmp_path / "blend")
    result = ModelRepository(tmp_path / "blend")
    states = [repository.load_network("random").state_dict() for repository in (before, after, result)]
    name = next(name for name, tensor in states[0].items() if tensor.ndim == 4)
    old, new, mixed = (state[name] for state in states)
    assert not torch.equal(old, new)
    torch.testing.assert_close(mixed, 0.25 * old + 0.75 * new, atol=1e-3, rtol=1e-3)
    assert result.config.variants["random"].blend == Blend(fraction=0.25, trainings=2)
    with pytest.raises(InputError, match="was not trained from"):
        blend(after.folder, before.folder, 0.25, tmp_path / "swapped")
