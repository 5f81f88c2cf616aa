"""Proofs as data: the domain cut into cells on which everything is linear, for anybody to check without this package.

A cell is given by corners and rays, as vectors (1, x) and (0, x): its points are weighted means of the corners plus
multiples >= 0 of the rays. If the sum of a unit has both signs on a cell, the edge from a vector where it is positive
to one where it is negative is cut where it is zero, and the cell falls into two. In the end every ReLU and every
comparison has one sign. Then network and function are linear on the cell, and its corners and rays decide. All of it is
in whole numbers.

``certificates/check.py`` reads what is written here. It shares no code with this module, on purpose.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from mathcircuits import checks
from mathcircuits.functions import Function
from mathcircuits.network import Network
from mathcircuits.terms import evaluate

SYMMETRIC = 5  # inputs from which on it pays to look for symmetries
Vector = tuple[int, ...]  # (1, x) or (0, x), times a positive number that makes it whole and as small as can be


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was decided about a network and a function, and how to check it.

    Attributes:
        verdict: "equal", "refuted", or "close": nowhere on the domain do they differ by more than ``bound``.
        claim: the claim, in words.
        bound: the largest difference that was found: 0 if they are equal, and if refuted that at ``point``.
        point: inputs at which the difference is ``bound``; None if they are equal.
        cells: the number of cells, 0 if refuted.
        data: what the file says, as ``certificates/check.py`` reads it.
    """

    verdict: str
    claim: str
    bound: Fraction
    point: tuple[Fraction, ...] | None
    cells: int
    data: dict

    def save(self, path: str | os.PathLike) -> None:
        """Write the certificate as JSON, whole or not at all.

        >>> from mathcircuits import FUNCTIONS, circuits
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     certify(circuits.minimum(), FUNCTIONS["minimum"]).save(Path(folder) / "minimum.json")
        ...     print(len(json.loads((Path(folder) / "minimum.json").read_text())["cuts"]))
        4
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            partial.write_text(str(self) + "\n", encoding="utf-8")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def __str__(self) -> str:
        """The JSON text, one entry of the certificate a line and one matrix row a line."""
        lines = []
        for key, value in self.data.items():
            text = json.dumps(value, ensure_ascii=False)
            if key in ("weights", "cuts"):
                text = "[\n    " + ",\n    ".join(json.dumps(part, ensure_ascii=False) for part in value) + "\n  ]"
            lines.append(f"  {json.dumps(key)}: {text}")
        return "{\n" + ",\n".join(lines) + "\n}"


def certify(
    network: Network,
    function: Function,
    *,
    box=None,
    symmetry: bool | None = None,
    cells: int = 100_000,
    seconds: float = math.inf,
) -> Certificate:
    """Decide whether a network equals a function on its whole domain, and write down why.

    Args:
        network: of any depth; floats count as the rational numbers they stand for.
        function: of the same arity and number of outputs. Where it has a domain, the claim is on that.
        box: the claim is on ``low <= x_i <= high`` instead, as in ``prove_equal``; bounds may be infinite.
        symmetry: whether to look for exchanges of inputs that change nothing, so that one order of the inputs stands
            for many; left out, from 5 inputs on, where it pays.
        cells, seconds: at most so many, and about so long.

    Returns:
        A Certificate, "equal" or "refuted".

    Raises:
        TypeError, ValueError: sides that are no network and function, or do not fit each other; a function that jumps
            inside its domain. TimeoutError: more cells, or more time, are needed.

    >>> from mathcircuits import FUNCTIONS, circuits
    >>> certify(circuits.minimum(), FUNCTIONS["minimum"]).cells
    6
    >>> wrong = certify(circuits.identity(), FUNCTIONS["absolute_value"])
    >>> wrong.verdict, wrong.point, wrong.bound
    ('refuted', (Fraction(-1, 1),), Fraction(2, 1))
    """
    _fitting(network, function)
    sets = function.domain or [[(-math.inf, math.inf)]] * function.arity
    if box is not None:
        sets = [[pair] for pair in checks.box(box, function.arity, finite=False, flat=True)]
    limits = checks.integer("cells", cells, at_least=1), checks.number("seconds", seconds, above=0, finite=False)
    search = _Search(network, function, sets, *limits)
    looked_for = function.arity >= SYMMETRIC if symmetry is None else checks.flag("symmetry", symmetry)
    symmetries = search.symmetries() if looked_for else []
    try:
        cuts = search.cuts(_orders(function.arity, symmetries) if symmetries else search.beginnings(), close=False)
    except _Different as found:
        return search.certificate("refuted", found.point, [])
    if cuts is None:
        raise TimeoutError(f"{cells:,} cells and {seconds} s were allowed; more are needed")
    return search.certificate("equal", None, cuts, symmetries)


def prove_close(network: Network, function: Function, box=None, *, cells: int = 20_000) -> Certificate:
    """Find the largest difference between a network, as it is, and a function on a box, exactly.

    The difference is linear on every cell, so it is largest at a corner.

    Args:
        network, function, cells: as in ``certify``. Nothing is rounded.
        box: bounded; left out, the range on which the function is trained: from ``low`` to ``high``, in its domain.

    Returns:
        A Certificate: "close", with a ``bound`` that is attained at ``point``; "equal" if the bound is 0; "undecided"
        if more cells are needed, with the largest difference found until then.

    Raises:
        TypeError, ValueError: as ``certify`` does; a box that is not bounded.

    >>> from mathcircuits import FUNCTIONS, circuits
    >>> near = prove_close(circuits.identity(), FUNCTIONS["absolute_value"], (-1, 3))
    >>> near.bound, near.point
    (Fraction(2, 1), (Fraction(-1, 1),))
    """
    _fitting(network, function)
    sets = function._intervals()
    if box is not None:
        sets = [[pair] for pair in checks.box(box, function.arity, flat=True)]
    search = _Search(network, function, sets, checks.integer("cells", cells, at_least=1))
    cuts = search.cuts(search.beginnings(), close=True)
    verdict = "undecided" if cuts is None else "close" if search.worst[0] else "equal"
    return search.certificate(verdict, search.worst[1] if search.worst[0] else None, cuts)


def _fitting(network, function) -> None:
    checks.instance("the network", network, Network)
    checks.instance("the function", function, Function)
    ends = [(network.arity, network.widths[-1]), (function.arity, function.widths[-1])]
    if ends[0] != ends[1]:
        raise ValueError(f"sides with {ends[0]} and {ends[1]} inputs and outputs were given; wanted as many of each")


# --- the function, as a certificate says it --------------------------------------------------------------------------


def _flat(name: str, *parts) -> list:
    """A sum, minimum or maximum; one inside another of the same kind is one."""
    return [name, *itertools.chain(*(part[1:] if part[0] == name else [part] for part in parts))]


def _chosen(a, b, then, other):
    """Where a < b the one term, else the other: said as a minimum or a maximum where it is one."""
    if b == "0" and then == ["*", "-1", a] and other == a:
        return _flat("max", a, then)
    if (then, other) in ((a, b), (b, a)):
        return _flat("min" if then == a else "max", then, other)
    return ["if >", b, a, then, other]


# A comparison is what makes a term of the two that it chooses from.
_AS_DATA = {
    "number": str,
    "truth": lambda value: lambda then, other: then if value else other,
    "+": lambda a, b: _flat("+", a, b),
    "*": lambda c, a: ["*", c, a],
    "<": lambda a, b: lambda then, other: _chosen(a, b, then, other),
    "<=": lambda a, b: lambda then, other: _chosen(b, a, other, then),
    "==": lambda a, b: lambda then, other: ["if >", a, b, other, ["if >", b, a, other, then]],
    "&": lambda p, q: lambda then, other: p(q(then, other), other),
    "|": lambda p, q: lambda then, other: p(then, q(then, other)),
    "~": lambda p: lambda then, other: p(other, then),
    "where": lambda p, then, other: p(then, other),
}


# --- cutting ---------------------------------------------------------------------------------------------------------


def _written(value: Fraction) -> str:
    """Write a fraction of any length; ``str`` refuses integers of more than 4,300 digits."""
    value = Fraction(value)
    numerator, denominator = (format(Decimal(part), "f") for part in (value.numerator, value.denominator))
    return numerator if value.denominator == 1 else f"{numerator}/{denominator}"


class _Cut(Exception):
    """A cell has to be cut: the places of two vectors in it, and the values there of what is zero between them."""


class _Different(Exception):
    def __init__(self, point):
        self.point = point


class _Search:
    """The cells of one network and one function, and the largest difference met so far."""

    def __init__(
        self, network: Network, function: Function, sets: Sequence, most_cells: int, seconds: float = math.inf
    ):
        self.end = time.monotonic() + seconds
        self.network, self.function, self.sets, self.most_cells = network.to_exact(), function, sets, most_cells
        inputs = [["x", i + 1] for i in range(function.arity)]
        self.terms = evaluate(function.terms(), inputs, _AS_DATA)
        self.layers, self.scale = _whole_layers(self.network)
        self.values: dict[
            Vector, tuple[np.ndarray, list[int]]
        ] = {}  # of the hidden units (before ReLU), of the outputs
        self.worst: tuple[Fraction, tuple[Fraction, ...] | None] = (Fraction(0), None)
        self.n_cells = 0

    def beginnings(self) -> Iterator[list[Vector]]:
        """The cells to begin with, in the order in which the checker makes them: boxes, and parts of boxes."""
        both = (-math.inf, math.inf)
        halved = [
            [h for pair in s for h in ([(both[0], 0), (0, both[1])] if pair == both else [pair])] for s in self.sets
        ]
        n = len(halved)
        choices = itertools.combinations(range(n), self.function.nonzero or n)
        boxes = (itertools.product(*(halved[j] if j in some else [(0, 0)] for j in range(n))) for some in choices)
        for box in itertools.chain.from_iterable(boxes):
            corners = itertools.product(
                *(sorted({Fraction(v) for v in pair if abs(v) < math.inf} or {Fraction(0)}) for pair in box)
            )
            rays = [(j, s) for j, pair in enumerate(box) for s in (1, -1) if s * math.inf in pair]
            steps = ([s * (i == j) for i in range(len(box))] for j, s in rays)
            yield [(1, *corner) for corner in corners] + [(0, *step) for step in steps]

    def cuts(self, beginnings: Iterable[list[Vector]], close: bool) -> list | None:
        """Cut until everything is linear; None if that takes too many cells.

        Args:
            close: whether differences are measured, or the first one is raised as ``_Different``.
        """
        trees: list = []
        todo = [(cell, trees, k) for k, cell in enumerate(beginnings)]
        trees += [None] * len(todo)
        while todo:
            cell, parent, place = todo.pop()
            try:
                self._compare(cell, close)
            except _Cut as cut:
                i, j, high, low = cut.args
                between = [high * v - low * u for u, v in zip(cell[i], cell[j], strict=True)]
                g = _vector(between)
                size = Fraction(*next((a, b) for a, b in zip(g, between, strict=True) if b)) if any(between) else 1
                parent[place] = [i, j, _written(-low * size), _written(high * size), None, None]
                todo += [([*cell[:out], g, *cell[out + 1 :]], parent[place], 4 + n) for n, out in enumerate((i, j))]
            else:
                self.n_cells += 1
            if self.n_cells + len(todo) > self.most_cells or time.monotonic() > self.end:
                return None
        return trees

    def _compare(self, cell: list[Vector], close: bool) -> None:
        """Compare the two sides on a cell; raise ``_Cut`` where one of them is not linear."""
        hidden, outputs = zip(*map(self._network_at, cell), strict=True)
        if len(hidden[0]):
            units = np.stack(hidden)
            mixed = (units > 0).any(0) & (units < 0).any(0)
            if mixed.any():
                _sign(units[:, mixed.argmax()].tolist())
        theirs = [_function_values(term, cell) for term in self.terms]
        for k, at in enumerate(zip(*theirs, strict=True)):
            different = max(abs(Fraction(a, self.scale) - b) for a, b in zip(outputs[k], at, strict=True))
            if different and not close:  # at a corner; or along a ray, from any corner
                corner = cell[k] if cell[k][0] else next(g for g in cell if g[0])
                raise _Different(_point([a + b for a, b in zip(corner, cell[k], strict=True)]))
            if different:
                self.worst = max(self.worst, (different / cell[k][0], _point(cell[k])), key=lambda pair: pair[0])

    def _network_at(self, g: Vector) -> tuple[np.ndarray, list[int]]:
        """The sums of all hidden units, and the outputs; all times whole numbers, and the outputs times ``scale``."""
        if g not in self.values:
            one, values, hidden = g[0], np.array(g[1:], dtype=object), []
            for k, (weights, biases) in enumerate(self.layers):
                values = weights @ values + biases * one
                if k < len(self.layers) - 1:
                    hidden.append(values)
                    values = np.maximum(values, 0)
            self.values[g] = (np.concatenate(hidden) if hidden else np.array([])), values.tolist()
        return self.values[g]

    def symmetries(self) -> list[list[int]]:
        """Exchanges of inputs, one or two at a time, that change neither side.

        There the network stays the same as a sum of inputs and maxima, and the function is a sum, minimum or maximum of
        all its inputs.
        """
        n = self.function.arity
        free = self.function.nonzero is None and all(list(s) == [(-math.inf, math.inf)] for s in self.sets)
        inputs = [["x", i + 1] for i in range(n)]
        if not free or self.terms not in ([[name, *inputs]] for name in ("+", "min", "max")):
            return []
        found, usual = [], _sums_of_maxima(self.layers, range(n))
        pairs = list(itertools.combinations(range(n), 2))
        for exchanged in [*itertools.combinations(pairs, 1), *itertools.combinations(pairs, 2)]:
            order = list(range(n))
            for i, j in exchanged:
                order[i], order[j] = order[j], order[i]
            if all(order[order[i]] == i for i in order) and _sums_of_maxima(self.layers, order) == usual:
                found.append(order)
        return found

    def certificate(self, verdict: str, point, cuts, symmetries=()) -> Certificate:
        f, network = self.function, self.network
        bound = self.worst[0]
        if verdict == "refuted":
            ours, theirs = network(*point), f(*point)
            bound = (
                abs(ours - theirs)
                if network.widths[-1] == 1
                else max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            )
        data = {
            "name": f.name,
            "verdict": verdict,
            "weights": [[list(map(_written, row)) for row in w] for w in network.weights],
            "biases": [list(map(_written, b)) for b in network.biases],
            "function": self.terms,
            "domain": [[[_end_text(v) for v in pair] for pair in s] for s in self.sets],
        }
        if f.nonzero is not None:
            data["nonzero"] = f.nonzero
        if point is not None:
            data |= {"bound": _written(bound), "point": list(map(_written, point))}
        if symmetries:
            data["symmetries"] = symmetries
        if verdict in ("equal", "close"):
            data["cuts"] = cuts
        return Certificate(verdict, f.name, bound, point, self.n_cells if cuts else 0, data)


def _orders(n: int, symmetries: list[list[int]]) -> Iterator[list[Vector]]:
    """The cells x_i >= x_j >= ... of all inputs, and of those that symmetries take to each other the first."""
    reached: set[tuple[int, ...]] = set()
    for order in itertools.permutations(range(n)):
        if order in reached:
            continue
        rays = [tuple(int(order.index(j) < k) for j in range(n)) for k in range(1, n + 1)]
        yield [(1, *[0] * n), *((0, *ray) for ray in rays), (0, *[-1] * n)]
        waiting = [order]
        while waiting:
            reached.add(at := waiting.pop())
            waiting += {tuple(s[j] for j in at) for s in symmetries} - reached


def _sums_of_maxima(layers: list, order: Iterable[int]) -> list[dict]:
    """Each output as a sum of inputs and maxima, {what: factor}, with input order[i] in the place of input i.

    With P and N what is added and what is subtracted in z, relu(z) = max(P, N) - N. A maximum of maxima is one, and a
    positive factor moves out of it. Equal sums are equal functions.
    """
    values: list[dict] = [{i: Fraction(1)} for i in order]
    for k, (weights, biases) in enumerate(layers):
        below, values = values, []
        for row, bias in zip(weights, biases, strict=True):
            total: dict = {"one": Fraction(int(bias))}
            for factor, part in zip(row, below, strict=True):
                for what, c in part.items() if factor else ():
                    total[what] = total.get(what, 0) + int(factor) * c
            total = {what: c for what, c in total.items() if c}
            if k < len(layers) - 1 and total:
                size, parts = max(map(abs, total.values())), set()
                for sign in (1, -1):
                    side = frozenset((what, abs(c) / size) for what, c in total.items() if c * sign > 0)
                    (what, c), *more = side or {("none", 0)}
                    parts |= what if isinstance(what, frozenset) and c == 1 and not more else {side}
                whole, total = frozenset(parts), {what: c for what, c in total.items() if c < 0}
                total[whole] = total.get(whole, 0) + size
                total = {what: c for what, c in total.items() if c}  # as in relu(-relu(x)) = 0
            values.append(total)
    return values


def _function_values(term, cell: list[Vector]) -> list:
    """The values of a term at the corners and rays of a cell; raise ``_Cut`` where it is not linear."""
    if isinstance(term, str):
        return [Fraction(term) * g[0] for g in cell]
    name, *parts = term
    if name == "x":
        return [g[parts[0]] for g in cell]
    if name == "*":
        return [Fraction(parts[0]) * v for v in _function_values(parts[1], cell)]
    if name == "if >":
        left, right = (_function_values(part, cell) for part in parts[:2])
        excess = [a - b for a, b in zip(left, right, strict=True)]
        if _sign(excess) <= 0:
            return _function_values(parts[3], cell)
        then, other = (_function_values(part, cell) for part in parts[2:])
        corners = all(e > 0 for e, g in zip(excess, cell, strict=True) if g[0])
        if not corners and any(e == 0 and a != b for e, a, b in zip(excess, then, other, strict=True)):
            raise ValueError(
                "the function jumps inside its domain; wanted a continuous one, or a domain without the jump"
            )
        return then
    best, *others = (_function_values(part, cell) for part in parts)
    for other in others:
        if name == "+":
            best = [a + b for a, b in zip(best, other, strict=True)]
        elif _sign([a - b for a, b in zip(best, other, strict=True)]) * (1 if name == "max" else -1) < 0:
            best = other
    return best


def _sign(values: list) -> int:
    """The sign of what is linear on a cell, from its values at the corners and rays; raise ``_Cut`` if it has both."""
    high, low = max(values), min(values)
    if low < 0 < high:
        raise _Cut(values.index(high), values.index(low), high, low)
    return (high > 0) - (low < 0)


def _whole_layers(network: Network) -> tuple[list, int]:
    """Weights and biases as whole numbers: each layer times its common denominator, and their product."""
    layers, scale = [], 1
    for w, b in zip(network.weights, network.biases, strict=True):
        common = math.lcm(*(v.denominator for v in (*w.flat, *(b * scale).flat)))
        whole = (np.vectorize(int, otypes=[object])(a) for a in (w * common, b * scale * common))
        layers.append(tuple(whole))
        scale *= common
    return layers, scale


def _vector(values: Sequence) -> Vector:
    """The same times a positive number: whole numbers without a common factor."""
    common = math.lcm(*(Fraction(v).denominator for v in values))
    whole = [int(v * common) for v in values]
    factor = math.gcd(*whole) or 1
    return tuple(v // factor for v in whole)


def _point(g: Sequence[int]) -> tuple[Fraction, ...]:
    return tuple(Fraction(v, g[0]) for v in g[1:])


def _end_text(value) -> str:
    return str(value) if abs(value) == math.inf else str(Fraction(value))
