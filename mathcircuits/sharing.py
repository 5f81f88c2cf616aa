"""Several functions in one network: the smallest network of one hidden layer for a list of functions."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from operator import and_

import numpy as np

from mathcircuits import checks, circuits
from mathcircuits.functions import FUNCTIONS, Function
from mathcircuits.network import Network, linear_formula, node_names
from mathcircuits.optimal import planes_of, smallest_choice


def shared(functions: Iterable[str | Function]) -> Network:
    """Return a smallest network of one hidden layer that computes several functions of the library at once.

    It has one output for each value of each function, in the order given. Functions of one input read the first one.
    No network of one hidden layer that computes all of them has fewer units (notebook A1, Theorem 4; notebook 17).

    Args:
        functions: of ``FUNCTIONS``, or their names; those that one hidden layer computes on all real inputs.

    Raises:
        TypeError: something other than a list of functions or names.
        ValueError: no function; an unknown name; a function with two hidden layers, or with a domain.

    >>> six = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]
    >>> network = shared(six)
    >>> network.widths, [str(value) for value in network(3, -5)]
    ((2, 4, 6), ['3', '-3', '3', '-2', '8', '-5'])
    """
    wanted = f"functions {checks.shown(functions)} were given; wanted a list of functions of the library"
    chosen = [_known(function) for function in checks.listed(wanted, functions)]
    if not chosen:
        raise ValueError("no function was given; wanted at least one")
    arity = max(function.arity for function in chosen)
    parts = []
    for function in chosen:
        network = getattr(circuits, function.name)()
        first, last = network.weights
        zeros = np.zeros((len(first), arity - function.arity), dtype=int)
        parts.append(Network([np.hstack([first, zeros]), last], network.biases))
    return smallest(reduce(and_, parts))


def _known(given) -> Function:
    function = FUNCTIONS.get(given) if isinstance(given, str) else given
    if isinstance(given, str) and function is None:
        raise ValueError(f"the function {given!r} was given; wanted one of {', '.join(FUNCTIONS)}")
    checks.instance("a function", function, Function, wanted="a Function of FUNCTIONS, or its name")
    if FUNCTIONS.get(function.name) != function or function.domain is not None or len(function.widths) != 3:
        raise ValueError(
            f"{function.name} was given; wanted a function that one hidden layer computes on all real inputs"
        )
    return function


def smallest(network: Network) -> Network:
    """Return a network of one hidden layer that computes the same on all real inputs, with the fewest units.

    Where the network bends a unit stays, or two that face both ways; what is linear besides is carried by pairs
    relu(z), relu(-z) (notebook A1, Theorem 4). Units are named after what they read.

    Raises:
        TypeError, ValueError: as ``fewest_units``; a network that is constant, as it needs no unit.

    >>> print(smallest(circuits.minimum() & circuits.maximum()))
    h1 = relu(x1)
    h2 = relu(-x1)
    h3 = relu(x1 - x2)
    h4 = relu(-x1 + x2)
    y1 = h1 - h2 - h3
    y2 = h1 - h2 + h4
    """
    planes, rest, constant = planes_of(network)
    if not planes and not rest.any():
        raise ValueError("a network that is constant was given; wanted one that needs a unit")
    both, turned = smallest_choice(planes, rest)
    units = []  # (incoming weights, bias, outgoing weights)
    for k, (normal, offset, bend) in enumerate(planes):
        sign = -1 if k in turned else 1
        if k in turned:  # bend · relu(z) = bend · relu(-z) + bend · z
            rest, constant = rest + np.outer(bend, normal), constant + bend * offset
        units.append([sign * normal, sign * offset, bend])
    basis = [planes[k][0] for k in both]
    offsets = [planes[k][1] for k in both]
    axes = [*np.eye(len(rest[0]), dtype=int) + Fraction(0), *rest]
    target = _rank_of([*rest, *basis])
    for row in axes:  # input by input where the linear part allows it, else along its own rows
        inside = _rank_of([*rest, *basis, row]) == target
        if inside and _rank_of([*basis, row]) > len(basis):
            basis.append(row)
            offsets.append(Fraction(0))
    shares = _coordinates(basis, rest)  # (outputs, len(basis))
    lines = []
    for j, (normal, offset) in enumerate(zip(basis, offsets, strict=True)):
        share = shares[:, j]
        constant = constant - share * offset
        if j < len(both):
            units[both[j]][2] = units[both[j]][2] + share
            lines.append([-normal, -offset, -share])
        else:
            lines += [[normal, offset, share], [-normal, -offset, -share]]
    units = sorted([*lines, *units], key=lambda unit: (sum(v != 0 for v in unit[0]), [-v for v in unit[0]]))
    rows, biases, columns = ([unit[k] for unit in units] for k in range(3))
    names = [[_feature(row, bias) for row, bias in zip(rows, biases, strict=True)]]
    return Network([rows, np.array(columns).T], [biases, constant], names)


def _feature(row: np.ndarray, bias: Fraction) -> str:
    """Name what a unit detects, as the first notebooks do."""
    inputs, read = node_names((len(row), 1))[0], np.flatnonzero(row)
    if not bias and len(read) == 1:
        return f"{'positiveness' if row[read[0]] > 0 else 'negativeness'} of {inputs[read[0]]}"
    if not bias and len(read) == 2 and row.sum() == 0:
        return f"greaterness of {inputs[row.argmax()]} over {inputs[row.argmin()]}"
    return f"positiveness of {linear_formula(row, bias, inputs)}"


def _rank_of(rows) -> int:
    from sympy import Matrix

    return Matrix([list(row) for row in rows]).rank() if len(rows) else 0


def _coordinates(basis: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Write each row as a sum of multiples of independent vectors; the factors, as Fractions."""
    from sympy import Matrix

    if not basis:
        return np.zeros((len(rows), 0), dtype=object)
    matrix = Matrix([list(v) for v in basis]).T
    found = (matrix.T * matrix).inv() * matrix.T * Matrix([list(row) for row in rows]).T
    return np.array([[Fraction(int(v.p), int(v.q)) for v in column] for column in found.T.tolist()], dtype=object)
