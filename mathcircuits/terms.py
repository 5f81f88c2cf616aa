"""Exact terms: what a definition is handed in place of its inputs, for exact values and for proofs.

A term is a number, an input, a sum, a multiple, or a choice between two terms by a comparison. It means what exact
rational arithmetic says, and nothing else: a float is the rational number that it stands for, ``/`` divides rational
numbers, and ``==`` gives a comparison. Terms and comparisons have no truth value, so no ``if`` can take a branch.
Whatever else a definition tries is an error; it cannot come out as another function.

Operations on numbers are carried out at once, so a definition that is handed numbers returns one. Terms of inputs are
data, which ``evaluate`` folds with the operations of whoever reads them: z3 in ``proof``, whole numbers here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from mathcircuits.checks import number, shown

WHOLE = 2**62  # below this in size, the sum of two whole numbers fits in 64 bits


class Expression:
    """A term or a comparison: the name of an operation, and its parts.

    The parts of "number" and "truth" are a Fraction and a bool, that of "input" is its index from 0.
    """

    __slots__ = ("operation", "parts")
    __hash__ = None
    __array_ufunc__ = None  # numpy's numbers and arrays leave the operation to this class

    def __init__(self, operation: str, *parts):
        self.operation, self.parts = operation, parts

    def __bool__(self):
        raise TypeError(
            "Python asked whether it is true, as if, and, or, not, min, max and sorted do; "
            "wanted m.where(comparison, a, b), m.minimum, m.maximum, and &, | and ~ between comparisons"
        )

    def __repr__(self) -> str:
        what = {"number": "{}", "truth": "{}", "input": "input {}"}.get(self.operation, self.operation)
        return f"{type(self).__name__}({what.format(*self.parts)})"


class Comparison(Expression):
    """A comparison of terms, for ``where``. Comparisons go together by ``&`` (and), ``|`` (or) and ``~`` (not)."""

    __slots__ = ()

    def __and__(self, other):
        return _made(Comparison, "&", self, _comparison(other))

    def __or__(self, other):
        return _made(Comparison, "|", self, _comparison(other))

    __rand__, __ror__ = __and__, __or__

    def __invert__(self):
        return _made(Comparison, "~", self)

    def __eq__(self, other):
        raise TypeError("a comparison was compared; wanted terms on both sides, and &, | and ~ between comparisons")

    __ne__ = __eq__


class Term(Expression):
    """A number, exactly, or a piecewise linear term of the inputs.

    >>> x = Term("input", 0)
    >>> (x - 1) * Fraction(1, 2), OPERATIONS.abs(Term("number", Fraction(-3)) / 2), x > 0
    (Term(*), Term(3/2), Comparison(<))
    >>> x * x
    Traceback (most recent call last):
    ...
    TypeError: a term was multiplied by a term; wanted * and / by numbers
    """

    __slots__ = ()

    def __add__(self, other):
        return _made(Term, "+", self, as_term(other))

    def __mul__(self, other):
        a, b = self, as_term(other)
        if "number" not in (a.operation, b.operation):
            raise TypeError("a term was multiplied by a term; wanted * and / by numbers")
        a, b = (a, b) if a.operation == "number" else (b, a)
        return _made(Term, "*", a, b) if a.parts[0] else Term("number", Fraction(0))

    def __truediv__(self, other):
        divisor = as_term(other)
        if divisor.operation != "number":
            raise TypeError("a number or term was divided by a term; wanted * and / by numbers")
        if not divisor.parts[0]:
            raise ZeroDivisionError("a division by 0; wanted * and / by numbers, and not by 0")
        return self * (1 / divisor.parts[0])

    def __pow__(self, exponent):
        if self.operation != "number" or not isinstance(exponent, int) or exponent < 0:
            raise TypeError(f"{self} ** {shown(exponent)} stands in it; wanted * and / by numbers")
        return Term("number", self.parts[0] ** exponent)

    def __neg__(self):
        return self * -1

    def __pos__(self):
        return self

    def __sub__(self, other):
        return self + -as_term(other)

    def __rsub__(self, other):
        return as_term(other) + -self

    def __rtruediv__(self, other):
        return as_term(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self):
        return _where(self < 0, -self, self)

    def __lt__(self, other):
        return _made(Comparison, "<", self, as_term(other))

    def __le__(self, other):
        return _made(Comparison, "<=", self, as_term(other))

    def __gt__(self, other):
        return as_term(other) < self

    def __ge__(self, other):
        return as_term(other) <= self

    def __eq__(self, other):
        return _made(Comparison, "==", self, as_term(other))

    def __ne__(self, other):
        return ~(self == other)


def as_term(value) -> Term:
    """Return a term as it is, and a number as the term that it is exactly.

    Raises:
        TypeError, ValueError: a comparison, NaN, infinity, or what is no number.

    >>> as_term(0.5), as_term(Fraction(1, 3))
    (Term(1/2), Term(1/3))
    """
    if isinstance(value, Comparison):
        raise TypeError("a comparison stands where only a number can; wanted m.where(comparison, 1, 0)")
    return value if isinstance(value, Term) else Term("number", Fraction(number("the value", value)))


def _comparison(value) -> Comparison:
    if isinstance(value, bool | np.bool_):
        return Comparison("truth", bool(value))
    if not isinstance(value, Comparison):
        raise TypeError(f"{shown(value)} stands where only a comparison can; wanted one, such as x > 0")
    return value


NUMBERS = {
    "+": operator.add,
    "*": operator.mul,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "&": operator.and_,
    "|": operator.or_,
    "~": operator.not_,
}


def _made(kind: type[Expression], operation: str, *parts: Expression) -> Expression:
    """The operation on these parts; carried out, if they are numbers or truth values."""
    if all(part.operation in ("number", "truth") for part in parts):
        value = NUMBERS[operation](*(part.parts[0] for part in parts))
        return kind("number" if kind is Term else "truth", value)
    return kind(operation, *parts)


def _where(comparison, a, b) -> Term:
    comparison, a, b = _comparison(comparison), as_term(a), as_term(b)
    if comparison.operation != "truth":
        return Term("where", comparison, a, b)
    chosen = a if comparison.parts[0] else b
    return Term(chosen.operation, *chosen.parts)  # a new one: ``is`` must tell no more of numbers than of inputs


OPERATIONS = SimpleNamespace(
    abs=lambda a: abs(as_term(a)),
    minimum=lambda a, b: _where(as_term(a) < b, a, b),
    maximum=lambda a, b: _where(as_term(a) > b, a, b),
    where=_where,
)


def evaluate(terms: Sequence[Term], inputs: Sequence, operations: Mapping[str, Callable]) -> list:
    """Return the values of terms for these inputs, of whatever kind the operations work on.

    Args:
        operations: a function for each of "number" (of a Fraction), "truth" (of a bool), "+", "*" (of a number and a
            term), "<", "<=", "==", "&", "|", "~" and "where".

    >>> x = Term("input", 0)
    >>> texts = {"number": str, "+": "({} + {})".format, "*": "{} {}".format}
    >>> evaluate([2 * x + 1], ["x"], texts)
    ['(2 x + 1)']
    """
    values, waiting = {}, list(terms)
    while waiting:
        term = waiting[-1]
        new = [part for part in term.parts if isinstance(part, Expression) and id(part) not in values]
        if new:
            waiting += new
            continue
        waiting.pop()
        if term.operation == "input":
            values[id(term)] = inputs[term.parts[0]]
        elif id(term) not in values:
            parts = (values[id(part)] if isinstance(part, Expression) else part for part in term.parts)
            values[id(term)] = operations[term.operation](*parts)
    return [values[id(term)] for term in terms]


# --- at many points at once: whole numbers over a common denominator, exactly -----------------------------------------

Ratios = tuple[np.ndarray, int]  # numerators, of 64 bits or of Python's integers, and the denominator of all


def whole(numbers: np.ndarray, factor: int = 1) -> np.ndarray:
    """Multiply whole numbers by one; of 64 bits where the product is smaller than 2^62, else as Python's integers.

    >>> whole(np.array([1, 2])).dtype, whole(np.array([1, 2]), 2**70).dtype, whole(np.array([3], dtype=object)).dtype
    (dtype('int64'), dtype('O'), dtype('int64'))
    """
    largest = max(int(numbers.max()), -int(numbers.min()))
    return numbers.astype(np.int64 if max(largest, 1) * abs(factor) < WHOLE > abs(factor) else object) * factor


def alike(a: Ratios, b: Ratios) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the numerators of both over one common denominator, and that."""
    common = math.lcm(a[1], b[1])
    return whole(a[0], common // a[1]), whole(b[0], common // b[1]), common


def _sum(a: Ratios, b: Ratios) -> Ratios:
    x, y, common = alike(a, b)
    return x + y, common


def _chosen(truth: np.ndarray, a: Ratios, b: Ratios) -> Ratios:
    x, y, common = alike(a, b)
    return np.where(truth, x, y), common


RATIOS = {
    "number": lambda value: (np.array([value.numerator], dtype=object), value.denominator),
    "truth": lambda value: np.array([value]),
    "+": _sum,
    "*": lambda a, b: (whole(b[0], a[0][0]), a[1] * b[1]),  # the first is a number
    "<": lambda a, b: operator.lt(*alike(a, b)[:2]),
    "<=": lambda a, b: operator.le(*alike(a, b)[:2]),
    "==": lambda a, b: operator.eq(*alike(a, b)[:2]),
    "&": operator.and_,
    "|": operator.or_,
    "~": operator.invert,
    "where": _chosen,
}
