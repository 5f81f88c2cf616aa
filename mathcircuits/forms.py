"""One representative of all networks that differ only by symmetry, and the nearest small rationals."""

from __future__ import annotations

import itertools
from bisect import bisect
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import NamedTuple

import numpy as np

from mathcircuits import checks
from mathcircuits.network import Network, to_fractions


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
        TypeError: something other than a Network. ValueError: a tolerance that is negative, infinite or NaN.

    >>> learned = Network([[[0.5], [-2.0], [1.5]], [[0.8, -0.5, 0.4]]])
    >>> print(canonical(learned))
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - h2
    """
    result = checks.instance("the network", network, Network)
    tolerance = checks.number("the tolerance", tolerance, at_least=0)
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
    reach = abs(out).max(axis=0)
    groups = _same_direction(rows, reach, slack)
    means = [reach[group] @ rows[group] / (reach[group].sum() or 1) for group in groups]
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
        TypeError: something other than a Network, or a max_denominator that is no integer.
        ValueError: a max_denominator below 1.

    >>> snapped = snap(Network([[[1.00002], [-1.0]], [[0.99997, -0.50001]]]))
    >>> print(snapped.network)
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - 1/2 h2
    >>> round(snapped.distance, 6)
    3e-05
    """
    checks.instance("the network", network, Network)
    largest = checks.integer("max_denominator", max_denominator, at_least=1)
    result = network.map_weights(lambda v: Fraction(v).limit_denominator(largest))
    before, after = (n.weights + n.biases for n in (network.to_exact(), result))
    distance = max(abs(a - b).max() for a, b in zip(before, after, strict=True))
    return Snapped(result, float(distance))


def merge_layers(network: Network) -> Network:
    """Remove every hidden layer that only reconstructs its inputs, by multiplying the matrices around it.

    A pair of units relu(z) and relu(-cz), c > 0, with outgoing weights α and -α/c adds α z: no bend is left. A
    layer of such pairs is linear and not needed. The function does not change.

    Raises:
        TypeError: something other than a Network; a float network, in which such pairs are never quite exact.

    >>> from mathcircuits import circuits
    >>> merge_layers(circuits.minimum_two_layers()) == circuits.minimum()
    True
    """
    if not checks.instance("the network", network, Network).exact:
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


class Kink(NamedTuple):
    """bend · relu(normal · x - offset): where a function bends, along normal · x = offset, and by how much."""

    normal: tuple
    offset: Real
    bend: Real


class FunctionForm(NamedTuple):
    """f(x) = constant + slope · x + Σ bend_k · relu(normal_k · x - offset_k), the kinks in descending order."""

    constant: Real
    slope: tuple
    kinks: tuple[Kink, ...]

    def to_network(self) -> Network:
        """Return a small network of this form: one unit a kink, and a reconstructor circuit for the slope.

        A slope along the only kink's normal takes one more unit, on the kink's other side, instead of two.

        >>> print(FunctionForm(0, (-1,), (Kink((1,), 0, 2),)).to_network())
        h1 = relu(x)
        h2 = relu(-x)
        y = h1 + h2
        """
        slope, constant, units = np.array(self.slope), self.constant, []
        for kink in self.kinks:
            row, out = np.array([*kink.normal, -kink.offset]), kink.bend
            top = np.argmax(abs(row[:-1]))
            share = slope[top] / row[top]
            if share and not (slope - share * row[:-1]).any():
                # K relu(z) + c z = (K + c) relu(z) - c relu(-z)
                slope, constant = slope * 0, constant - share * row[-1]
                units.append((-row, -share))
                out = out + share
            units.append((row, out))
        size = abs(slope).max()
        if size:
            units += [(sign * np.append(slope / size, 0 * size), sign * size) for sign in (1, -1)]
        units = [(row, out) for row, out in units if out] or [(np.zeros(len(slope) + 1, dtype=int), 0)]
        rows = np.array([row for row, _ in units])
        network = Network([rows[:, :-1], [[out for _, out in units]]], [rows[:, -1], [constant]])
        return canonical(network, tolerance=0)


