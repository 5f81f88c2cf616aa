"""What is hidden is still there: by exact values, and by leaving out what is said to carry nothing."""

from fractions import Fraction

import numpy as np
import pytest

from mathcircuits import FUNCTIONS, Network, circuits, hide

POINTS = [(Fraction(a, 3), Fraction(b, 5)) for a in range(-4, 5) for b in range(-4, 5)]


@pytest.mark.parametrize("circuit", [circuits.minimum(), circuits.minimum_two_layers(), circuits.absolute_sum()])
def test_the_function_does_not_change(circuit):
    for seed in range(5):
        network, carriers = hide(circuit, width=12, seed=seed)
        assert network.widths == (2, *[12] * (len(circuit.widths) - 2), 1) and network.exact
        assert all(network(*p) == circuit(*p) for p in POINTS)
        # Without the units that carry nothing, and only then, it is still the same.
        for keep, same in ((True, True), (False, False)):
            weights = list(network.weights)
            for k, carrying in enumerate(carriers):
                idle = [j for j in range(12) if (j + 1 in carrying) != keep]
                weights[k + 1] = weights[k + 1].copy()
                weights[k + 1][:, idle] = 0
            left = Network(weights, network.biases)
            assert all(left(*p) == circuit(*p) for p in POINTS) == same


def test_noise_and_seeds():
    one, other = (hide(circuits.minimum(), width=8, seed=s).network for s in (0, 1))
    assert one != other and one == hide(circuits.minimum(), width=8, seed=0).network
    noisy = hide(circuits.minimum(), width=8, seed=0, noise=1e-3).network
    change = np.concatenate([(a - b.astype(float)).ravel() for a, b in zip(noisy.weights, one.weights, strict=True)])
    assert 5e-4 < change.std() < 2e-3 and noisy.bias_free
    assert abs(noisy(3, -5) - FUNCTIONS["minimum"](3, -5)) < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2, "seed": 0}, "width"),
        ({"width": 5, "seed": -1}, "seed"),
        ({"width": 5, "seed": 0, "noise": -1}, "noise"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=f"the {message}"):
        hide(circuits.minimum(), **options)
    with pytest.raises(TypeError, match="wanted an exact one"):
        hide(circuits.minimum().to_float(), width=5, seed=0)
