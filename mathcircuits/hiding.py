"""Circuits hidden in wider networks of the same function: to test whether a reader finds them again."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mathcircuits import checks
from mathcircuits.network import Network


class Hidden(NamedTuple):
    """A network, and for each hidden layer the units (from 1) that carry the circuit; the others add nothing."""

    network: Network
    carriers: tuple[tuple[int, ...], ...]


def hide(circuit: Network, *, width: int, seed: int, noise: float = 0.0) -> Hidden:
    """Hide a circuit: units split in two, idle units and pairs that cancel added, all scaled and shuffled.

    Nothing of it changes the function: exactly so without noise, for all real inputs.

    Args:
        circuit: an exact network.
        width: units of every hidden layer, at least as many as the circuit has.
        noise: standard deviation of what is added to every weight, and to every bias unless all are zero.

    Raises:
        TypeError: no exact network. ValueError: a width below the circuit's, a negative seed or noise.

    >>> from mathcircuits import FUNCTIONS, circuits, prove_equal
    >>> hidden = hide(circuits.minimum(), width=9, seed=0)
    >>> hidden.network.widths, bool(prove_equal(hidden.network, FUNCTIONS["minimum"]))
    ((2, 9, 1), True)
    """
    if not checks.instance("the circuit", circuit, Network).exact:
        raise TypeError("a float network was given; wanted an exact one")
    width = checks.integer("the width", width, at_least=max(circuit.widths[1:-1], default=1))
    rng = np.random.default_rng(checks.integer("the seed", seed, at_least=0))
    noise = checks.number("the noise", noise, at_least=0)
    network, carriers = circuit, []
    for k in range(len(circuit.weights) - 1):
        network, carrying = _widened(network, k, width, rng)
        carriers.append(carrying)
    if noise:
        shift = 0 if circuit.bias_free else noise
        network = Network(
            [w.astype(float) + noise * rng.normal(size=w.shape) for w in network.weights],
            [b.astype(float) + shift * rng.normal(size=b.shape) for b in network.biases],
        )
    return Hidden(network, tuple(carriers))


def _widened(network: Network, k: int, width: int, rng: np.random.Generator) -> tuple[Network, tuple[int, ...]]:
    def fraction(low: int, high: int) -> Fraction:
        return Fraction(int(rng.integers(low, high)), 8)

    weights, biases = list(network.weights), list(network.biases)
    units = [
        (row, bias, column, True) for row, bias, column in zip(weights[k], biases[k], weights[k + 1].T, strict=True)
    ]
    while len(units) < width:
        kind = rng.integers(3) if len(units) + 2 <= width else rng.integers(2)
        row = np.array([fraction(-8, 9) for _ in range(network.widths[k])])
        if kind == 0:  # one that nothing reads
            units.append((row, Fraction(0), 0 * units[0][2], False))
        elif kind == 1:  # one that shares the work of another
            j, share = int(rng.integers(len(units))), fraction(1, 8)
            row, bias, column, carries = units[j]
            units[j] = (row, bias, share * column, carries)
            units.append((row, bias, (1 - share) * column, carries))
        else:  # two that cancel
            column = np.array([fraction(-8, 9) for _ in range(network.widths[k + 2])])
            units += [(row, Fraction(0), column, False), (2 * row, Fraction(0), -column / 2, False)]
    units = [units[j] for j in rng.permutation(width)]
    scales = [Fraction(int(rng.integers(1, 5)), int(rng.integers(1, 5))) for _ in units]
    weights[k] = np.array([s * row for s, (row, *_) in zip(scales, units, strict=True)])
    biases[k] = np.array([s * bias for s, (_, bias, *_) in zip(scales, units, strict=True)])
    weights[k + 1] = np.column_stack([column / s for s, (_, _, column, _) in zip(scales, units, strict=True)])
    return Network(weights, biases), tuple(j for j, unit in enumerate(units, 1) if unit[3])