def function_form(network: Network, *, box=None, tolerance: float = 1e-3) -> FunctionForm:
    """Return the canonical form of the *function* of a network with one hidden layer and one output.

    Equal functions have equal forms, however many units compute them: normals are distinct, scaled to a largest
    \\|entry\\| of 1, their first entry that is not zero positive, and no bend is zero. A unit a relu(w · x + b) bends
    by a times the largest \\|w\\|. One that faces the other way is turned by relu(-z) = relu(z) - z; units that bend
    along the same line add up. (A function that is linear piece by piece has one such form: its kinks are where its
    gradient jumps, and what is left without them is linear.) `canonical` tells networks, this tells functions.

    Args:
        box: (low, high) of every input, or one pair for each: there alone the form is the function's. Units that
            are always on there are linear, units that are never on there are nothing.
        tolerance: for float networks, the error in the function at which kinks count as one or as none. What takes
            the place of a kink that is left out is its chord across the box. Exact networks are treated exactly.

    Raises:
        TypeError: something other than a Network.
        ValueError: more or fewer hidden layers; several outputs; a tolerance that is negative, infinite or NaN; a box
            that is empty or unbounded.

    >>> from mathcircuits import circuits
    >>> form = function_form(circuits.minimum())
    >>> form == function_form(circuits.minimum_mirror())
    True
    >>> [str(v) for v in form.slope], [str(v) for v in form.kinks[0].normal], str(form.kinks[0].bend)
    (['1', '0'], ['1', '-1'], '-1')
    """
    checks.instance("the network", network, Network)
    tolerance = checks.number("the tolerance", tolerance, at_least=0)
    box = None if box is None else checks.box(box, network.arity)
    if len(network.weights) != 2 or network.widths[-1] != 1:
        raise ValueError(f"a network of widths {network.widths} was given; wanted one hidden layer and one output")
    slack = 0 if network.exact else tolerance
    rows, out = np.column_stack([network.weights[0], network.biases[0]]), network.weights[1][0]
    size = abs(rows[:, :-1]).max(axis=1)
    bent = size * abs(out) > 0
    line = np.append(0 * rows[0, :-1], network.biases[1][0] + (out * np.maximum(rows[:, -1], 0))[~bent].sum())
    rows, bends, kinks = rows[bent] / size[bent, None], (out * size)[bent], []
    for group in lines(rows, abs(bends), slack):
        members, signs = map(list, zip(*group, strict=True))
        bend, turned = bends[members].sum(), np.array(signs)[:, None] * rows[members]
        share = abs(bends[members]) / abs(bends[members]).sum()
        normal = share @ turned
        normal = normal / abs(normal[:-1]).max()
        if next(v for v in normal[:-1] if abs(v) > slack) < 0:
            normal, turned, signs = -normal, -turned, [-sign for sign in signs]
        line = line - sum(b * row for b, row, sign in zip(bends[members], turned, signs, strict=True) if sign < 0)
        line = line + (bends[members] @ turned - bend * normal) / 2  # zero where all point exactly the same way
        below, above = spread(normal, (-1, 1) if box is None else box)
        chord = above / (above - below) if below < 0 < above else above * 0 + (above > 0)
        if abs(bend) * (1 if box is None else -below * chord) <= slack:
            line = line + bend * chord * normal
        else:
            kinks.append([*normal.tolist(), bend if network.exact else float(bend)])
    kinks = [kinks[k] for k in _descending([np.array(kink[:-1]) for kink in kinks], 10 * slack)]
    *slope, constant = line.tolist()
    return FunctionForm(constant, tuple(slope), tuple(Kink(tuple(k[:-2]), -k[-2], k[-1]) for k in kinks))


def spread(rows: np.ndarray, box) -> tuple:
    """Least and greatest value of rows · (x, 1) on a box: one pair (low, high), or one for each input.

    >>> [v.tolist() for v in spread(np.array([[1, -1, 0], [1, 0, 2]]), (-1, 1))]
    [[-2.0, 1.0], [2.0, 3.0]]
    """
    low, high = np.array(box, dtype=object).T
    low, high = (to_fractions(v) if rows.dtype == object else np.asarray(v, dtype=float) for v in (low, high))
    up, down = np.maximum(rows[..., :-1], 0), np.minimum(rows[..., :-1], 0)
    low, high = (np.broadcast_to(v, up.shape[-1:]) for v in (low, high))
    return up @ low + down @ high + rows[..., -1], up @ high + down @ low + rows[..., -1]


def lines(rows: np.ndarray, reach: np.ndarray, slack: float) -> list[list[tuple[int, int]]]:
    """Group units that bend along nearly the same line: (unit, +1 or -1), the latter if it faces the other way.

    A group is led by its unit of largest reach; the others differ by at most ``slack``, seen in their reach.
    """
    groups: list[list[tuple[int, int]]] = []
    for j in np.argsort(-reach, kind="stable"):
        for group, sign in itertools.product(groups, (1, -1)):
            if abs(rows[j] - sign * rows[group[0][0]]).max() * reach[j] <= slack:
                group.append((int(j), sign))
                break
        else:
            groups.append([(int(j), 1)])
    return groups
