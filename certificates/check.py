"""Check certificates: is this network that function, on its whole domain? Exact fractions, no solver, no other module.

    python certificates/check.py certificates/*.json

A certificate cuts the domain into cells. A cell is given by corners and rays, written as vectors (1, x) and (0, x): its
points are weighted means of the corners plus multiples >= 0 of rays. A ReLU whose input has one sign at all of these is
linear on the cell, and so is a minimum whose sides compare one way there. If everything is linear, network and
function agree on the cell if they agree at its corners and rays, and no error on it is larger than that at a corner.
A cut takes a vector g = a u + b v between two of them, a, b > 0. One part has g in the place of u, the other in the
place of v. Whatever the numbers are, the two parts make up the cell. The first cells are made here, from the domain.
"""

import json
import sys
from fractions import Fraction
from functools import cache, partial
from itertools import combinations, product
from math import inf
from pathlib import Path


def demand(condition, otherwise):
    if not condition:
        raise ValueError(otherwise)


def number(text):
    demand(isinstance(text, str) and set(text) <= set("-/0123456789"), f"{text!r:.40} is no fraction in quotes")
    return Fraction(text)


def sign(values):
    """1, -1 or 0 if the linear function with these values at the corners and rays is >= 0, <= 0 or 0 on the cell."""
    signs = {(v > 0) - (v < 0) for v in values}
    demand(not {1, -1} <= signs, "a unit or a comparison has both signs in a cell")
    return sum(signs)


def network_at(layers, vector):
    """The sums of all hidden units before ReLU, and the outputs, at a corner or a ray. A bias counts at corners."""
    one, *values = vector
    hidden = []
    for k, (weights, biases) in enumerate(layers, 1):
        demand({len(row) for row in weights} == {len(values)} and len(weights) == len(biases), "the layers do not fit")
        values = [sum((c * v for c, v in zip(row, values) if c), b * one) for row, b in zip(weights, biases)]
        if k < len(layers):
            hidden += values
            values = [max(v, 0) for v in values]
    return hidden, values


def function_values(term, cell):
    """The value of a term at every corner and ray."""
    if isinstance(term, str):
        return [number(term) * g[0] for g in cell]
    name, *parts = term
    if name == "x":
        demand(parts[0] in range(1, len(cell[0])), f"there is no input {parts[0]!r:.40}")
        return [g[parts[0]] for g in cell]
    if name == "*":
        return [number(parts[0]) * v for v in function_values(parts[1], cell)]
    best, *others = (function_values(part, cell) for part in parts)
    if name == "+":
        return list(map(sum, zip(best, *others)))
    if name == "if >":  # left, right, then, else
        excess = [p - q for p, q in zip(best, others[0])]
        if sign(excess) <= 0:
            return others[2]
        corners = all(e > 0 for e, g in zip(excess, cell) if g[0] > 0)
        demand(corners or all(e > 0 or y == n for e, y, n in zip(excess, *others[1:])), "the function jumps in a cell")
        return others[1]
    demand(name in ("min", "max"), f"{name!r:.40} is no operation")
    for other in others:
        best = best if sign(p - q for p, q in zip(best, other)) in (0, 1 if name == "max" else -1) else other
    return best


def domain_cells(sets, most):
    """Each input in an interval of its set, at most so many not zero: the corners and rays of every such box."""
    demand(0 < most <= len(sets), "the number of inputs that are not zero is out of range")
    halved = [[half for a, b in s for half in ([(a, 0), (0, b)] if (a, b) == (-inf, inf) else [(a, b)])] for s in sets]
    for free in combinations(range(len(sets)), most):
        for box in product(*(s if j in free else [(0, 0)] for j, s in enumerate(halved))):
            zero = all(any(a <= 0 <= b for a, b in s) for j, s in enumerate(sets) if j not in free)
            demand(zero and all(-inf < b >= a < inf for a, b in box), "an interval is empty, or zero is not in a set")
            corners = product(*(sorted({a, b} - {inf, -inf} or {0}) for a, b in box))
            rays = [(j, s) for j, ends in enumerate(box) for s in (1, -1) if s * inf in ends]
            yield [[1, *c] for c in corners] + [[0] + [(i == j) * s for i in range(len(box))] for j, s in rays]


def check(certificate):
    """The number of cells, or an error that says why the certificate does not show what it claims."""
    matrices = [[list(map(number, row)) for row in w] for w in certificate["weights"]]
    layers = list(zip(matrices, [list(map(number, b)) for b in certificate["biases"]], strict=True))
    terms, verdict = certificate["function"], certificate["verdict"]
    ends = {"inf": inf, "-inf": -inf}
    sets = [[tuple(ends[e] if e in ends else number(e) for e in pair) for pair in s] for s in certificate["domain"]]
    demand(sets and all(sets) and terms, "the domain or the function is empty")
    most, bound, leaves = certificate.get("nonzero", len(sets)), 0, 0
    network = cache(partial(network_at, layers))

    def errors(cell):
        hidden, ours = zip(*(network(tuple(g)) for g in cell))
        list(map(sign, zip(*hidden)))  # layer after layer, every unit is linear on the cell
        theirs = zip(*(function_values(term, cell) for term in terms))
        return [max(abs(p - q) for p, q in zip(*pair, strict=True)) for pair in zip(ours, theirs, strict=True)]

    if verdict != "equal":
        bound, point = number(certificate["bound"]), list(map(number, certificate["point"]))
        inside = all(any(a <= x <= b for a, b in s) for x, s in zip(point, sets, strict=True))
        demand(inside and sum(x != 0 for x in point) <= most, "the point is not in the domain")
        demand(errors([[1, *point]]) == [bound] and bound > 0, "the error at the point is not the one that is claimed")
    demand(verdict in ("equal", "close", "refuted"), f"{verdict!r:.40} is no verdict")
    cells = domain_cells(sets, most)
    if "symmetries" in certificate:
        from symmetry import ordered_cells  # beside this file, and read only where a certificate asks for it

        cells = ordered_cells(sets, certificate["symmetries"], layers, terms)
    todo = list(zip(cells, certificate["cuts"], strict=True)) if verdict != "refuted" else []
    for cell, cut in todo:
        if cut is None:
            demand(all(e <= bound * g[0] for e, g in zip(errors(cell), cell)), "the sides differ by more in a cell")
            leaves += 1
            continue
        i, j, a, b, *parts = cut
        demand(i != j and {i, j} <= set(range(len(cell))) and number(a) > 0 < number(b), "there is no such cut")
        g = [number(a) * u + number(b) * v for u, v in zip(cell[i], cell[j])]
        todo += zip(([g if k == out else old for k, old in enumerate(cell)] for out in (i, j)), parts, strict=True)
    return leaves


def main(paths):
    accepted, once = 0, lambda pairs: demand(len(dict(pairs)) == len(pairs), "a key is given twice") or dict(pairs)
    for path in paths:
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=once)
            claim = {k: v for k, v in data.items() if k not in ("name", "weights", "biases", "cuts")}
            known = set("verdict function domain nonzero symmetries bound point".split())
            demand(set(claim) <= known, "there is a part that nothing is said of")
            print(f"accepted {path}: {check(data)} cells, {json.dumps(claim)}")
            accepted += 1
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            print(f"REJECTED {path}: {error}")
    print(f"{accepted} of {len(paths)} certificates accepted")
    return accepted < max(1, len(paths))


if __name__ == "__main__":
    sys.set_int_max_str_digits(0)  # exact values of trained networks have thousands of digits
    sys.exit(main(sys.argv[1:]))
