"""Readings are held against how the network was made: the generator's ground truth, grids and sympy."""

from fractions import Fraction

import numpy as np
import pytest
from test_canonical import HALF, permuted, rational, split, with_units

from mathcircuits import FUNCTIONS, Network, circuits, read

LEAST_NORM = Network([[[1, 1], [-1, -1], [1, -1], [-1, 1]], [[HALF, -HALF, -HALF, -HALF]]])
FAMILIES = {
    **{name: [getattr(circuits, name)()] for name in FUNCTIONS},
    "minimum": [circuits.minimum(), circuits.minimum_mirror(), circuits.minimum_two_layers(), LEAST_NORM],
    "minimum_of_three": [circuits.minimum_of_three(), circuits.minimum_of(3)],
}


# The blind set: networks whose function is known by how they were made


def small(rng, network, k):
    """A row of incoming weights: what a new unit sums up is no larger than what there is already."""
    return rational(rng, network.widths[k]) / network.widths[k] / 2


def dead(network, k, rng):
    return with_units(network, k, [small(rng, network, k)], rational(rng, 1), [[0] * network.widths[k + 2]])


def cancelling(network, k, rng):
    """Two units along one line whose sum is zero."""
    row, column = small(rng, network, k), rational(rng, network.widths[k + 2]) / 2
    shift = rational(rng, 1)[0] / 2
    return with_units(network, k, [row, 2 * row], [shift, 2 * shift], np.array([column, -column / 2]))


def linear_pairs(network, k, rng):
    """Reconstructors of two sums, and of what they add up to, taken away: four or six units that bend along three lines."""
    a, b = small(rng, network, k), small(rng, network, k)
    rows = [s * row for row in (a, b, a + b) for s in (1, -1)]
    column = rational(rng, network.widths[k + 2]) / 2
    return with_units(network, k, rows, [0] * 6, [c * column for c in (1, -1, 1, -1, -1, 1)])


def always_on(network, k, rng):
    """A unit that is never off on the box, and a reconstructor that takes it away."""
    row, (c,) = small(rng, network, k), rational(rng, 1)
    column = np.full(network.widths[k + 2], c)
    shift = sum(abs(row)) + HALF
    return with_units(network, k, [row, -row, row], [shift, 0, 0], [column, column, -column], constant=-c * shift)


def duplicate(network, k, rng):
    weights, j, share = list(network.weights), rng.integers(network.widths[k + 1]), Fraction(int(rng.integers(1, 4)), 4)
    column = weights[k + 1][:, j]
    weights[k + 1] = weights[k + 1].copy()
    weights[k + 1][:, j] = column * share
    row, shift = weights[k][j] * 3, network.biases[k][j] * 3
    return with_units(Network(weights, network.biases), k, [row], [shift], [column * (1 - share) / 3])


def balanced(network, rng):
    """The same function in floats: incoming and outgoing weights of a unit alike in size, up to a factor of two."""
    weights, biases = ([a.astype(float) for a in arrays] for arrays in (network.weights, network.biases))
    for k in range(len(weights) - 1):
        sizes = abs(weights[k]).max(axis=1), abs(weights[k + 1]).max(axis=0)
        scale = [np.sqrt(b / a) if a * b else 1.0 for a, b in zip(*sizes, strict=True)] * 2 ** rng.uniform(-1, 1, len(sizes[0]))
        weights[k], biases[k], weights[k + 1] = weights[k] * scale[:, None], biases[k] * scale, weights[k + 1] / scale
    return Network(weights, biases)


def disguised(network, width, noise, rng):
    """Permuted, widened by units that change nothing, rescaled, every weight and bias moved by up to ``noise``."""
    for k in range(len(network.weights) - 1):
        moves = [dead, cancelling, duplicate] + [linear_pairs, always_on] * (len(network.weights) == 2)
        while network.widths[k + 1] < width:
            network = moves[rng.integers(len(moves))](network, k, rng)
        network = permuted(network, k, rng)
    return balanced(network, rng).map_weights(lambda v: v + rng.uniform(-noise, noise))


def truth(network):
    """The library's function that an exact network is, by comparing values at rational points."""
    points = [[Fraction(int(v), 7) for v in point] for point in np.random.default_rng(9).integers(-7, 8, (60, network.arity))]
    values = [network(*point) for point in points]
    names = [f.name for f in FUNCTIONS.values() if f.arity == network.arity]
    return next((n for n in names if all(FUNCTIONS[n](*p) == v for p, v in zip(points, values, strict=True))), None)
