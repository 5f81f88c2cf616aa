"""Is this network that function, for all real inputs? Decided exactly, by z3, and never by sampling.

ReLU networks and the functions here are piecewise linear with rational coefficients, so "somewhere they
differ" is a formula of quantifier-free linear real arithmetic. That theory is decidable, and z3 decides it
in exact rational arithmetic: no solution means that the two agree everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import z3

from mathcircuits.functions import Function
from mathcircuits.network import Network

Z3_OPERATIONS = SimpleNamespace(
    abs=lambda a: z3.If(a < 0, -a, a),
    minimum=lambda a, b: z3.If(a < b, a, b),
    maximum=lambda a, b: z3.If(a > b, a, b),
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
    """Decide whether a network equals a function (or another network) for all real inputs.

    Args:
        left: a network of any depth; floats count as the rational numbers they stand for.
        right: a Function or a Network of the same arity and number of outputs.
        box: restrict the claim to ``low <= x_i <= high``: one pair (low, high), or one for each input.
        timeout: seconds after which the answer is "undecided".

    Raises:
        TypeError, ValueError: sides that are not networks or functions, or do not fit each other.

    >>> from mathcircuits import FUNCTIONS, circuits
    >>> print(prove_equal(circuits.minimum(), FUNCTIONS["minimum"]))
    proved: the network equals minimum for all real inputs
    >>> wrong = prove_equal(circuits.identity(), FUNCTIONS["absolute_value"])
    >>> bool(wrong), wrong.left == -wrong.right
    (False, True)
    """
    if not isinstance(left, Network) or not isinstance(right, Network | Function):
        kinds = f"{type(left).__name__} and {type(right).__name__}"
        raise TypeError(f"{kinds} were given; wanted a Network and a Function or Network")
    if left.arity != right.arity:
        raise ValueError(f"a network of {left.arity} inputs was given with one side of {right.arity}; wanted as many")
    n_right = right.widths[-1] if isinstance(right, Network) else 1
    if left.widths[-1] != n_right:
        raise ValueError(f"a network of {left.widths[-1]} outputs was given with one side of {n_right}; wanted as many")
    left = left.to_exact()
    right = right.to_exact() if isinstance(right, Network) else right
    inputs = [z3.Real(f"x{i + 1}") for i in range(left.arity)]
    solver = z3.SolverFor("QF_LRA")
    solver.set("timeout", max(1, int(1000 * timeout)))
    where = "for all real inputs"
    if box is not None:
        pairs = [box] * left.arity if np.ndim(box) == 1 else list(box)
        if len(pairs) != left.arity or any(len(p) != 2 or not p[0] <= p[1] for p in pairs):
            raise ValueError(f"the box {box} was given; wanted one (low, high), or one for each of {left.arity} inputs")
        for x, (low, high) in zip(inputs, pairs, strict=True):
            solver.add(x >= _number(low), x <= _number(high))
        where = "on " + " × ".join(f"[{low}, {high}]" for low, high in pairs)
    if isinstance(right, Network):
        name, there = "the other network", _encode(right, inputs)
    else:
        name, there = right.name, [right.definition(Z3_OPERATIONS, *inputs)]
    solver.add(z3.Or([a != b for a, b in zip(_encode(left, inputs), there, strict=True)]))
    claim, answer = f"the network equals {name} {where}", solver.check()
    if answer == z3.unsat:
        return Proof("proved", claim)
    if answer == z3.unknown:
        return Proof("undecided", claim)
    model = solver.model()
    point = tuple(model.eval(x, model_completion=True).as_fraction() for x in inputs)
    here, there = left(*point), right(*point)
    if here == there:
        raise RuntimeError(f"z3 gave {point} as a counterexample, but both sides are {here} there")
    return Proof("refuted", claim, point, here, there)


def find_network(
    function: Function,
    units: int,
    points: Iterable[Sequence],
    *,
    excluding: Sequence[Network] = (),
    timeout: float = 60.0,
) -> Network | None:
    """Find a bias-free network with one hidden layer that fits finitely many points, or prove there is none.

    ``None`` is a proof: no choice of real weights makes ``units`` hidden units equal the function at these
    points, so none makes them equal everywhere. Scaling a unit by c > 0 and its outgoing weight by 1/c changes
    nothing, so outgoing weights may be taken as +1, 0 or -1, and z3 decides the rest (linear arithmetic).

    Args:
        points: inputs at which the network must equal the function; rational numbers.
        excluding: networks of that shape with outgoing weights ±1 that do not count, in any order of units.

    Raises:
        TimeoutError: undecided after ``timeout`` seconds for one choice of outgoing signs.

    >>> from mathcircuits import FUNCTIONS
    >>> print(find_network(FUNCTIONS["absolute_value"], 1, [(1,), (-1,)]))
    None
    >>> print(find_network(FUNCTIONS["absolute_value"], 2, [(1,), (-1,)]).weights[1].tolist())
    [[Fraction(1, 1), Fraction(1, 1)]]
    """
    points = [tuple(map(Fraction, p)) for p in points]
    for signs in itertools.combinations_with_replacement((1, 0, -1), units):
        solver = z3.SolverFor("QF_LRA")
        solver.set("timeout", int(1000 * timeout))
        w = [[z3.Real(f"w{j}_{i}") for i in range(function.arity)] for j in range(units)]
        for point in points:
            z = [z3.Sum([_number(x) * v for x, v in zip(point, row, strict=True)]) for row in w]
            value = z3.Sum([s * _relu(v) for s, v in zip(signs, z, strict=True)] + [z3.RealVal(0)])
            solver.add(value == _number(function(*point)))
        for network in excluding:
            rows = list(zip(map(int, network.weights[1][0]), network.weights[0].tolist(), strict=True))
            for order in itertools.permutations(rows):
                if tuple(s for s, _ in order) == signs:
                    same = [
                        v == _number(x)
                        for row, (_, r) in zip(w, order, strict=True)
                        for v, x in zip(row, r, strict=True)
                    ]
                    solver.add(z3.Not(z3.And(same)))
        answer = solver.check()
        if answer == z3.unknown:
            raise TimeoutError(f"outgoing weights {signs} are undecided after {timeout} s")
        if answer == z3.sat:
            model = solver.model()
            rows = [[model.eval(v, model_completion=True).as_fraction() for v in row] for row in w]
            return Network([rows, [signs]])
    return None


def _relu(z):
    return z3.If(z > 0, z, z3.RealVal(0))


def _number(value) -> z3.RatNumRef:
    value = Fraction(value)
    return z3.Q(value.numerator, value.denominator)


def _encode(network: Network, inputs: list) -> list:
    """The outputs of a network as z3 terms of the inputs."""
    values = inputs
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = [
            z3.Sum([_number(c) * v for c, v in zip(row, values, strict=True) if c != 0] + [_number(bias)])
            for row, bias in zip(w, b, strict=True)
        ]
        if k < len(network.weights) - 1:
            values = [_relu(v) for v in values]
    return values


def _text(value) -> str:
    return (
        f"({', '.join(map(str, value))})"
        if isinstance(value, tuple) and len(value) > 1
        else (str(value[0]) if isinstance(value, tuple) else str(value))
    )
