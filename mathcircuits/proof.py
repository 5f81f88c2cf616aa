"""Is this network that function, for all real inputs? Decided exactly, by z3, and never by sampling.

ReLU networks and the functions here are piecewise linear with rational coefficients, so "somewhere they
differ" is a formula of quantifier-free linear real arithmetic. That theory is decidable, and z3 decides it
in exact rational arithmetic: no solution means that the two agree everywhere.

A definition is handed exact terms (``terms``) and never those of z3, so what z3 is asked about is the function. Each
verdict is checked besides by arithmetic that shares nothing with z3: a counterexample by exact evaluation, a proof at
2,000 points of the domain (corners, ties, small and large numbers, fractions), in whole numbers.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce

import numpy as np
import z3

from mathcircuits import checks
from mathcircuits.certificates import certify
from mathcircuits.functions import Function, Set, some_of
from mathcircuits.network import Network
from mathcircuits.terms import RATIOS, WHOLE, Ratios, alike, evaluate

LARGE = 50  # hidden units; z3 takes long over networks of more
POINTS, PARTS = 2000, 2520  # at which a proof is checked, and what an interval is divided into to draw them
NO_LIMIT = 2**32 - 1  # of time, in z3's milliseconds


@dataclass(frozen=True)
class Proof:
    """What was decided. True in an ``if`` exactly when it is a proof.

    Attributes:
        status: "proved", "refuted" or "undecided" (the time ran out).
        claim: the claim, in words.
        counterexample: if refuted, rational inputs at which the two sides differ, else None.
        left, right: if refuted, the values of the two sides there, by exact evaluation (not by z3).
        by: what decided it, "z3" or "cells" (see ``certify``).
    """

    status: str
    claim: str
    counterexample: tuple[Fraction, ...] | None = None
    left: Fraction | tuple[Fraction, ...] | None = None
    right: Fraction | tuple[Fraction, ...] | None = None
    by: str = "z3"

    def __bool__(self) -> bool:
        return self.status == "proved"

    def __str__(self) -> str:
        if self.status != "refuted":
            return f"{self.status}: {self.claim}"
        at, left, right = (_text(v) for v in (self.counterexample, self.left, self.right))
        return f"refuted: {self.claim}; at {at} the left side is {left}, the right side {right}"


def prove_equal(left: Network, right: Function | Network, *, box=None, timeout: float = 60.0) -> Proof:
    """Decide whether a network equals a function (or another network) on its whole domain, as a rule all real inputs.

    Args:
        left: a network of any depth; floats count as the rational numbers they stand for.
        right: a Function or a Network of the same arity and number of outputs. Where a Function has a domain, the
            claim is on that; where it has ``nonzero``, the claim is on inputs of which at most so many are not 0.
        box: the claim is on ``low <= x_i <= high`` instead of the domain: one pair (low, high), or one for each input.
            Bounds may be infinite: ``(0, math.inf)`` is every x_i >= 0.
        timeout: seconds after which the answer is "undecided"; ``math.inf`` waits for as long as it takes.

    Returns:
        A Proof: "proved" after z3 found no input at which they differ, and exact arithmetic none among 2,000;
        "refuted" with an input at which exact evaluation gives two values; or "undecided". A network of more than 50
        hidden units is compared with a function cell by cell, by ``certify``, and ``by`` says so.

    Raises:
        TypeError, ValueError: sides that are not networks or functions, or do not fit each other; a definition that
            uses more than exact terms know, such as a product of inputs; a box or timeout that is none.
        RuntimeError: z3's answer and exact arithmetic contradict each other, so that one of them is wrong.

    >>> from mathcircuits import FUNCTIONS, circuits
    >>> print(prove_equal(circuits.minimum(), FUNCTIONS["minimum"]))
    proved: the network equals minimum for all real inputs
    >>> wrong = prove_equal(circuits.identity(), FUNCTIONS["absolute_value"])
    >>> bool(wrong), wrong.left == -wrong.right
    (False, True)
    >>> print(prove_equal(circuits.logical_and(), FUNCTIONS["logical_and"]))
    proved: the network equals logical_and on {0, 1} × {0, 1}
    """
    if not isinstance(left, Network) or not isinstance(right, Network | Function):
        kinds = f"{type(left).__name__} and {type(right).__name__}"
        raise TypeError(f"{kinds} were given; wanted a Network and a Function or Network")
    ends = [(side.arity, side.widths[-1]) for side in (left, right)]
    if ends[0] != ends[1]:
        raise ValueError(f"sides with {ends[0]} and {ends[1]} inputs and outputs were given; wanted as many of each")
    domain = right.domain if isinstance(right, Function) else None
    if box is not None:
        domain = tuple((pair,) for pair in checks.box(box, left.arity, finite=False, flat=True))
    nonzero = right.nonzero if isinstance(right, Function) else None
    name = "the other network" if isinstance(right, Network) else right.name
    claim = f"the network equals {name} " + ("for all real inputs" if domain is None else f"on {_domain_text(domain)}")
    claim += "" if nonzero is None else f" of which at most {nonzero} {'is' if nonzero == 1 else 'are'} not 0"
    by = "cells" if isinstance(right, Function) and sum(left.widths[1:-1]) > LARGE else "z3"
    status, point = (
        _ask_cells(left, right, box, timeout) if by == "cells" else _ask_z3(left, right, domain, nonzero, timeout)
    )
    if status == "undecided":
        return Proof(status, claim, by=by)
    if status == "proved":
        point = _difference(left, right, domain, nonzero)
        if point is not None:
            raise RuntimeError(f"{by} proved that {claim}, but exact evaluation gives two values at {_text(point)}")
        return Proof(status, claim, by=by)
    here, there = (side.to_exact()(*point) if isinstance(side, Network) else side(*point) for side in (left, right))
    if here == there:
        raise RuntimeError(f"{by} refuted that {claim} at {_text(point)}, but exact evaluation gives one value there")
    return Proof(status, claim, point, here, there, by)


def _ask_z3(left, right, domain, nonzero, timeout: float) -> tuple[str, tuple[Fraction, ...] | None]:
    """The verdict, and if refuted a point at which the sides differ."""
    solver, inputs = _solver(timeout), [z3.Real(f"x{i + 1}") for i in range(left.arity)]
    if domain is not None:
        solver.add([_within(x, intervals) for x, intervals in zip(inputs, domain, strict=True)])
    if nonzero is not None:
        zeros = itertools.combinations(inputs, left.arity - nonzero)
        solver.add(z3.Or([z3.And([x == 0 for x in some]) for some in zeros]))
    solver.add(z3.Or([a != b for a, b in zip(_encode(left, inputs), _encode(right, inputs), strict=True)]))
    answer = solver.check()
    if answer == z3.sat:
        return "refuted", _values(solver.model(), inputs)
    return "proved" if answer == z3.unsat else "undecided", None


def _ask_cells(left: Network, right: Function, box, timeout: float) -> tuple[str, tuple[Fraction, ...] | None]:
    """The same by ``certify``, which makes some thousand cells a second."""
    try:
        found = certify(left, right, box=box, seconds=timeout)
    except TimeoutError:
        return "undecided", None
    return "proved" if found.verdict == "equal" else "refuted", found.point


def find_network(
    function: Function,
    units: int,
    points: Iterable[Sequence],
    *,
    excluding: Sequence[Network] = (),
    bias: bool = False,
    timeout: float = 60.0,
) -> Network | None:
    """Find a network with one hidden layer that fits finitely many points, or prove that there is none.

    ``None`` is a proof: no choice of real weights makes ``units`` hidden units equal the function at these
    points, so none makes them equal everywhere. Scaling a unit by c > 0 and its outgoing weight by 1/c changes
    nothing, so outgoing weights may be taken to be +1, 0 or -1, and z3 decides the rest (linear arithmetic).

    Args:
        units: how many hidden units; with none, only a constant is left.
        points: inputs at which the network must equal the function, which has one value; rational numbers, or floats
            for those that they stand for.
        excluding: networks of that shape that do not count, at any scale and in any order of units.
        bias: whether it may have biases.

    Raises:
        TypeError, ValueError: a function of several values; points of another arity or outside the domain; a network
            to be excluded that has another shape, or biases where there may be none.
        TimeoutError: undecided after ``timeout`` seconds for one choice of outgoing signs.

    >>> from mathcircuits import FUNCTIONS
    >>> print(find_network(FUNCTIONS["absolute_value"], 1, [(1,), (-1,)]))
    None
    >>> print(find_network(FUNCTIONS["absolute_value"], 2, [(1,), (-1,)]).weights[1].tolist())
    [[Fraction(1, 1), Fraction(1, 1)]]
    """
    checks.instance("the function", function, Function, wanted="a Function")
    if function.widths[-1] != 1:
        raise ValueError(f"{function.name} of {function.widths[-1]} values was given; wanted a function of one value")
    units, bias = checks.integer("units", units, at_least=0), checks.flag("bias", bias)
    wanted = {}
    for given in checks.listed(f"the points {checks.shown(points)} were given; wanted a list of points", points):
        coordinates = checks.listed(f"the point {checks.shown(given)} was given; wanted a list of coordinates", given)
        point = tuple(Fraction(checks.number("a coordinate", x)) for x in coordinates)
        wanted[point] = function(*point)
        if function.nonzero is not None and sum(x != 0 for x in point) > function.nonzero:
            few = f"at most {function.nonzero} coordinates that are not 0"
            raise ValueError(f"the point {_text(point)} was given; {function.name} wants points with {few}")
        if function.domain and not all(map(_contains, function.domain, point)):
            name, sets = function.name, _domain_text(function.domain)
            raise ValueError(f"the point {_text(point)} was given; wanted points of the domain {sets} of {name}")
    networks = checks.listed(f"excluding={checks.shown(excluding)} was given; wanted a list of networks", excluding)
    excluded = [_signed_rows(network, (function.arity, units, 1), bias) for network in networks]
    for signs in itertools.combinations_with_replacement((1, 0, -1), units):
        solver, one = _solver(timeout), (Fraction(1),) * bias  # an input that is always 1 is what a bias multiplies
        w = [[z3.Real(f"w{j}_{i}") for i in range(function.arity + bias)] for j in range(units)]
        constant = z3.Real("b") if bias else z3.RealVal(0)
        for point, y in wanted.items():
            z = [z3.Sum([_number(x) * v for x, v in zip(point + one, row, strict=True)]) for row in w]
            value = z3.Sum([s * _relu(v) for s, v in zip(signs, z, strict=True)] + [constant])
            solver.add(value == _number(y))
        for units_of_it, end in excluded:
            for order in itertools.permutations(units_of_it):
                if tuple(sign for sign, _ in order) == signs:
                    numbers = [_number(c) for _, row in order for c in row] + [_number(end)]
                    variables = [*itertools.chain(*w), constant]
                    solver.add(z3.Or([v != c for v, c in zip(variables, numbers, strict=True)]))
        answer = solver.check()
        if answer == z3.unknown:
            raise TimeoutError(f"outgoing weights {signs} are undecided after {timeout} s")
        if answer == z3.sat:
            rows = [_values(solver.model(), row) for row in w]
            end = _values(solver.model(), [constant])
            if not units:
                return Network([[[0] * function.arity]], [end])
            biases = [[row[-1] for row in rows], end] if bias else None
            return Network([[row[: function.arity] for row in rows], [signs]], biases)
    return None


def _signed_rows(
    network: Network, widths: tuple[int, ...], bias: bool
) -> tuple[list[tuple[int, np.ndarray]], Fraction]:
    """Return what tells a network whatever the scale and order of its hidden units.

    For each unit the sign of its outgoing weight, and its incoming weights (with biases, its own is the last) times the
    size of that weight; and the bias of the output.
    """
    checks.instance("to be excluded,", network, Network)
    if network.widths != widths or not (bias or network.bias_free):
        wanted = f"{widths}" if bias else f"{widths} and no biases"
        raise ValueError(f"a network of widths {network.widths} was to be excluded; wanted {wanted}")
    (hidden, (output,)), (biases, (end,)) = network.to_exact().weights, network.to_exact().biases
    rows = np.column_stack([hidden, biases]) if bias else hidden
    return [((a > 0) - (a < 0), abs(a) * row) for a, row in zip(output, rows, strict=True)], end


def _solver(timeout: float) -> z3.Solver:
    seconds = checks.number("timeout", timeout, above=0, finite=False)
    solver = z3.SolverFor("QF_LRA")
    solver.set("timeout", max(1, int(min(1000 * seconds, NO_LIMIT))))
    return solver


def _values(model: z3.ModelRef, variables: list) -> tuple[Fraction, ...]:
    # Here and in _number by way of Decimal, as Python neither reads nor writes integers of more than 4,300 digits.
    texts = [model.eval(v, model_completion=True).as_string() for v in variables]
    return tuple(Fraction(*(int(Decimal(part)) for part in text.split("/"))) for text in texts)


def _number(value) -> z3.RatNumRef:
    value = Fraction(value)
    return z3.RealVal("/".join(format(Decimal(part), "f") for part in (value.numerator, value.denominator)))


def _relu(z):
    return z3.If(z > 0, z, z3.RealVal(0))


def _within(x, intervals: Set) -> z3.BoolRef:
    above = [x >= _number(low) if low > -math.inf else True for low, _ in intervals]
    below = [x <= _number(high) if high < math.inf else True for _, high in intervals]
    return z3.Or([z3.And(ends) for ends in zip(above, below, strict=True)])


def _encode(side: Network | Function, inputs: list) -> list:
    """Return the outputs of a network or function as z3 terms of the inputs."""
    if isinstance(side, Function):
        return evaluate(side.terms(), inputs, Z3)
    values = inputs
    for k, (w, b) in enumerate(zip(side.weights, side.biases, strict=True)):
        values = [
            z3.Sum([_number(c) * v for c, v in zip(row, values, strict=True) if c != 0] + [_number(bias)])
            for row, bias in zip(w, b, strict=True)
        ]
        if k < len(side.weights) - 1:
            values = [_relu(v) for v in values]
    return values


Z3 = {
    "number": _number,
    "truth": z3.BoolVal,
    "+": operator.add,
    "*": operator.mul,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "&": z3.And,
    "|": z3.Or,
    "~": z3.Not,
    "where": z3.If,
}


# --- the same without z3: at many points at once, in whole numbers ----------------------------------------------------


def _difference(left: Network, right: Network | Function, domain, nonzero) -> tuple[Fraction, ...] | None:
    """Return a point of the domain at which the sides differ, if there is one among 2,000."""
    points, denominator = _points(domain, left.arity)
    if nonzero is not None:
        points = points * some_of(left.arity, nonzero, POINTS, np.random.default_rng(1)).T
    sides = zip(*(_ratios(side, points, denominator) for side in (left, right)), strict=True)
    unequal = np.any([np.broadcast_to(operator.ne(*alike(a, b)[:2]), POINTS) for a, b in sides], axis=0)
    return tuple(Fraction(int(x), denominator) for x in points[:, unequal.argmax()]) if unequal.any() else None


def _points(domain: Sequence[Set] | None, arity: int) -> Ratios:
    """Draw points of a domain: numerators of shape (arity, POINTS), and their common denominator.

    Each coordinate is some part of the way through an interval of its set, or one of its ends, or a small multiple of
    1/2, or, for ties, plus or minus an earlier coordinate. An interval without end goes on for 8, or for 8,000.
    """
    rng, n = np.random.default_rng(0), POINTS
    sets = domain or [((-math.inf, math.inf),)] * arity
    ends = [Fraction(end) for intervals in sets for pair in intervals for end in pair if abs(end) < math.inf]
    denominator = PARTS * math.lcm(2, *(end.denominator for end in ends))
    largest = denominator * (8000 + max(map(math.ceil, map(abs, ends)), default=0))
    dtype = np.int64 if 4 * largest < WHOLE else object
    rows: list[np.ndarray] = []

    def some(values: Sequence, indices: np.ndarray) -> np.ndarray:
        return np.array([int(Fraction(value) * denominator) for value in values], dtype=dtype)[indices]

    for intervals in sets:
        pairs = [
            (min(high, 0) - reach if low == -math.inf else low, max(low, 0) + reach if high == math.inf else high)
            for reach in [8] * 7 + [8000]
            for low, high in intervals
        ]
        drawn, way = rng.integers(len(pairs), size=n), rng.integers(PARTS + 1, size=n)
        way = np.where(rng.random(n) < 1 / 4, way % 2 * PARTS, way)
        low, high = (some(values, drawn) for values in zip(*pairs, strict=True))
        row = low + (high - low) // PARTS * way
        halves = [x for x in (Fraction(k, 2) for k in range(-6, 7)) if _contains(intervals, x)]
        if halves:
            row = np.where(rng.random(n) < 1 / 4, some(halves, rng.integers(len(halves), size=n)), row)
        if rows:
            tie = np.array(rows)[rng.integers(len(rows), size=n), np.arange(n)] * rng.choice([1, -1], size=n)
            row = np.where(_contains(intervals, tie, denominator) & (rng.random(n) < 1 / 4), tie, row)
        rows.append(row)
    return np.array(rows), denominator


def _contains(intervals: Set, x, one: int = 1):
    """Tell whether a number is in the set, or which of the numbers with these numerators over ``one`` are."""
    # For arrays of whole numbers, whole numbers: denominators of the ends divide ``one``.
    kind = Fraction if one == 1 else int
    ends = [[end if abs(end) == math.inf else kind(Fraction(end) * one) for end in pair] for pair in intervals]
    return reduce(operator.or_, ((low <= x) & (x <= high) for low, high in ends))


def _ratios(side: Network | Function, points: np.ndarray, denominator: int) -> list[Ratios]:
    """Return the outputs of a network or function at points, exactly."""
    if isinstance(side, Function):
        return evaluate(side.terms(), [(row, denominator) for row in points], RATIOS)
    values, exact = points, side.to_exact()
    for k, (w, b) in enumerate(zip(exact.weights, exact.biases, strict=True)):
        common = math.lcm(*(v.denominator for v in (*w.flat, *b)))
        rows = [[int(v * common) for v in row] for row in np.column_stack([w, b])]
        largest = max(denominator, int(values.max()), -int(values.min()))
        dtype = np.int64 if largest * max(1, *(sum(map(abs, row)) for row in rows)) < WHOLE else object
        ones = np.full((1, POINTS), denominator, dtype=dtype)  # the bias is the weight of an input that is always 1
        values = np.array(rows, dtype=dtype) @ np.vstack([values.astype(dtype), ones])
        denominator *= common
        if k < len(exact.weights) - 1:
            values = np.maximum(values, 0)
    return [(row, denominator) for row in values]


def _domain_text(domain: Sequence[Set]) -> str:
    """The sets as a product: {0, 1} × [-1, 1]; more than two that are equal as a power: {0, 1}^5."""
    sets = []
    for intervals in domain:
        parts = []
        for single, ends in itertools.groupby(intervals, key=lambda pair: pair[0] == pair[1]):
            ends = list(ends)
            parts += [f"{{{', '.join(_text(low) for low, _ in ends)}}}"] if single else map(_interval_text, ends)
        sets.append(" ∪ ".join(parts))
    return f"{sets[0]}^{len(sets)}" if len(sets) > 2 and len(set(sets)) == 1 else " × ".join(sets)


def _interval_text(ends: tuple) -> str:
    low, high = ends
    return f"{'(-∞' if low == -math.inf else f'[{_text(low)}'}, {'∞)' if high == math.inf else f'{_text(high)}]'}"


def _text(value: Fraction | float | tuple[Fraction, ...]) -> str:
    if isinstance(value, tuple):
        return _text(value[0]) if len(value) == 1 else f"({', '.join(map(_text, value))})"
    try:
        return str(value)
    except ValueError:  # more than 4,300 digits
        return f"about {Decimal(value.numerator) / Decimal(value.denominator):.3e}"
