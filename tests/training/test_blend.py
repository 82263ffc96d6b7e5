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


def test_weights_history_and_record_of_a_blend(tmp_path):
    before, first, second = (
        ModelRepository(write_repository(tmp_path / str(seed), ("random",), seed)) for seed in (1, 2, 3)
    )
    entry = before.config.variants["random"]
    for repository in (first, second):
        entry = VariantConfig(recipe="finetune", best_epoch=1, started_from=entry)
        repository.save_config(repository.config.model_copy(update={"variants": {"random": entry}}))
    blend(before.folder, [first.folder, second.folder], 0.25, tmp_path / "blend")
    result = ModelRepository(tmp_path / "blend")
    states = [repository.load_network("random").state_dict() for repository in (before, second, result)]
    name = next(name for name, tensor in states[0].items() if tensor.ndim == 4)
    old, new, mixed = (state[name] for state in states)
    assert not torch.equal(old, new)
    torch.testing.assert_close(mixed, 0.25 * old + 0.75 * new, atol=1e-3, rtol=1e-3)
    assert result.config.variants["random"].blend == Blend(fraction=0.25, trainings=2)
    scores = first.history("random") + second.history("random")
    history = result.history("random")
    assert [record["epoch"] for record in history] == list(range(1, len(scores) + 1))
    assert [record["test"] for record in history] == [record["test"] for record in scores]
    assert result.figure("figure5").exists()
    for after in ([before.folder], [second.folder, first.folder], [second.folder]):
        with pytest.raises(InputError, match="must be trained from the one before it"):
            blend(before.folder, after, 0.25, tmp_path / "other")
    other = ModelRepository(write_repository(tmp_path / "other", ("pretrained",), 4))
    with pytest.raises(InputError, match="other has no variant random"):
        blend(other.folder, [first.folder], 0.25, tmp_path / "blend")
