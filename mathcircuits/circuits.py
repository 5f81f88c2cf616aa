"""The library: every feature and circuit derived by hand, one function each, exact, hidden units named.

A *feature* is what one hidden unit detects. A *circuit* is some features and the weights that join them. Both
are ``Network`` objects, so each can be drawn, proved and composed alone. Features and circuits follow
S. Osier, "Mathematical Circuits in Neural Networks" (2022); the notebooks derive them.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from itertools import permutations
from operator import and_, or_
from types import SimpleNamespace

import numpy as np

from mathcircuits import checks
from mathcircuits.network import Network


def linear(*rows) -> Network:
    """A linear map without a hidden layer: it prepares the inputs of a circuit, or joins its outputs.

    Add a number to make it affine; in a circuit this number becomes a bias.

    >>> linear([1, -1])(5, 3), (linear([1, -1]) + 1)(5, 3)
    (Fraction(2, 1), Fraction(3, 1))
    """
    return Network([rows])


# --- features: one hidden unit --------------------------------------------------------------------------


def positiveness_detector() -> Network:
    """relu(x): how far x is above zero. Widths (1, 1, 1).

    >>> positiveness_detector()(3), positiveness_detector()(-5)
    (Fraction(3, 1), Fraction(0, 1))
    """
    return Network([[[1]], [[1]]], names=[("positiveness",)])


def negativeness_detector() -> Network:
    """relu(-x): how far x is below zero. Widths (1, 1, 1).

    >>> negativeness_detector()(3), negativeness_detector()(-5)
    (Fraction(0, 1), Fraction(5, 1))
    """
    return Network([[[-1]], [[1]]], names=[("negativeness",)])


def greaterness_detector() -> Network:
    """relu(x1 - x2): by how much x1 is greater than x2. Widths (2, 1, 1). It is the positiveness of x1 - x2.

    >>> greaterness_detector()(5, 3), greaterness_detector()(3, 5)
    (Fraction(2, 1), Fraction(0, 1))
    """
    difference = positiveness_detector() @ linear([1, -1])
    return Network(difference.weights, names=[("greaterness",)])


# --- circuits: one input --------------------------------------------------------------------------------


def positive_reconstructor() -> Network:
    """+relu(x): gives back x where x is positive, and 0 elsewhere. The positiveness detector, weighted +1.

    >>> positive_reconstructor()(3), positive_reconstructor()(-5)
    (Fraction(3, 1), Fraction(0, 1))
    """
    return positiveness_detector()


def negative_reconstructor() -> Network:
    """-relu(-x): gives back x where x is negative, and 0 elsewhere. The negativeness detector, weighted -1.

    >>> negative_reconstructor()(3), negative_reconstructor()(-5)
    (Fraction(0, 1), Fraction(-5, 1))
    """
    return -negativeness_detector()


def reconstructor_circuit() -> Network:
    """x = relu(x) - relu(-x): gives back its input. Widths (1, 2, 1).

    >>> print(reconstructor_circuit())
    h1 = relu(x)
    h2 = relu(-x)
    y = h1 - h2
    """
    return positive_reconstructor() + negative_reconstructor()


def negative_reconstructor_circuit() -> Network:
    """-x = -relu(x) + relu(-x): gives back its input with the opposite sign. Widths (1, 2, 1).

    >>> negative_reconstructor_circuit()(3)
    Fraction(-3, 1)
    """
    return -reconstructor_circuit()


def identity() -> Network:
    """x: the reconstructor circuit. Widths (1, 2, 1).

    >>> identity()(-5)
    Fraction(-5, 1)
    """
    return reconstructor_circuit()


def negative_identity() -> Network:
    """-x: the negative reconstructor circuit. Widths (1, 2, 1).

    >>> negative_identity()(-5)
    Fraction(5, 1)
    """
    return negative_reconstructor_circuit()


def absolute_value() -> Network:
    """|x| = relu(x) + relu(-x): both detectors, both weighted +1. Widths (1, 2, 1).

    >>> absolute_value()(-5)
    Fraction(5, 1)
    """
    return positiveness_detector() + negativeness_detector()


# --- circuits: two inputs ---------------------------------------------------------------------------------


def addition() -> Network:
    """x1 + x2: the reconstructor circuit on the sum. Widths (2, 2, 1).

    >>> addition()(3, -5)
    Fraction(-2, 1)
    """
    return reconstructor_circuit() @ linear([1, 1])


def subtraction() -> Network:
    """x1 - x2: the reconstructor circuit on the difference; it has two greaterness detectors. Widths (2, 2, 1).

    >>> subtraction()(3, -5)
    Fraction(8, 1)
    """
    swapped = greaterness_detector() @ linear([0, 1], [1, 0])
    return greaterness_detector() - swapped


def minimum() -> Network:
    """min(x1, x2) = x1 - relu(x1 - x2): x1 reconstructed, minus the greaterness of x1 over x2. Widths (2, 3, 1).

    >>> print(minimum())
    h1 = relu(x1 - x2)
    h2 = relu(x1)
    h3 = relu(-x1)
    y = -h1 + h2 - h3
    """
    return -greaterness_detector() + reconstructor_circuit() @ linear([1, 0])


def minimum_mirror() -> Network:
    """min(x1, x2) = x2 - relu(x2 - x1): the other smallest network, with the inputs exchanged. Widths (2, 3, 1).

    >>> minimum_mirror()(3, -5)
    Fraction(-5, 1)
    """
    return minimum() @ linear([0, 1], [1, 0])


def minimum_two_layers() -> Network:
    """The minimum as first derived: it reconstructs its value once more before the output. Widths (2, 3, 2, 1).

    >>> minimum_two_layers()(3, -5)
    Fraction(-5, 1)
    """
    return reconstructor_circuit() @ minimum()


# --- circuits: more inputs --------------------------------------------------------------------------------


def minimum_of(n: int) -> Network:
    """The minimum of n numbers by a tournament of minimum circuits, in ceil(log2 n) hidden layers.

    If n is odd, one number waits for the next round behind a reconstructor circuit.

    Raises:
        TypeError, ValueError: n that is no integer, or below 2.

    >>> minimum_of(4).widths, minimum_of(3).widths
    ((4, 6, 3, 1), (3, 5, 3, 1))
    """
    if checks.integer("n", n, at_least=2) == 2:
        return minimum()
    first_round = [minimum()] * (n // 2) + [reconstructor_circuit()] * (n % 2)
    return minimum_of(n - n // 2) @ reduce(or_, first_round)


def minimum_of_four() -> Network:
    """min(x1, x2, x3, x4): a minimum circuit that reads two others. Widths (4, 6, 3, 1).

    >>> minimum_of_four()(3, -5, 2, 7)
    Fraction(-5, 1)
    """
    return minimum() @ (minimum() | minimum())


def minimum_of_three() -> Network:
    """min(x1, x2, x3) with one unit fewer than in the tournament. Widths (3, 4, 3, 1).

    It is x3 - max(p, q) = (x3 - p) - relu(q - p), with p = relu(x3 - x1) and q = relu(x3 - x2).

    >>> minimum_of_three()(3, -5, 2)
    Fraction(-5, 1)
    """
    # Units p, q, and both signs of x3; then relu(q - p), and both signs of p - x3.
    hidden = [[-1, 0, 1], [0, -1, 1], [0, 0, -1], [0, 0, 1]]
    second = [[-1, 1, 0, 0], [1, 0, 1, -1], [-1, 0, -1, 1]]
    names = [
        ("greaterness", "greaterness", "negativeness", "positiveness"),
        ("greaterness", "positiveness", "negativeness"),
    ]
    return Network([hidden, second, [[-1, -1, 1]]], names=names)


# --- circuits: more functions of real numbers -------------------------------------------------------------


def relu() -> Network:
    """max(x, 0): the positiveness detector is the whole circuit. Widths (1, 1, 1).

    >>> relu()(3), relu()(-5)
    (Fraction(3, 1), Fraction(0, 1))
    """
    return positiveness_detector()


def leaky_relu() -> Network:
    """max(x, x/4): a reconstructor that gives back a quarter of a negative input. Widths (1, 2, 1).

    >>> leaky_relu()(3), leaky_relu()(-5)
    (Fraction(3, 1), Fraction(-5, 4))
    """
    return positive_reconstructor() + Fraction(1, 4) * negative_reconstructor()


def maximum() -> Network:
    """max(x1, x2) = x1 + relu(x2 - x1): x1 reconstructed, plus the greaterness of x2 over x1. Widths (2, 3, 1).

    >>> maximum()(3, -5)
    Fraction(3, 1)
    """
    return greaterness_detector() @ linear([0, 1], [1, 0]) + reconstructor_circuit() @ linear([1, 0])


def distance() -> Network:
    """|x1 - x2|: the greaterness of either over the other. Widths (2, 2, 1).

    >>> distance()(3, -5)
    Fraction(8, 1)
    """
    return greaterness_detector() + greaterness_detector() @ linear([0, 1], [1, 0])


def absolute_sum() -> Network:
    """|x1| + |x2|: two absolute values, added. Widths (2, 4, 1).

    >>> absolute_sum()(3, -5)
    Fraction(8, 1)
    """
    return linear([1, 1]) @ (absolute_value() | absolute_value())


def absolute_maximum() -> Network:
    """max(|x1|, |x2|) = (|x1 + x2| + |x1 - x2|) / 2: an absolute sum, rotated by 45 degrees. Widths (2, 4, 1).

    >>> absolute_maximum()(3, -5)
    Fraction(5, 1)
    """
    return Fraction(1, 2) * absolute_sum() @ linear([1, 1], [1, -1])


def positive_maximum() -> Network:
    """max(0, x1, x2) = p + relu(q - p), with p = relu(x1) and q = relu(x2). Widths (2, 2, 2, 1).

    A maximum of two numbers that are never negative: one unit carries p, where a reconstructor would take two.

    >>> positive_maximum()(3, 7), positive_maximum()(-3, -5)
    (Fraction(7, 1), Fraction(0, 1))
    """
    larger = positive_reconstructor() @ linear([1, 0]) + greaterness_detector() @ linear([0, 1], [1, 0])
    return larger @ (positiveness_detector() | positiveness_detector())


def clip() -> Network:
    """x held between 0 and 1: relu(x) - relu(x - 1). Widths (1, 2, 1).

    >>> clip()(-5), clip()(Fraction(1, 3)), clip()(3)
    (Fraction(0, 1), Fraction(1, 3), Fraction(1, 1))
    """
    return positiveness_detector() - positiveness_detector() @ (linear([1]) - 1)


def soft_threshold() -> Network:
    """x moved towards 0 by 1, and no further: relu(x - 1) - relu(-x - 1). Widths (1, 2, 1).

    >>> soft_threshold()(3), soft_threshold()(Fraction(-1, 2)), soft_threshold()(-5)
    (Fraction(2, 1), Fraction(0, 1), Fraction(-4, 1))
    """
    return positive_reconstructor() @ (linear([1]) - 1) + negative_reconstructor() @ (linear([1]) + 1)


# --- circuits: order ------------------------------------------------------------------------------------------


def sort_two() -> Network:
    """(min, max) = (x1 - p, x1 + q), with p and q the greaterness of either over the other. Widths (2, 4, 2).

    A minimum and a maximum circuit that share the reconstructor of x1: compare and swap.

    >>> sort_two()(3, -5)
    (Fraction(-5, 1), Fraction(3, 1))
    """
    swapped = greaterness_detector() @ linear([0, 1], [1, 0])
    features = greaterness_detector() & swapped & reconstructor_circuit() @ linear([1, 0])
    return linear([-1, 0, 1], [0, 1, 1]) @ features


def median_of_three() -> Network:
    """min(x1, x2) + |u1 - u2|, with u1 and u2 the greaterness of x3 over x1 and over x2. Widths (3, 5, 3, 1).

    The median is x3, held between the other two: |u1 - u2| is how far x3 is above the smaller one, up to the larger.
    One greaterness makes the absolute value, 2 relu(u2 - u1) + (u1 - u2); its linear part goes with the minimum.

    >>> median_of_three()(3, -5, 2)
    Fraction(2, 1)
    """
    greater = greaterness_detector()
    x1, x2, x3 = map(linear, np.eye(3, dtype=int))
    smaller_u1_u2 = minimum() @ (x1 & x2) & greater @ (x3 & x1) & greater @ (x3 & x2)
    carried = reconstructor_circuit() @ linear([1, 1, -1])
    return (2 * greater @ linear([0, 0, 1], [0, 1, 0]) + carried) @ smaller_u1_u2


def sort_three() -> Network:
    """(x3 - relu(x3 - a), a + b - x3 + relu(x3 - a) - relu(b - x3), x3 + relu(b - x3)), where a, b are x1, x2 sorted.

    Two greaterness units; the middle number is the sum minus the other two. The second layer carries two numbers, x3
    and a + b, in three units: it lifts both until they are never negative, and the third unit is the lift.
    Widths (3, 6, 5, 3).

    >>> sort_three()(3, -5, 2)
    (Fraction(-5, 1), Fraction(2, 1), Fraction(3, 1))
    """
    greater, above = greaterness_detector(), positiveness_detector()
    first = sort_two() | reconstructor_circuit()
    units = Network([first.weights[0], np.eye(6, dtype=int)], names=first.names)
    a, b, x3 = map(linear, first.weights[1])  # from the values of those units
    lift = linear([1, 0, 0, 2, 0, 1])  # relu(x1 - x2) + 2 relu(-x1) + relu(-x3)
    carried = above @ (x3 + lift) & above @ (a + b + lift) & above @ lift
    second = greater @ (x3 & a) & greater @ (b & x3) & carried
    return linear([-1, 0, 1, 0, -1], [1, -1, -1, 1, 0], [0, 1, 1, 0, -1]) @ second @ units


def maximum_of(n: int) -> Network:
    """The maximum of n numbers as -min(-x), by the tournament for the minimum. Widths as for minimum_of(n).

    Raises:
        TypeError, ValueError: n that is no integer, or below 2.

    >>> maximum_of(5)(3, -5, 2, 7, 0)
    Fraction(7, 1)
    """
    return -minimum_of(n) @ linear(*-np.eye(n, dtype=int))


# --- circuits: jumps, where a gap leaves room for them ---------------------------------------------------------


def step() -> Network:
    """1 for x >= 0 and 0 for x <= -1: relu(x + 1) - relu(x), with a ramp in the gap between. Widths (1, 2, 1).

    >>> step()(-1), step()(0), step()(3)
    (Fraction(0, 1), Fraction(1, 1), Fraction(1, 1))
    """
    return clip() @ (linear([1]) + 1)


def indicator() -> Network:
    """1 at 0, and 0 for x >= 1 and x <= -1: a step up and a step down that share relu(x). Widths (1, 3, 1).

    >>> indicator()(-1), indicator()(0), indicator()(3)
    (Fraction(0, 1), Fraction(1, 1), Fraction(0, 1))
    """
    x, above = linear([1]), positiveness_detector()
    return above @ (x + 1) + -2 * above + above @ (x - 1)


def if_then_else() -> Network:
    """x2 if x1 is 1, x3 if x1 is 0, for x2 and x3 in [-1, 1]. Widths (3, 2, 1).

    relu(x2 + 2 x1 - 1) + relu(x3 - 2 x1 + 1) - 1: x1 pushes one of the two below zero and lifts the other by 1.

    >>> if_then_else()(1, Fraction(1, 3), -1), if_then_else()(0, Fraction(1, 3), -1)
    (Fraction(1, 3), Fraction(-1, 1))
    """
    above = positiveness_detector()
    return above @ (linear([2, 1, 0]) - 1) + above @ (linear([-2, 0, 1]) + 1) - 1


# --- circuits: bits -------------------------------------------------------------------------------------------


def logical_and() -> Network:
    """x1 and x2 = relu(x1 + x2 - 1), for bits. Widths (2, 1, 1).

    >>> [int(logical_and()(a, b)) for a in (0, 1) for b in (0, 1)]
    [0, 0, 0, 1]
    """
    return positiveness_detector() @ (linear([1, 1]) - 1)


def logical_or() -> Network:
    """x1 or x2 = 1 - relu(1 - x1 - x2), for bits: not (not x1 and not x2). Widths (2, 1, 1).

    >>> [int(logical_or()(a, b)) for a in (0, 1) for b in (0, 1)]
    [0, 1, 1, 1]
    """
    return 1 - logical_and() @ (1 - linear([1, 0], [0, 1]))


def logical_xor() -> Network:
    """x1 xor x2 = |x1 - x2|, for bits: their distance. Widths (2, 2, 1).

    >>> [int(logical_xor()(a, b)) for a in (0, 1) for b in (0, 1)]
    [0, 1, 1, 0]
    """
    return distance()


def levels_of(n: int) -> Network:
    """relu(s), relu(s - 1), ..., relu(s - n + 1), with s the sum of n bits: how far s is above each level.

    Widths (n, n, n). Every function of a count of bits is a weighted sum of these, and a constant.

    >>> [int(level) for level in levels_of(4)(1, 0, 1, 1)]
    [3, 2, 1, 0]
    """
    n = checks.integer("n", n, at_least=1)
    return reduce(and_, [positiveness_detector() @ (linear([1] * n) - k) for k in range(n)])


def parity_of(n: int) -> Network:
    """1 if an odd number of n bits is 1, else 0: the sum up to level 1, then down and up in turn. Widths (n, n, 1).

    It is smallest for n = 2 and 3; from n = 4 on fewer units are enough (notebook 13).

    >>> parity_of(4)(1, 0, 1, 1), parity_of(2)(1, 1)
    (Fraction(1, 1), Fraction(0, 1))
    """
    n = checks.integer("n", n, at_least=1)
    return linear([1, *(2 * (-1) ** k for k in range(1, n))]) @ levels_of(n)


def parity_of_three() -> Network:
    """x1 xor x2 xor x3 = relu(s) - 2 relu(s - 1) + 2 relu(s - 2), with s the sum. Widths (3, 3, 1).

    >>> parity_of_three()(1, 1, 1)
    Fraction(1, 1)
    """
    return parity_of(3)


def majority() -> Network:
    """1 if at least two of three bits are 1: their sum minus 1, clipped. Widths (3, 2, 1).

    >>> majority()(1, 0, 1), majority()(1, 0, 0)
    (Fraction(1, 1), Fraction(0, 1))
    """
    return clip() @ (linear([1, 1, 1]) - 1)


def multiplexer() -> Network:
    """x2 if x1 is 1, x3 if x1 is 0, for bits: relu(x1 + x2 - 1) + relu(x3 - x1). Widths (3, 2, 1).

    (x1 and x2), plus the greaterness of x3 over x1, which is (x3 and not x1).

    >>> multiplexer()(1, 0, 1), multiplexer()(0, 0, 1)
    (Fraction(0, 1), Fraction(1, 1))
    """
    return logical_and() @ linear([1, 0, 0], [0, 1, 0]) + greaterness_detector() @ linear([0, 0, 1], [1, 0, 0])


def full_adder() -> Network:
    """(sum bit, carry) of three bits: their parity and their majority share the levels. Widths (3, 3, 2).

    >>> full_adder()(1, 1, 1), full_adder()(0, 1, 1)
    ((Fraction(1, 1), Fraction(1, 1)), (Fraction(0, 1), Fraction(1, 1)))
    """
    return linear([1, -2, 2], [0, 1, -1]) @ levels_of(3)


def ripple_carry_adder(n: int) -> Network:
    """The sum of two numbers of n bits: a chain of n full adders, in n hidden layers.

    Inputs (carry, a1, b1, ..., an, bn), the lowest bits first; outputs (s1, ..., sn, carry). Bits are never negative,
    so one unit carries each past an adder.

    >>> [int(bit) for bit in ripple_carry_adder(2)(0, 1, 1, 0, 1)]  # 1 + 3 = 4
    [0, 0, 1]
    """
    n = checks.integer("n", n, at_least=1)
    bit, chain = positive_reconstructor(), linear(*np.eye(2 * n + 1, dtype=int))
    for k in range(n):
        chain = reduce(or_, [bit] * k + [full_adder()] + [bit] * (2 * (n - 1 - k))) @ chain
    return chain


# --- circuits: five and six inputs, two hidden layers -------------------------------------------------------


def sum_of_maxima(factor, terms, compared, both_ways) -> Network:
    """factor times a sum of maxima of sums of maxima, in two hidden layers, for at most nine inputs.

    "13" stands for max(x1, x3) and "33" for x3; a term (c, A, B) is c times the larger one of two sums of these. The
    first layer compares numbers, max(xi, xj) = xj + relu(xi - xj), the second sums, max(A, B) = B + relu(A - B).

    Args:
        factor, terms: what to compute; each c is rational, A and B are lists of pairs "ij".
        compared: the pairs "ij" that occur, each one unit relu(xi - xj).
        both_ways: those for which relu(xj - xi) is a unit as well. Each carries one more number through the first
            layer, xi = xj + relu(xi - xj) - relu(xj - xi). The first pair's xj is reconstructed.

    >>> sum_of_maxima(1, [(1, ["12"], ["32"])], ["12", "32"], []).widths  # the maximum of three
    (3, 4, 3, 1)
    """
    pairs = [*compared, *(j + i for i, j in both_ways)]
    middle = (both_ways or compared)[0][1]
    read = np.eye(len(pairs) + 2, dtype=int)
    relu, x = dict(zip(pairs, read, strict=False)), {middle: read[-2] - read[-1]}
    for i, j in both_ways:
        x[i] = x[j] + relu[i + j] - relu[j + i]
    largest = {frozenset(p): x[p[1]] + relu[p] for p in compared} | {frozenset(i): x[i] for i in x}
    left, right = (np.array([sum(largest[frozenset(p)] for p in term[side]) for term in terms]) for side in (1, 2))
    shares = factor * np.array([c for c, *_ in terms])
    carried = shares @ right

    inputs = dict(zip("123456789", np.eye(len(set("".join(compared))), dtype=int), strict=False))
    hidden = [*(inputs[i] - inputs[j] for i, j in pairs), inputs[middle], -inputs[middle]]
    names = [("greaterness",) * n + ("positiveness", "negativeness") for n in (len(pairs), len(terms))]
    return Network([hidden, [*(left - right), carried, -carried], [[*shares, 1, -1]]], names=names)


def maximum_of_five() -> Network:
    """max(x1, ..., x5) in two hidden layers, where a tournament takes three. Widths (5, 10, 8, 1).

    It is half of a sum of six terms. Notebook 14 derives and proves it.

    >>> maximum_of_five()(3, -5, 2, 7, 4)
    Fraction(7, 1)
    """
    terms = [
        (1, ["12"], ["55"]),
        (1, ["34"], ["55"]),
        (2, ["12"], ["34"]),
        (1, ["15", "35"], ["25", "45"]),
        (-1, ["12", "45"], ["34", "15"]),
        (-1, ["12", "35"], ["34", "25"]),
    ]
    return sum_of_maxima(Fraction(1, 2), terms, ["15", "25", "35", "45", "12", "34"], both_ways=["25", "45"])


def maximum_of_six() -> Network:
    """max(x1, ..., x6) in two hidden layers, where a tournament takes three. Widths (6, 17, 68, 1).

    It is a twelfth of a sum of 66 terms. They are the images of four terms under all exchanges of the pairs 12, 34 and
    56, and of the two numbers of a pair. Notebook 14 derives and proves it.

    >>> maximum_of_six()(3, -5, 2, 7, 4, 6)
    Fraction(7, 1)
    """
    four = [(2, "12", "35"), (1, "23 24", "16 25"), (-1, "15 16", "23 24"), (-1, "14 23", "25 36")]
    terms = set()
    for order in permutations("123456"):
        if {frozenset(order[k : k + 2]) for k in (0, 2, 4)} == {frozenset(p) for p in ("12", "34", "56")}:
            moved = str.maketrans("123456", "".join(order))
            for c, *sides in four:
                images = (side.translate(moved).split() for side in sides)
                terms.add((c, *sorted(tuple(sorted("".join(sorted(p)) for p in image)) for image in images)))
    # Of 12 and 35 the largest is that of 13 and 25, too: then numbers of one pair are never compared.
    across = [(c, [a[0][0] + b[0][0]], [a[0][1] + b[0][1]]) if c == 2 else (c, a, b) for c, a, b in sorted(terms)]
    compared = ["13", "14", "15", "16", "23", "24", "25", "26", "35", "45", "63", "46"]
    return sum_of_maxima(Fraction(1, 12), across, compared, both_ways=["35", "45", "63"])


# --- circuits on [0, 1] and [-1, 1]: what is approximated -----------------------------------------------------


def tent() -> Network:
    """1 - |2x - 1| on [0, 1]: it rises to 1 at a half and falls again. Widths (1, 2, 1), with a bias.

    It is 2 relu(x) - 4 relu(x - 1/2), two times the positiveness of x minus four times its greaterness over a half.

    >>> print(tent())
    h1 = relu(x)
    h2 = relu(x - 1/2)
    y = 2 h1 - 4 h2
    """
    return Network([[[1], [1]], [[2, -4]]], [[0, Fraction(-1, 2)], [0]], names=[("positiveness", "greaterness")])


def sawtooth(teeth: int) -> Network:
    """The tent map applied again and again until it has so many teeth on [0, 1]: two units for each doubling.

    After Telgarsky (2016). Widths (1, 2, ..., 2, 1) with 1 + log2(teeth) hidden layers.

    Raises:
        TypeError, ValueError: a number of teeth that is not 1, 2, 4, ...

    >>> sawtooth(4).widths, [int(sawtooth(4)(Fraction(k, 8))) for k in range(9)]
    ((1, 2, 2, 2, 1), [0, 1, 0, 1, 0, 1, 0, 1, 0])
    """
    teeth = checks.integer("the number of teeth", teeth, at_least=1)
    if teeth & (teeth - 1):
        raise ValueError(f"the number of teeth {teeth} was given; wanted a power of two")
    return tent() if teeth == 1 else tent() @ sawtooth(teeth // 2)


def square(depth: int) -> Network:
    """x^2 on [0, 1], exact at the 2^depth + 1 multiples of 2^-depth and straight between them. It has biases.

    It is x minus scaled tents: with t the tent map, x - t(x)/4 - t(t(x))/16 - ... (Yarotsky 2017). Between those points
    it is too large, by at most 4^-(depth + 1). Widths (1, 2, 3, ..., 3, 1) with depth hidden layers.

    Raises:
        TypeError, ValueError: a depth that is no integer, or below 1.

    >>> square(3).widths, square(3)(Fraction(5, 8)), square(3)(Fraction(9, 16)) - Fraction(9, 16) ** 2
    ((1, 2, 3, 3, 1), Fraction(25, 64), Fraction(1, 256))
    """
    checks.integer("depth", depth, at_least=1)
    # A layer takes the tent t and the sum s so far to the next: t' = tent(t), s' = s - t'/4^k. Both are never negative.
    network = linear([1], [1])
    for k in range(1, depth + 1):
        weights = [[[1, 0], [1, 0], [0, 1]], [[2, -4, 0], [Fraction(-2, 4**k), Fraction(4, 4**k), 1]]]
        biases = [[0, Fraction(-1, 2), 0], [0, 0]]
        layer = Network(weights, biases, names=[("positiveness", "greaterness", "positiveness")])
        network = layer @ network
    # In the first layer t and s are both x: one unit for both.
    (first, second, *others), (bias, *biases) = network.weights, network.biases
    second = np.column_stack([second[:, 0] + second[:, 2], second[:, 1]])
    names = [network.names[0][:2], *network.names[1:]]
    return linear([0, 1]) @ Network([first[:2], second, *others], [bias[:2], *biases], names)


def multiplication(depth: int) -> Network:
    """x1 x2 on [-1, 1] x [-1, 1], to within 4^-(depth + 1): the square of |x1 + x2|/2 minus that of |x1 - x2|/2.

    One hidden layer is for the absolute values, the others are for the squares. Widths (2, 4, 4, 6, ..., 6, 1).

    >>> multiplication(2).widths, multiplication(2)(Fraction(1, 2), Fraction(-1, 2)), multiplication(2)(0, 1)
    ((2, 4, 4, 6, 1), Fraction(-1, 4), Fraction(0, 1))
    """
    sizes = (absolute_value() | absolute_value()) @ (Fraction(1, 2) * linear([1, 1], [1, -1]))
    return linear([1, -1]) @ (square(depth) | square(depth)) @ sizes


# --- your own function ----------------------------------------------------------------------------------------

OPERATIONS = SimpleNamespace(
    abs=lambda a: absolute_value() @ a,
    minimum=lambda a, b: minimum() @ (a & b),
    maximum=lambda a, b: maximum() @ (a & b),
)


def absolute_values_in_six(n: int) -> Network:
    """|x_1|, ..., |x_n| for n inputs of which at most one is not 0, in six units and one more layer for the ReLU after.

    Input k is the point (1, k, k²) of a parabola in space, whose sign is kept by three pairs of units. The plane that
    touches the parabola at k has all other points on one side, as 1 - (j - k)² <= 0 for j ≠ k (notebook 18). Widths
    (n, 6, n, n), for any n >= 1.

    >>> network = absolute_values_in_six(4)
    >>> network.widths, [str(value) for value in network(0, 0, -5, 0)]
    ((4, 6, 4, 4), ['0', '0', '5', '0'])
    """
    points = range(checks.integer("the number of inputs", n, at_least=1))
    curve = [[k**power for k in points] for power in range(3)]
    pairs = [*curve, *([-entry for entry in row] for row in curve)]
    touching = [[1 - k * k, 2 * k, -1] * 2 for k in points]
    side = ("height", "place", "square of the place")
    names = [
        [f"{sign} {what}" for sign in ("positive", "negative") for what in side],
        [f"size of x{k + 1}" for k in points],
    ]
    return Network([pairs, touching, np.eye(n, dtype=int)], names=names)


def assemble(definition: Callable, arity: int) -> Network:
    """The network that a piecewise linear definition spells out: each operation becomes the circuit of its name.

    Args:
        definition: ``definition(m, *inputs)`` as in ``Function``, made of +, -, numbers as factors and terms, and
            ``abs``, ``minimum`` and ``maximum`` of ``m``.

    Raises:
        TypeError: a definition that gives anything but a sum of such.

    >>> bend = assemble(lambda m, x1, x2: 2 * m.abs(x1) - m.minimum(x1, x2) + 1, 2)
    >>> bend(3, -5), bend.widths
    (Fraction(12, 1), (2, 5, 1))
    """
    checks.instance("the definition", definition, Callable, wanted="a callable")
    inputs = np.eye(checks.integer("the arity", arity, at_least=1), dtype=int)
    return checks.instance("the value of the definition", definition(OPERATIONS, *map(linear, inputs)), Network)
