"""One representative of all networks that differ only by symmetry, and the nearest small rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mathcircuits.network import Network


def canonical(network: Network, *, tolerance: float = 1e-3) -> Network:
    """Return the canonical form: dead units dropped, units that point the same way merged, scaled, ordered.

    None of the four steps changes the function (exactly so for exact networks). Layer by layer: a unit is
    scaled so that its largest \\|incoming weight\\| is 1, its outgoing weights taking up the scale; units with
    equal incoming weights become one, their outgoing weights added; a unit with no incoming or no outgoing
    weight is dropped (what it adds as a constant goes into the next bias); the rest stand in descending order
    of their incoming weights.

    Args:
        tolerance: for float networks, what counts as equal or zero: a change of a weight by so much, seen in
            the unit's outgoing weight. Exact networks are treated exactly.

    >>> learned = Network([[[0.5], [-2.0], [1.5]], [[0.8, -0.5, 0.4]]])
    >>> print(canonical(learned))
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - h2
    """
    slack = 0 if network.exact else tolerance
    weights, biases = [list(a) for a in (network.weights, network.biases)]
    names = list(network.names)
    for k in range(len(weights) - 1):
        w, b, out = weights[k].copy(), biases[k].copy(), weights[k + 1].copy()
        size = abs(w).max(axis=1)
        alive = (size * abs(out).max(axis=0) > slack) & (size > 0)
        constant = np.maximum(b, 0) * (size == 0)
        next_bias = biases[k + 1] + out @ constant
        if not alive.any():
            w, b, out, alive = w * 0, b * 0, out * 0, np.arange(len(w)) == 0
            size = size * 0 + 1
        w, b, out = w[alive] / size[alive, None], b[alive] / size[alive], out[:, alive] * size[alive]
        kept = [name for name, a in zip(names[k], alive, strict=True) if a]
        w, b, out, kept = _merge(w, b, out, kept, slack)
        order = sorted(range(len(w)), key=lambda j: _order_key(w[j], b[j]), reverse=True)
        weights[k], biases[k], weights[k + 1], biases[k + 1] = w[order], b[order], out[:, order], next_bias
        names[k] = [kept[j] for j in order]
    return Network(weights, biases, names)


def _merge(w, b, out, names, slack):
    """Make one unit of all that share a direction: outgoing weights add, the direction is their mean."""
    groups: list[list[int]] = []
    for j in np.argsort(-abs(out).max(axis=0).astype(float), kind="stable"):
        for group in groups:
            gap = max(abs(w[j] - w[group[0]]).max(), abs(b[j] - b[group[0]]))
            if gap * abs(out[:, j]).max() <= slack and gap < Fraction(1, 2):
                group.append(j)
                break
        else:
            groups.append([j])
    rows, shifts, columns, kept = [], [], [], []
    for group in groups:
        share = abs(out[:, group]).sum(axis=0)
        share = share / share.sum() if share.sum() else share
        total = out[:, group].sum(axis=1)
        if len(groups) > 1 and abs(total).max() <= slack:
            continue
        row = share @ w[group]
        size = abs(row).max() or 1
        rows.append(row / size)
        shifts.append(share @ b[group] / size)
        columns.append(total * size)
        kept.append(names[group[0]])
    if not rows:
        return w[:1] * 0, b[:1] * 0, out[:, :1] * 0, names[:1]
    return np.array(rows), np.array(shifts), np.array(columns).T, kept


def _order_key(row, bias):
    return tuple(round(float(v), 2) + 0.0 for v in (*row, bias))


class Snapped(NamedTuple):
    """A network with small rational weights, and the largest change of a weight that led to it."""

    network: Network
    distance: float


def snap(network: Network, *, max_denominator: int = 4) -> Snapped:
    """Move every weight and bias to the nearest rational number with a small denominator.

    Args:
        max_denominator: the largest denominator allowed, at least 1.

    >>> snapped = snap(Network([[[1.00002], [-1.0]], [[0.99997, -0.50001]]]))
    >>> print(snapped.network)
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - 1/2 h2
    >>> round(snapped.distance, 6)
    3e-05
    """
    if max_denominator < 1:
        raise ValueError(f"max_denominator {max_denominator} was given; wanted at least 1")
    nearest = np.vectorize(lambda v: Fraction(v).limit_denominator(max_denominator), otypes=[object])
    result = Network([nearest(w) for w in network.weights], [nearest(b) for b in network.biases], network.names)
    pairs = zip(network.weights + network.biases, result.weights + result.biases, strict=True)
    distance = max(float(abs(Fraction(a) - b)) for old, new in pairs for a, b in zip(old.flat, new.flat, strict=True))
    return Snapped(result, distance)


def merge_layers(network: Network) -> Network:
    """Remove every hidden layer that only reconstructs its inputs, by multiplying the matrices around it.

    A pair of units relu(z) and relu(-cz), c > 0, with outgoing weights α and -α/c adds α z: no bend is left. A
    layer of such pairs is linear and not needed. The network must be exact; the function does not change.

    >>> from mathcircuits import circuits
    >>> merge_layers(circuits.minimum_two_layers()) == circuits.minimum()
    True
    """
    if not network.exact:
        raise TypeError("a float network was given; wanted an exact one (snap it first)")
    for k in range(len(network.weights) - 1):
        rows = np.hstack([network.weights[k], network.biases[k][:, None]])
        linear = _linear_part(rows, network.weights[k + 1])
        if linear is not None:
            weights = (*network.weights[:k], linear[:, :-1], *network.weights[k + 2 :])
            bias = linear[:, -1] + network.biases[k + 1]
            biases = (*network.biases[:k], bias, *network.biases[k + 2 :])
            return merge_layers(Network(weights, biases, network.names[:k] + network.names[k + 1 :]))
    return network


def _linear_part(rows, out):
    """Σ out[:, p] rows[p] over the pairs that a layer is made of, or None if it is not made of pairs."""
    total, left = out[:, :1] * rows[:1] * 0, list(range(len(rows)))
    while left:
        p = left.pop()
        for q in left:
            c = abs(rows[q]).max() / (abs(rows[p]).max() or 1)
            if c > 0 and (rows[q] == -c * rows[p]).all() and (c * out[:, q] == -out[:, p]).all():
                left.remove(q)
                break
        else:
            return None
        total = total + np.outer(out[:, p], rows[p])
    return total
