"""Checks at the door: what was given and what is wanted, in one sentence. A check returns what it let through.

A number here is what Python and numpy call a real number, or a tensor of one. Booleans and strings are no numbers. What
is returned is an int, a Fraction or a float of Python: numpy's integers overflow, and z3 knows none of numpy's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any

import numpy as np

Number = int | Fraction | float
Interval = tuple[Number, Number]  # low, high


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence: its repr, on one line and cut to 80 characters.

    >>> shown([1, 2]), shown("a" * 99)[-5:]
    ('[1, 2]', 'aaa …')
    """
    try:
        text = " ".join(repr(value).split())
    except Exception:  # the repr of others; and Python writes no integer of more than 4,300 digits
        text = f"{type(value).__name__} too long to print"
    return text if len(text) <= 80 else text[:78] + " …"


def instance(what: str, value: Any, *kinds: type, wanted: str | None = None) -> Any:
    """Let through an object of one of these types.

    >>> instance("the name", 5, str)
    Traceback (most recent call last):
    ...
    TypeError: the name 5 was given; wanted a str
    """
    if isinstance(value, kinds):
        return value
    wanted = wanted or "a " + " or ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{what} {shown(value)} was given; wanted {wanted}")


def flag(what: str, value: Any) -> bool:
    """Let through True or False.

    >>> flag("bias", np.True_)
    True
    """
    return bool(instance(what, value, bool, np.bool_, wanted="True or False"))


def number(
    what: str,
    value: Any,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    finite: bool = True,
) -> Number:
    """Let through a real number in this range; ±inf only if it need not be finite, and NaN never.

    Raises:
        TypeError: no number. ValueError: NaN, or a number outside the range.

    >>> number("the rate", np.float64(0.5), above=0), number("the end", math.inf, finite=False)
    (0.5, inf)
    >>> number("the rate", 0, above=0)
    Traceback (most recent call last):
    ...
    ValueError: the rate 0 was given; wanted a finite number above 0
    """
    ends = (("above", above), ("of at least", at_least), ("of at most", at_most))
    limits = " and ".join(f"{word} {end}" for word, end in ends if abs(end) < math.inf)
    wanted = f"a {'finite ' * finite}number {limits}".strip()
    given = plain(value)
    if given is None:
        raise TypeError(f"{what} {shown(value)} was given; wanted {wanted}")
    inside = at_least <= given <= at_most and (given > above or above == -math.inf)
    if not inside or finite and abs(given) == math.inf:
        raise ValueError(f"{what} {shown(given)} was given; wanted {wanted}")
    return given


