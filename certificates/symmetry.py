"""Fewer cells for a network and a function that stay the same when inputs trade places: see ordered_cells.

check.py imports this for the certificates that ask for it, and for no others.
"""

from itertools import permutations
from math import inf


def ordered_cells(sets, symmetries, layers, terms):
    """All real inputs in some order x_i >= x_j >= ...; of orders that symmetries take to each other only the first."""
    inputs, seen = [["x", j + 1] for j in range(len(sets))], set()
    if sets != [[(-inf, inf)]] * len(sets):
        raise ValueError("symmetries are for all real inputs")
    if terms not in ([["+", *inputs]], [["min", *inputs]], [["max", *inputs]]):
        raise ValueError("the function may change with the order of the inputs")
    for s in symmetries:
        if sorted(s) != list(range(len(sets))) or normal(layers, s) != normal(layers, range(len(sets))):
            raise ValueError("the network changes with the order of the inputs")
    for order in permutations(range(len(sets))):
        if order not in seen:
            steps = [[int(j in order[:k]) for j in range(len(sets))] for k in range(len(sets) + 1)]
            yield [[1, *steps[0]], *([0, *step] for step in steps[1:]), [0] + [-1] * len(sets)]
        new = {order} - seen
        while new:
            seen |= new
            new = {tuple(s[j] for j in at) for at in new for s in symmetries} - seen


def normal(layers, order):
    """The network as a sum of maxima, with its inputs in another order.

    With P and N what is added and what is subtracted in z, relu(z) = max(P, N) - N, and max(c P, c N) = c max(P, N). A
    maximum of which one side is nothing but a maximum is a maximum of more.
    """
    values = [{j: 1} for j in order]
    for k, (weights, biases) in enumerate(layers, 1):
        below, values = [{"one": 1}, *values], []
        for row in ([b, *row] for row, b in zip(weights, biases)):
            keys = {key for c, form in zip(row, below) for key in form}
            total = {key: sum(c * form.get(key, 0) for c, form in zip(row, below)) for key in keys}
            total = {key: c for key, c in total.items() if c}
            if k < len(layers) and total:
                size = max(map(abs, total.values()))
                sides = [[(key, abs(c) / size) for key, c in total.items() if c * s > 0] for s in (1, -1)]
                inside = [side[0][0] if len(side) == 1 and side[0][1] == 1 else None for side in sides]
                flat = [key if isinstance(key, frozenset) else {frozenset(side)} for key, side in zip(inside, sides)]
                whole, total = frozenset().union(*flat), {key: c for key, c in total.items() if c < 0}
                total[whole] = total.get(whole, 0) + size  # it may be among what is subtracted: relu(-relu(x)) = 0
                total = {key: c for key, c in total.items() if c}
            values.append(total)
    return values
