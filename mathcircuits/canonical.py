"""One representative of all networks that differ only by symmetry, and the nearest small rationals."""

from __future__ import annotations

from bisect import bisect
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mathcircuits.network import Network


def canonical(network: Network, *, tolerance: float = 1e-3) -> Network:
    """Return the canonical form: dead units dropped, units that point the same way merged, scaled, ordered.

    None of the four steps changes the function (exactly so for exact networks). Layer by layer: a unit with no
    incoming or no outgoing weight is dropped (what it adds as a constant goes into the next bias); every other is
    scaled so that its largest \\|incoming weight\\| is 1, its outgoing weights taking up the scale; units with
    equal incoming weights become one, their outgoing weights added; units stand in descending order of their
    incoming weights. Repeated until nothing changes. A layer that is dead altogether keeps one unit, of zeros.

    Args:
        tolerance: for float networks, what counts as equal or zero: a change of a weight by so much, seen in
            the unit's outgoing weight. Exact networks are treated exactly.

    Raises:
        ValueError: a tolerance that is negative or NaN.

    >>> learned = Network([[[0.5], [-2.0], [1.5]], [[0.8, -0.5, 0.4]]])
    >>> print(canonical(learned))
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - h2
    """
    if not tolerance >= 0:
        raise ValueError(f"a tolerance of {tolerance} was given; wanted zero or more")
    result = network
    for k in range(len(network.weights) - 1):
        result = _canonical_layer(result, k, 0 if network.exact else tolerance)
    # Again, because a unit that is dropped can leave units before it that nothing reads any more.
    return result if result == network else canonical(result, tolerance=tolerance)


def _canonical_layer(network: Network, k: int, slack: float) -> Network:
    """Put hidden layer k (from 0) in canonical form. A unit is a row (incoming weights, bias) and a column of out."""
    weights, biases, names = list(network.weights), list(network.biases), list(network.names)
    rows, out = np.column_stack([weights[k], biases[k]]), weights[k + 1]
    size = abs(weights[k]).max(axis=1)
    alive = size * abs(out).max(axis=0) > slack
    biases[k + 1] = biases[k + 1] + out @ (np.maximum(biases[k], 0) * ~alive)
    if not alive.any():
        alive[0], size, rows, out = True, size * 0 + 1, rows * 0, out * 0
    kept = np.flatnonzero(alive)
    rows, out = rows[kept] / size[kept, None], out[:, kept] * size[kept]
    share = abs(out).sum(axis=0)
    groups = _same_direction(rows, abs(out).max(axis=0), slack)
    means = [share[group] @ rows[group] / (share[group].sum() or 1) for group in groups]
    order = _descending(means, 10 * slack)
    weights[k], biases[k] = np.array(means)[order, :-1], np.array(means)[order, -1]
    weights[k + 1] = np.column_stack([out[:, groups[g]].sum(axis=1) for g in order])
    names[k] = [names[k][kept[groups[g][0]]] for g in order]
    return Network(weights, biases, names)


def _same_direction(rows: np.ndarray, reach: np.ndarray, slack: float) -> list[list[int]]:
    """Group units of nearly equal rows, led by the one with the largest outgoing weight (reach)."""
    groups: list[list[int]] = []
    for j in np.argsort(-reach, kind="stable"):
        for group in groups:
            if abs(rows[j] - rows[group[0]]).max() * reach[j] <= slack:
                group.append(j)
                break
        else:
            groups.append([j])
    return groups


def _descending(rows: list[np.ndarray], slack: float) -> list[int]:
    """Order rows. Within a column, values rank as equal if no gap between them is over slack, as noise leaves none."""
    gaps = [[b for a, b in pairwise(sorted(column)) if b - a > slack] for column in zip(*rows, strict=True)]
    ranks = [[bisect(gap, value) for gap, value in zip(gaps, row, strict=True)] for row in rows]
    return sorted(range(len(rows)), key=lambda j: (ranks[j], list(rows[j])), reverse=True)


class Snapped(NamedTuple):
    """A network with small rational weights, and the largest change of a weight that led to it."""

    network: Network
    distance: float


def snap(network: Network, *, max_denominator: int = 4) -> Snapped:
    """Move every weight and bias to the nearest rational number with a small denominator.

    Args:
        max_denominator: the largest denominator allowed, at least 1.

    Raises:
        ValueError: a max_denominator below 1.

    >>> snapped = snap(Network([[[1.00002], [-1.0]], [[0.99997, -0.50001]]]))
    >>> print(snapped.network)
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - 1/2 h2
    >>> round(snapped.distance, 6)
    3e-05
    """
    if not max_denominator >= 1:
        raise ValueError(f"max_denominator {max_denominator} was given; wanted at least 1")
    result = network.map_weights(lambda v: Fraction(v).limit_denominator(max_denominator))
    before, after = (n.weights + n.biases for n in (network.to_exact(), result))
    distance = max(abs(a - b).max() for a, b in zip(before, after, strict=True))
    return Snapped(result, float(distance))


def merge_layers(network: Network) -> Network:
    """Remove every hidden layer that only reconstructs its inputs, by multiplying the matrices around it.

    A pair of units relu(z) and relu(-cz), c > 0, with outgoing weights α and -α/c adds α z: no bend is left. A
    layer of such pairs is linear and not needed. The function does not change.

    Raises:
        TypeError: a float network, in which such pairs are never quite exact.

    >>> from mathcircuits import circuits
    >>> merge_layers(circuits.minimum_two_layers()) == circuits.minimum()
    True
    """
    if not network.exact:
        raise TypeError("a float network was given; wanted an exact one (snap it first)")
    for k in range(len(network.weights) - 1):
        weights, biases, names = list(network.weights), list(network.biases), list(network.names)
        linear = _linear_part(np.column_stack([weights[k], biases[k]]), weights[k + 1])
        if linear is not None:
            weights[k : k + 2] = [linear[:, :-1]]
            biases[k : k + 2] = [linear[:, -1] + biases[k + 1]]
            del names[k]
            return merge_layers(Network(weights, biases, names))
    return network


def _linear_part(rows: np.ndarray, out: np.ndarray) -> np.ndarray | None:
    """Σ out[:, j] relu(rows[j] · x) as a matrix to multiply x with, or None if it is not linear.

    relu(z) is z/2 + |z|/2. The sum is linear if the second parts cancel, direction by direction.
    """
    bends: dict[tuple, np.ndarray] = {}
    for row, column in zip(rows, out.T, strict=True):
        first = next((v for v in row if v != 0), 0)
        direction = tuple(row / (first or 1))
        bends[direction] = bends.get(direction, 0) + abs(first) * column
    return None if any(bend.any() for bend in bends.values()) else out @ rows / 2
