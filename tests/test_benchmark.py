"""The benchmark compares like with like, and runs."""

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from mathcircuits import FUNCTIONS

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
FILE = FOLDER / "training.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = spec_from_file_location("benchmark_of_training", FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "widths"), [("identity", (1, 2, 1)), ("minimum", (2, 3, 1))])
def test_three_ways_train_the_same_weights(benchmark, name, widths):
    state = torch.get_rng_state()
    loop, vmap, ours = (way(FUNCTIONS[name], 6, widths, 60, 1000) for way in benchmark.WAYS.values())
    torch.set_rng_state(state)
    for one, two, three in zip(loop, vmap, ours, strict=True):
        assert one.shape[0] == 6 and one.dtype == two.dtype == three.dtype == torch.float32
        torch.testing.assert_close(two, one, rtol=0, atol=1e-4)
        torch.testing.assert_close(three, one, rtol=0, atol=1e-4)


def test_a_quick_run_prints_its_tables():
    done = subprocess.run([sys.executable, FILE, "--quick"], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    machine, *lines = done.stdout.splitlines()
    assert re.search(r"\d+ cores, .*torch 2\.", machine)
    rows = [line for line in lines if re.match(r"\| \d", line)]
    assert [row.split(" | ")[0] for row in rows[:2]] == ["| 10", "| 20"]
    assert all(re.fullmatch(r"\| \d+ (\| [\d,.]+ ){8}\|", row) for row in rows[:2])
    assert "identity, 10 seeds, width 2, batch 1,000" in done.stdout


def test_prediction_is_timed_beside_training():
    call = [sys.executable, FOLDER / "prediction.py", "--quick"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    rows = [line for line in done.stdout.splitlines() if re.match(r"\| [a-z_]+ \| 50 ", line)]
    assert len(rows) == 7 and all(re.fullmatch(r"\| [a-z_]+ \| 50 (\| [\d,.]+ ){4}\|", row) for row in rows)
    assert all(int(row.split("|")[-2]) >= 19 for row in rows)
