"""The benchmark for GPUs, in miniature and on the CPU: it must not fail on the one machine that it is for."""

import json

from conftest import run_here


def test_a_trial_runs_every_part(portraits, tmp_path):
    words = ("--data", portraits, "--device", "cpu", "--workers", 1, "--minutes", 60, "--trial")
    run_here("benchmarks/gpu.py", *words, "--output", tmp_path / "gpu.json")
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["trial"] and result["device"] == "cpu" and "left_out" not in result
    assert result["matrix_product"]["tflops"] > 0
    assert result["steps"].keys() == {f"batch {n}, {kind}" for n in (2, 4) for kind in ("mixed", "float32")}
    assert len(result["paper_random"]["history"]) == len(result["paper_pretrained_time"]["seconds_per_epoch"]) == 2
    assert all(len(result["precision"][kind]["auroc"]) == 2 for kind in ("mixed", "float32"))
    assert result["augmentation"].keys() >= {"step_ms", "render_ms", "all_ms"}
    assert len(result["serving"]) == 2


def test_parts_may_be_measured_by_themselves(portraits, tmp_path):
    words = ("--data", portraits, "--device", "cpu", "--workers", 1, "--trial", "--parts", "steps")
    run_here("benchmarks/gpu.py", *words, "--output", tmp_path / "gpu.json")
    assert json.loads((tmp_path / "gpu.json").read_text()).keys() == {"device", "torch", "trial", "steps"}
