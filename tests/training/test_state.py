import torch

from hairseg.training.state import interpolate_weights


def test_weights_are_interpolated_and_counters_kept():
    tuned = {"weight": torch.tensor([1.0, 2.0]), "num_batches_tracked": torch.tensor(7)}
    start = {"weight": torch.tensor([3.0, -2.0]).half(), "num_batches_tracked": torch.tensor(5)}
    kept = interpolate_weights(tuned, start, 0.25)
    assert kept["weight"].tolist() == [1.5, 1.0]
    assert kept["weight"].dtype == torch.float32
    assert kept["num_batches_tracked"] == 7
    assert torch.equal(interpolate_weights(tuned, start, 0.0)["weight"], tuned["weight"])