def integer(what: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Let through an integer in this range. A float is none, nor is a boolean.

    >>> integer("steps", np.int64(3), at_least=1)
    3
    >>> integer("steps", 1.5, at_least=1)
    Traceback (most recent call last):
    ...
    TypeError: steps 1.5 was given; wanted an integer of at least 1
    """
    ends = (("at least", at_least), ("at most", at_most))
    limits = " and ".join(f"{word} {end}" for word, end in ends if end is not None)
    wanted = f"an integer{' of ' * bool(limits)}{limits}"
    given = plain(value)
    if not isinstance(given, int):
        raise TypeError(f"{what} {shown(value)} was given; wanted {wanted}")
    if (at_least is not None and given < at_least) or (at_most is not None and given > at_most):
        raise ValueError(f"{what} {shown(given)} was given; wanted {wanted}")
    return given


def listed(sentence: str, value: Any) -> list:
    """Let through what a list, tuple, set, iterator, array or tensor holds; a sentence is what the error says.

    >>> listed("a list is wanted", np.array([1, 2])) == listed("a list is wanted", iter((1, 2)))
    True
    """
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        fits = value.ndim > 0
    else:
        fits = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    if not fits:
        raise TypeError(sentence)
    return list(value)


def integers(what: str, value: Any, *, at_least: int | None = None) -> tuple[int, ...]:
    """Let through integers in a list, tuple, range, array or tensor, none below a bound.

    >>> integers("widths", [2, np.int64(3), 1], at_least=1)
    (2, 3, 1)
    """
    sentence = f"{what} {shown(value)} were given; wanted integers" + f" of at least {at_least}" * (
        at_least is not None
    )
    given = listed(sentence, value)
    numbers = [v for v in map(plain, given) if isinstance(v, int)]
    if len(numbers) < len(given):
        raise TypeError(sentence)
    if at_least is not None and not all(v >= at_least for v in numbers):
        raise ValueError(sentence)
    return tuple(numbers)


def interval(sentence: str, value: Any, *, finite: bool = True, flat: bool = False) -> Interval:
    """Let through a pair (low, high) of numbers, in a tuple, list, array or tensor; a sentence is what the error says.

    Args:
        finite: whether both ends must be finite.
        flat: whether low may equal high.

    >>> interval("an interval is wanted", np.array([0, 1]))
    (0, 1)
    """
    given = listed(f"{sentence}, of numbers", value)
    ends = [end for end in map(plain, given) if end is not None]
    if len(ends) < len(given):
        raise TypeError(f"{sentence}, of numbers")
    if len(ends) != 2:
        raise ValueError(sentence)
    low, high = ends
    if not (low < high or flat and low == high):
        raise ValueError(f"{sentence}, with low {'at most' if flat else 'below'} high")
    if low == math.inf or high == -math.inf or finite and math.inf in (-low, high):
        raise ValueError(f"{sentence}, {'of finite numbers' if finite else 'with a real number between'}")
    return low, high


def box(value: Any, arity: int, *, finite: bool = True, flat: bool = False) -> tuple[Interval, ...]:
    """Let through a box: one (low, high) for every input, or one for each; of tuples, lists, arrays or tensors.

    Args:
        finite, flat: as for ``interval``.

    >>> box((-1, 1), 2), box(np.array([[0, 1]]), 1)
    (((-1, 1), (-1, 1)), ((0, 1),))
    """
    sentence = f"the box {shown(value)} was given; wanted one (low, high), or one for each of {arity} inputs"
    pairs = listed(sentence, value)
    if not pairs or plain(pairs[0]) is not None:
        pairs = [pairs] * arity
    if len(pairs) != arity:
        raise ValueError(sentence)
    return tuple(interval(sentence, pair, finite=finite, flat=flat) for pair in pairs)


def floats(what: str, value: Any) -> np.ndarray:
    """Let through a number, or an array, tensor or list of them, as a float64 array. Booleans are 0 and 1 here.

    >>> floats("x1", [Fraction(1, 2), 3]).tolist()
    [0.5, 3.0]
    """
    if hasattr(value, "detach"):  # a tensor of torch, on whichever device
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
        real = array.dtype.kind in "biuf" or array.dtype == object and all(isinstance(v, Real) for v in array.flat)
        if real and not np.ma.is_masked(value):
            return array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):  # rows of unequal length; a number that no float comes near
        pass
    raise TypeError(f"{what} {shown(value)} was given; wanted a number that float64 can hold, or an array of them")


def inputs(taker: str, values: Sequence, arity: int, *, exact: bool = True) -> list[Fraction] | list[np.ndarray]:
    """Let through as many inputs as something takes: Fractions if all are rational numbers, else float64 arrays.

    Args:
        exact: False for what computes in float64 only.

    >>> inputs("the network", [3, np.int64(5)], 2), inputs("the network", [3, [0.5, 1]], 2)[0].tolist()
    ([Fraction(3, 1), Fraction(5, 1)], [3.0, 3.0])
    """
    if len(values) != arity:
        raise ValueError(f"{len(values)} inputs were given; {taker} takes {arity}")
    if exact and all(isinstance(x, Rational) and not isinstance(x, np.timedelta64) for x in values):
        return [Fraction(int(x) if isinstance(x, Integral) else x) for x in values]
    arrays = [floats(f"input {k} of {taker},", x) for k, x in enumerate(values, 1)]
    wanted = shape([array.shape for array in arrays])
    return [array if array.shape == wanted else np.broadcast_to(array, wanted) for array in arrays]


def shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the common shape of arrays of these shapes.

    >>> shape([(3, 1), (), (4,)])
    (3, 4)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        given = ", ".join(map(str, shapes))
        raise ValueError(f"inputs of shapes {given} were given; wanted one shape, or shapes that go together") from None


def plain(value: Any) -> Number | None:
    """Return a real number as one of Python's, or None for anything else.

    >>> plain(np.float32(0.5)), plain(np.int8(3)), plain(True), plain("3")
    (0.5, 3, None, None)
    """
    if type(value) in (int, float, Fraction):
        return value
    zero_dimensional = hasattr(value, "detach") and value.ndim == 0  # a tensor
    if zero_dimensional or isinstance(value, np.number) and not isinstance(value, np.timedelta64):
        value = value.item()
    if isinstance(value, bool | np.generic) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    return Fraction(value) if isinstance(value, Rational) else float(value)
