"""Is this network that function, for all real inputs? Decided exactly, by z3, and never by sampling.

ReLU networks and the functions here are piecewise linear with rational coefficients, so "somewhere they
differ" is a formula of quantifier-free linear real arithmetic. That theory is decidable, and z3 decides it
in exact rational arithmetic: no solution means that the two agree everywhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import z3

from mathcircuits.functions import Function, Set
from mathcircuits.network import Network

Z3_OPERATIONS = SimpleNamespace(
    abs=lambda a: z3.If(a < 0, -a, a),
    minimum=lambda a, b: z3.If(a < b, a, b),
    maximum=lambda a, b: z3.If(a > b, a, b),
    where=z3.If,
)


@dataclass(frozen=True)
class Proof:
    """What was decided. True in an ``if`` exactly when it is a proof.

    Attributes:
        status: "proved", "refuted" or "undecided" (the time ran out).
        claim: the claim, in words.
        counterexample: if refuted, rational inputs at which the two sides differ, else None.
        left, right: if refuted, the values of the two sides there, by exact evaluation (not by z3).
    """

    status: str
    claim: str
    counterexample: tuple[Fraction, ...] | None = None
    left: Fraction | tuple[Fraction, ...] | None = None
    right: Fraction | tuple[Fraction, ...] | None = None

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
            claim is on that.
        box: the claim is on ``low <= x_i <= high`` instead: one pair (low, high), or one for each input. Bounds
            may be infinite: ``(0, math.inf)`` is every x_i >= 0.
        timeout: seconds after which the answer is "undecided".

    Raises:
        TypeError, ValueError: sides that are not networks or functions, or do not fit each other.

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
    solver, inputs = _solver(timeout), [z3.Real(f"x{i + 1}") for i in range(left.arity)]
    name, where = "the other network" if isinstance(right, Network) else right.name, "for all real inputs"
    domain = right.domain if isinstance(right, Function) else None
    if box is not None:
        pairs = [box] * left.arity if np.ndim(box) == 1 else list(box)
        if len(pairs) != left.arity or not all(len(p) == 2 and -math.inf < p[1] >= p[0] < math.inf for p in pairs):
            raise ValueError(f"the box {box} was given; wanted one (low, high), or one for each of {left.arity} inputs")
        domain = [(pair,) for pair in pairs]
    if domain is not None:
        solver.add([_within(x, intervals) for x, intervals in zip(inputs, domain, strict=True)])
        where = "on " + _domain_text(domain)
    solver.add(z3.Or([a != b for a, b in zip(_encode(left, inputs), _encode(right, inputs), strict=True)]))
    claim, answer = f"the network equals {name} {where}", solver.check()
    if answer != z3.sat:
        return Proof("proved" if answer == z3.unsat else "undecided", claim)
    point = _values(solver.model(), inputs)
    here, there = (side.to_exact()(*point) if isinstance(side, Network) else side(*point) for side in (left, right))
    if here == there:
        raise RuntimeError(f"z3 gave {point} as a counterexample, but both sides are {here} there")
    return Proof("refuted", claim, point, here, there)


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
    nothing, so outgoing weights may be taken as +1, 0 or -1, and z3 decides the rest (linear arithmetic).

    Args:
        points: inputs at which the network must equal the function, which has one value; rational numbers.
        excluding: networks of that shape that do not count, at any scale and in any order of units.
        bias: whether it may have biases.

    Raises:
        ValueError: a function of several values; points of another arity; a network to be excluded that has another
            shape, or biases where there may be none.
        TimeoutError: undecided after ``timeout`` seconds for one choice of outgoing signs.

    >>> from mathcircuits import FUNCTIONS
    >>> print(find_network(FUNCTIONS["absolute_value"], 1, [(1,), (-1,)]))
    None
    >>> print(find_network(FUNCTIONS["absolute_value"], 2, [(1,), (-1,)]).weights[1].tolist())
    [[Fraction(1, 1), Fraction(1, 1)]]
    """
    wanted = {point: function(*point) for point in (tuple(map(Fraction, p)) for p in points)}
    if function.widths[-1] != 1:
        raise ValueError(f"{function.name} of {function.widths[-1]} values was given; wanted a function of one value")
    excluding = [_signed_rows(network, (function.arity, units, 1), bias) for network in excluding]
    for signs in itertools.combinations_with_replacement((1, 0, -1), units):
        solver, one = _solver(timeout), (Fraction(1),) * bias  # an input that is always 1 is what a bias multiplies
        w = [[z3.Real(f"w{j}_{i}") for i in range(function.arity + bias)] for j in range(units)]
        constant = z3.Real("b") if bias else z3.RealVal(0)
        for point, y in wanted.items():
            z = [z3.Sum([_number(x) * v for x, v in zip(point + one, row, strict=True)]) for row in w]
            value = z3.Sum([s * _relu(v) for s, v in zip(signs, z, strict=True)] + [constant])
            solver.add(value == _number(y))
        for units_of_it, end in excluding:
            for order in itertools.permutations(units_of_it):
                if tuple(sign for sign, _ in order) == signs:
                    numbers = [_number(c) for _, row in order for c in row] + [_number(end)]
                    variables = [*itertools.chain(*w), constant]
                    solver.add(z3.Or([v != c for v, c in zip(variables, numbers, strict=True)]))
        answer = solver.check()
        if answer == z3.unknown:
            raise TimeoutError(f"outgoing weights {signs} are undecided after {timeout} s")
        if answer == z3.sat:
            rows = np.array([_values(solver.model(), row) for row in w])
            biases = [rows[:, -1], _values(solver.model(), [constant])] if bias else None
            return Network([rows[:, : function.arity], [signs]], biases)
    return None


