"""The GPU benchmark with tiny networks on the CPU."""

import json

from conftest import run_here


def test_trial_runs_every_part(portraits, tmp_path):
    words = ("--data", portraits, "--device", "cpu", "--workers", 1, "--minutes", 60, "--trial")
    run_here("benchmarks/gpu.py", *words, "--output", tmp_path / "gpu.json")
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["trial"]
    assert result["device"] == "cpu"
    assert "skipped" not in result
    assert result["matrix_product"]["tflops"] > 0
    assert result["steps"].keys() == {f"batch {n}, {precision}" for n in (2, 4) for precision in ("mixed", "float32")}
    assert len(result["paper_random"]["history"]) == len(result["paper_pretrained_time"]["seconds_per_epoch"]) == 2
    assert all(len(result["precision"][precision]["auroc"]) == 2 for precision in ("mixed", "float32"))
    assert result["augmentation"].keys() >= {"step_ms", "render_ms", "total_ms"}
    assert len(result["serving"]) == 2
    assert all(rate > 0 for rate in result["shared_passes"].values())


def test_selected_parts_are_measured(portraits, tmp_path):
    words = ("--data", portraits, "--device", "cpu", "--workers", 1, "--trial", "--parts", "steps")
    run_here("benchmarks/gpu.py", *words, "--output", tmp_path / "gpu.json")
    assert json.loads((tmp_path / "gpu.json").read_text()).keys() == {"device", "torch", "trial", "steps"}
