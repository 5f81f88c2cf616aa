"""Functions and their definitions: exact values, floats, tensors and proofs, held against a small interpreter of text.

The texts are random, written as a reader would write them (tests/written.py). For one input, the interpreter decides
whether network and function are equal, piece by piece; for more, on random lines.
"""

import math
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from written import (
    Computed,
    Meaning,
    as_network,
    as_trees,
    changed,
    continuous,
    equal,
    one_of,
    random_term,
    rewritten,
    text,
)

from mathcircuits import FUNCTIONS, Function, Network, prove_equal

F = Fraction


def function_of(written, arity, count=1):
    inputs = ", ".join(f"x{i + 1}" for i in range(arity))
    return Function("f", arity, "", eval(f"lambda m, {inputs}: {written}", {"F": F}), (arity, count))


def rational(rng):
    return F(int(rng.integers(-30, 31)), int(rng.integers(1, 8)))


def is_proved(network, written, arity, box=None):
    """Prove or refute; a counterexample is held against the interpreter."""
    meaning = Meaning(written)
    proof = prove_equal(network, function_of(written, arity, network.widths[-1]), box=box)
    assert proof.status in ("proved", "refuted")
    if not proof:
        here, there = (tuple(v for v, _ in thing.at(proof.counterexample)) for thing in (Computed(network), meaning))
        assert here != there
        assert (here, there) == tuple(v if isinstance(v, tuple) else (v,) for v in (proof.left, proof.right))
        assert box is None or all(box[0] <= x <= box[1] for x in proof.counterexample)
    return bool(proof)


def one_input(rng):
    """A text of one input and networks, on all reals or on a box; yields what is expected, and what is said."""
    tree = random_term(rng, 1, int(rng.integers(1, 5)))
    low, high = sorted([rational(rng), rational(rng)])
    low, high = one_of(rng, [(-math.inf, math.inf), (low, high), (low, math.inf), (-math.inf, high)])
    meaning, box = Meaning(text(tree)), None if low == -high == -math.inf else (low, high)
    if not continuous(meaning, low, high):
        network = Network([[[rational(rng)], [1]], [[rational(rng), 1]]], [[rational(rng), 0], [rational(rng)]])
        yield "no network, for it jumps", False, is_proved(network, text(tree), 1, box)
        return
    network = Network(*as_network(rng, meaning, low, high))
    yield "as written", True, is_proved(network, text(tree), 1, box)
    yield "written otherwise", True, is_proved(network, text(rewritten(rng, tree)), 1, box)
    unit = int(rng.integers(network.widths[1]))
    weight = network.weights[0][unit, 0] + one_of(rng, [F(1, 10**9), F(-1, 2), 1])
    for what, net, written in [
        ("another text", network, text(changed(rng, tree))),
        ("rounded weights", network.to_float(), text(tree)),
        ("a changed weight", network.with_weight(0, unit, 0, weight), text(tree)),
    ]:
        expected = equal(Computed(net), Meaning(written), low=low, high=high)
        yield what, expected, is_proved(net, written, 1, box)


def more_inputs(rng):
    """Two texts of two or three inputs and one or two values, of which the difference is zero; or a network as text."""
    arity, values = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    if rng.random() < 0.5:
        trees = [random_term(rng, arity, int(rng.integers(1, 4))) for _ in range(values)]
        network = Network([[[0] * arity] * values])
        sides = (
            [("-", tree, rewritten(rng, tree)) for tree in trees],
            [("-", tree, changed(rng, tree)) for tree in trees],
        )
    else:
        sizes = [(3, arity), (2, 3), (values, 2)][: int(rng.integers(2, 4))]
        sizes[-1] = (values, sizes[-1][1])
        weights = [[[rational(rng) for _ in range(n)] for _ in range(m)] for m, n in sizes]
        network = Network(weights, [[rational(rng) for _ in range(m)] for m, _ in sizes])
        trees = as_trees(network)
        sides = [rewritten(rng, tree) for tree in trees], [changed(rng, tree) for tree in trees]
    same, other = ("(" + ", ".join(map(text, trees)) + ("," * (values > 1)) + ")" for trees in sides)
    yield "written otherwise", True, is_proved(network, same, arity)
    said = is_proved(network, other, arity)
    if said:
        for _ in range(9):
            point, direction = ([rational(rng) if rng.random() < 0.7 else F(0) for _ in range(arity)] for _ in range(2))
            assert equal(Computed(network), Meaning(other), point, direction), other
    yield "another text", said, said


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_verdicts_on_random_definitions(start):
    found = Counter()
    for seed in range(start, start + 50):
        for make in (one_input, more_inputs):
            for what, expected, said in make(np.random.default_rng([seed, make is one_input])):
                assert said == expected, (make.__name__, seed, what)
                found[what, said] += 1
    assert (
        found["as written", True] > 20 and found["written otherwise", True] > 60 and found["another text", False] > 30
    )
    assert found["no network, for it jumps", False] > 5 and found["rounded weights", False] > 5