def _signed_rows(
    network: Network, widths: tuple[int, ...], bias: bool
) -> tuple[list[tuple[int, np.ndarray]], Fraction]:
    """For each hidden unit the sign of its outgoing weight, and the incoming weights that have taken up its size.

    With biases, the unit's is the last of the row. And the bias of the output.
    """
    if network.widths != widths or not (bias or network.bias_free):
        wanted = f"{widths}" if bias else f"{widths} and no biases"
        raise ValueError(f"a network of widths {network.widths} was to be excluded; wanted {wanted}")
    (hidden, (output,)), (biases, (end,)) = network.to_exact().weights, network.to_exact().biases
    rows = np.column_stack([hidden, biases]) if bias else hidden
    return [((a > 0) - (a < 0), abs(a) * row) for a, row in zip(output, rows, strict=True)], end


def _solver(timeout: float) -> z3.Solver:
    solver = z3.SolverFor("QF_LRA")
    solver.set("timeout", max(1, int(1000 * timeout)))
    return solver


def _values(model: z3.ModelRef, variables: list) -> tuple[Fraction, ...]:
    return tuple(model.eval(v, model_completion=True).as_fraction() for v in variables)


def _relu(z):
    return z3.If(z > 0, z, z3.RealVal(0))


def _within(x, intervals: Set) -> z3.BoolRef:
    above = [x >= _number(low) if low > -math.inf else True for low, _ in intervals]
    below = [x <= _number(high) if high < math.inf else True for _, high in intervals]
    return z3.Or([z3.And(ends) for ends in zip(above, below, strict=True)])


def _number(value) -> z3.RatNumRef:
    value = Fraction(value)
    return z3.Q(value.numerator, value.denominator)


def _encode(side: Network | Function, inputs: list) -> list:
    """The outputs of a network or function as z3 terms of the inputs."""
    if isinstance(side, Function):
        value = side.definition(Z3_OPERATIONS, *inputs)
        return list(value) if isinstance(value, tuple) else [value]
    values = inputs
    for k, (w, b) in enumerate(zip(side.weights, side.biases, strict=True)):
        values = [
            z3.Sum([_number(c) * v for c, v in zip(row, values, strict=True) if c != 0] + [_number(bias)])
            for row, bias in zip(w, b, strict=True)
        ]
        if k < len(side.weights) - 1:
            values = [_relu(v) for v in values]
    return values


def _domain_text(domain: Sequence[Set]) -> str:
    """The sets as a product: {0, 1} × [-1, 1]; more than two that are equal as a power: {0, 1}^5."""
    sets = []
    for intervals in domain:
        parts = []
        for single, ends in itertools.groupby(intervals, key=lambda pair: pair[0] == pair[1]):
            ends = list(ends)
            parts += [f"{{{', '.join(str(low) for low, _ in ends)}}}"] if single else map(_interval_text, ends)
        sets.append(" ∪ ".join(parts))
    return f"{sets[0]}^{len(sets)}" if len(sets) > 2 and len(set(sets)) == 1 else " × ".join(sets)


def _interval_text(ends: tuple) -> str:
    low, high = ends
    return f"{'(-∞' if low == -math.inf else f'[{low}'}, {'∞)' if high == math.inf else f'{high}]'}"


def _text(value: Fraction | tuple[Fraction, ...]) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return str(values[0]) if len(values) == 1 else f"({', '.join(map(str, values))})"
