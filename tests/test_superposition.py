"""Six units for the absolute values of any number of inputs, one at a time; and how training is measured."""

import itertools

import numpy as np
import pytest
import superposition as study
import torch

from mathcircuits import Function, circuits, prove_equal


def absolute_values(n, nonzero=1):
    return Function("absolute values", n, "", lambda m, *x: tuple(map(m.abs, x)), (n, 6, n), nonzero=nonzero)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_six_units_are_proved(n):
    assert prove_equal(circuits.absolute_values_in_six(n), absolute_values(n))


def test_a_hundred_inputs_on_their_axes():
    """Without the package's proofs: plain integers, at both rays of every axis, which decide it by homogeneity."""
    network = circuits.absolute_values_in_six(100)
    assert network.widths == (100, 6, 100, 100) and network.bias_free
    for k, sign in itertools.product(range(100), (1, -1)):
        inputs = [sign * 3 * (j == k) for j in range(100)]
        assert [*network(*inputs)] == [3 * (j == k) for j in range(100)]


def test_with_two_inputs_at_a_time_six_units_fail():
    wrong = prove_equal(circuits.absolute_values_in_six(4), absolute_values(4, nonzero=2))
    assert wrong.status == "refuted" and sum(x != 0 for x in wrong.counterexample) == 2


def test_every_weight_matters_or_changes_nothing():
    """Each weight, changed; the solver against plain evaluation on the rays of the axes."""
    n = 4
    network, function = circuits.absolute_values_in_six(n), absolute_values(n)
    rays = [[s * (j == k) for j in range(n)] for k in range(n) for s in (1, -1)]
    refuted = 0
    for k, matrix in enumerate(network.weights):
        for row, column in itertools.product(*map(range, matrix.shape)):
            for change in (-1, 1):
                changed = network.with_weight(k, row, column, matrix[row, column] + change)
                wrong = any([*changed(*ray)] != [*map(abs, ray)] for ray in rays)
                assert (prove_equal(changed, function).status == "refuted") == wrong
                refuted += wrong
    assert refuted > 100


def test_values_on_rays_are_the_networks():
    w, v = study.draw(range(3), 4, 5)
    found = study.values_on_rays(w, v)
    for seed, (k, sign) in itertools.product(range(3), itertools.product(range(4), (0, 1))):
        x = torch.zeros(4, dtype=torch.float64)
        x[k] = 1 - 2 * sign
        assert torch.allclose(found[seed, :, k + 4 * sign], v[seed] @ torch.relu(w[seed] @ x))


def test_training_on_rays_lowers_the_error_and_depends_on_the_seed_alone():
    few, many = (study.one_at_a_time(range(n), 4, 6, kind="signs", steps=300) for n in (3, 6))
    start = study.one_at_a_time(range(3), 4, 6, kind="signs", steps=1)
    assert (few[2] < start[2]).all()
    assert few[2] == pytest.approx(many[2][:3], abs=1e-9)


def test_loss_without_sharing():
    """Against the mean over many drawn inputs, of the best constant."""
    rng = np.random.default_rng(0)
    size = abs(rng.uniform(-1, 1, 400_000) * (rng.random(400_000) < 0.3))
    assert study.apart(4, 2, 0.3) == pytest.approx((0.8 + 0.64 + 0.512) * size.var(), rel=0.01)
