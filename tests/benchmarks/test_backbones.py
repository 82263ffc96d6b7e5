"""The comparison of backbones, in miniature."""

import json

from conftest import run_here


def test_a_run_that_was_stopped_goes_on_and_all_take_turns(portraits, tmp_path):
    output = tmp_path / "backbones.json"
    words = ["--data", portraits, "--init", "efficientnet_lite0=random", "--epochs", 1, "--runs", 2, "--output", output]

    def result(*kinds):
        done = run_here("benchmarks/backbones.py", *words, "--kinds", *kinds)
        return done.stdout, json.loads(output.read_text())["kinds"]

    _, one = result("efficientnet_lite0:32")
    printed, both = result("efficientnet_lite0:32", "efficientnet_lite0:64")
    assert "efficientnet_lite0:32 {" not in printed and "efficientnet_lite0:64 {" in printed, "trained again"
    small, large = both.values()
    (scores,) = (value for value in small.values() if isinstance(value, dict))
    assert scores.keys() == {"f1", "boundary_iou", "median_f1", "auroc"} and scores in one.popitem()[1].values()
    assert small["to_first"] == 1 and small["ms"] > 0 and large["processor_ms"] > 0
    assert small["megabytes"] == large["megabytes"] and 12 < small["megabytes"] < 13.5


def test_a_kind_is_a_backbone_and_a_size(tmp_path):
    done = run_here("benchmarks/backbones.py", "--data", tmp_path, "--kinds", "resnet18:64", rc=2)
    assert "'resnet18:64' is no backbone" in done.stderr and "efficientnet_lite0:320" in done.stderr
    done = run_here("benchmarks/backbones.py", "--data", tmp_path, "--init", "lite0.safetensors", rc=2)
    assert "'lite0.safetensors' is no BACKBONE=INIT" in done.stderr
