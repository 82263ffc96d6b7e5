"""The comparison of backbones on a few drawn portraits."""

import json

from conftest import run_here


def test_interrupted_run_is_resumed(portraits, tmp_path):
    output = tmp_path / "backbones.json"
    words = ["--data", portraits, "--init", "efficientnet_lite0=random", "--epochs", 1, "--runs", 2, "--output", output]

    def run(*models):
        done = run_here("benchmarks/backbones.py", *words, "--models", *models)
        return done.stdout, json.loads(output.read_text())["models"]

    _, one = run("efficientnet_lite0:32")
    printed, both = run("efficientnet_lite0:32", "efficientnet_lite0:64")
    assert "efficientnet_lite0:32 {" not in printed, "trained again"
    assert "efficientnet_lite0:64 {" in printed
    small, large = both.values()
    (scores,) = (value for value in small.values() if isinstance(value, dict))
    assert scores.keys() == {"f1", "boundary_iou", "median_f1", "auroc"}
    assert scores in one.popitem()[1].values()
    assert small["relative_to_first"] == 1
    assert small["ms"] > 0
    assert large["cpu_ms"] > 0
    assert small["megabytes"] == large["megabytes"]
    assert 12 < small["megabytes"] < 13.5


def test_invalid_model_and_init_are_refused(tmp_path):
    done = run_here("benchmarks/backbones.py", "--data", tmp_path, "--models", "resnet18:64", rc=2)
    assert "'resnet18:64' is not a backbone" in done.stderr
    assert "efficientnet_lite0:320" in done.stderr
    done = run_here("benchmarks/backbones.py", "--data", tmp_path, "--init", "lite0.safetensors", rc=2)
    assert "'lite0.safetensors' is not BACKBONE=INIT" in done.stderr
