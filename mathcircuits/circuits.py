"""The library: every feature and circuit derived by hand, one function each, exact, hidden units named.

A *feature* is what one hidden unit detects. A *circuit* is features and the weights that join them. Both
are ``Network`` objects: each can be drawn, proved and composed alone. Features and circuits follow
S. Osier, "Mathematical Circuits in Neural Networks" (2022); the notebooks derive them.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from mathcircuits.network import Network


def linear(*rows) -> Network:
    """A linear map, no hidden layer: what prepares the inputs of a circuit, or joins its outputs.

    >>> linear([1, -1])(5, 3)
    Fraction(2, 1)
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
    """relu(x1 - x2): by how much x1 is greater than x2. Widths (2, 1, 1). It is positiveness of x1 - x2.

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
    """-x = -relu(x) + relu(-x): gives back its input with the sign turned. Widths (1, 2, 1).

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
    """x1 - x2: the reconstructor circuit on the difference; its detectors are greaternesses. Widths (2, 2, 1).

    >>> subtraction()(3, -5)
    Fraction(8, 1)
    """
    swapped = greaterness_detector() @ linear([0, 1], [1, 0])
    return greaterness_detector() - swapped


def minimum() -> Network:
    """min(x1, x2) = x1 - relu(x1 - x2): x1 reconstructed, less the greaterness of x1 over x2. Widths (2, 3, 1).

    >>> print(minimum())
    h1 = relu(x1 - x2)
    h2 = relu(x1)
    h3 = relu(-x1)
    y = -h1 + h2 - h3
    """
    return -greaterness_detector() + reconstructor_circuit() @ linear([1, 0])


def minimum_mirror() -> Network:
    """min(x1, x2) = x2 - relu(x2 - x1): the other optimal network, the inputs' roles exchanged. Widths (2, 3, 1).

    >>> minimum_mirror()(3, -5)
    Fraction(-5, 1)
    """
    return minimum() @ linear([0, 1], [1, 0])


def minimum_two_layers() -> Network:
    """The minimum as first derived: its value is reconstructed once more before the output. Widths (2, 3, 2, 1).

    >>> minimum_two_layers()(3, -5)
    Fraction(-5, 1)
    """
    return reconstructor_circuit() @ minimum()


# --- circuits: more inputs --------------------------------------------------------------------------------


def minimum_of(n: int) -> Network:
    """The minimum of n numbers by a tournament of minimum circuits, ceil(log2 n) hidden layers.

    An odd number out waits for the next round behind a reconstructor circuit.

    Raises:
        ValueError: n below 2.

    >>> minimum_of(4).widths, minimum_of(3).widths
    ((4, 6, 3, 1), (3, 5, 3, 1))
    """
    if n < 2:
        raise ValueError(f"the minimum of {n} number(s) was asked for; wanted two or more")
    if n == 2:
        return minimum()
    first_round = [minimum()] * (n // 2) + [reconstructor_circuit()] * (n % 2)
    return minimum_of(n - n // 2) @ reduce(or_, first_round)


def minimum_of_four() -> Network:
    """min(x1, x2, x3, x4): a minimum circuit over two of them. Widths (4, 6, 3, 1).

    >>> minimum_of_four()(3, -5, 2, 7)
    Fraction(-5, 1)
    """
    return minimum() @ (minimum() | minimum())


def minimum_of_three() -> Network:
    """min(x1, x2, x3) in one unit less than the tournament. Widths (3, 4, 3, 1).

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
