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
import z3
from written import (
    FLAT,
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

from mathcircuits import FUNCTIONS, Function, Network, circuits, proof, prove_equal
from mathcircuits.proof import _points, _ratios

F = Fraction


def function_of(written, arity, count=1):
    inputs = ", ".join(f"x{i + 1}" for i in range(arity))
    return Function(
        "f", arity, "", eval(f"lambda m, {inputs}: {written}", {"F": F, "np": np, "math": math}), (arity, count)
    )


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


@pytest.mark.parametrize("start", [0, 60, 120])
def test_verdicts_on_random_definitions(start):
    found = Counter()
    for seed in range(start, start + 60):
        for make in (one_input, more_inputs):
            for what, expected, said in make(np.random.default_rng([seed, make is one_input])):
                assert said == expected, (make.__name__, seed, what)
                found[what, said] += 1
    assert found["as written", True] >= 45 and found["written otherwise", True] >= 105
    assert found["another text", False] >= 90 and found["rounded weights", False] >= 25
    assert found["no network, for it jumps", False] >= 4


# Exact values, floats and tensors


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_exact_values_are_those_of_the_text(arity):
    """One at a time by calling, and 2,000 at once in whole numbers."""
    for seed in range(60):
        rng = np.random.default_rng([seed, arity])
        trees = [random_term(rng, arity, int(rng.integers(1, 5))) for _ in range(2)]
        written = f"({text(trees[0])}, {text(trees[1])})"
        function, meaning = function_of(written, arity, 2), Meaning(written)
        points, denominator = _points(None, arity)
        ratios = _ratios(function, points, denominator)
        for k in range(8):
            point = [F(int(x), denominator) for x in points[:, k]]
            wanted = tuple(value for value, _ in meaning.at(point))
            assert function(*point) == wanted and {type(v) for v in function(*point)} == {F}, (written, point)
            at_once = tuple(F(int(np.broadcast_to(row, 2000)[k]), below) for row, below in ratios)
            assert at_once == wanted, (written, point)


@pytest.mark.parametrize("arity", [1, 2])
def test_floats_and_tensors_are_near_the_exact_values(arity):
    """Of continuous texts; where a where jumps, rounding may choose the other side."""
    for seed in range(100):
        rng = np.random.default_rng([seed, arity])
        tree = random_term(rng, arity, int(rng.integers(1, 5)), (*FLAT, "minimum", "maximum"))
        function, x = function_of(text(tree), arity), rng.normal(size=(arity, 9))
        wanted = [float(function(*map(F, column))) for column in x.T]
        values = function(*x)
        assert values.dtype == np.float64 and values.shape == (9,)
        np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-9)
        assert type(function(*x[:, 0])) is np.float64 and abs(function(*x[:, 0]) - wanted[0]) < 1e-9
        if "F(" not in text(tree):  # torch has no Fractions
            for dtype, near in ((torch.float64, 1e-9), (torch.float32, 1e-3)):
                tensor = function(*torch.tensor(x, dtype=dtype))
                assert tensor.dtype == dtype and tensor.shape == (9,)
                np.testing.assert_allclose(tensor, wanted, rtol=near, atol=near)


def test_numbers_stand_for_arrays_and_tensors():
    clip = function_of("m.minimum(m.maximum(x1, 0), 1)", 1)
    half = function_of("m.where(x1 > 0, 1, 0) / 2", 1)
    seven = function_of("(7, m.abs(-3) + 0.5)", 1, 2)
    for x in (np.array([[-1.0, 0.5, 3.0]]), torch.tensor([[-1.0, 0.5, 3.0]]), torch.tensor([[-1, 1, 3]])):
        assert clip(x).tolist() == [[0, 1 if x[0, 1] == 1 else 0.5, 1]]
        assert half(x).tolist() == [[0, 0.5, 0.5]]
        assert [value.tolist() for value in seven(x)] == [[[7] * 3], [[3.5] * 3]]
    assert half(torch.tensor([1 / 3], dtype=torch.float64)).dtype == half(torch.tensor([2])).dtype == torch.float64
    assert clip(3) == 1 and clip(F(1, 3)) == F(1, 3) and half(3) == F(1, 2) and seven(0) == (7, F(7, 2))
    both = function_of("m.minimum(x1, x2)", 2)
    assert (
        both(torch.tensor([1.0, 3.0]), 2).tolist() == both(torch.tensor([1.0, 3.0]), np.float64(2)).tolist() == [1, 2]
    )
    assert torch.equal(both(2, torch.tensor([1.0, 3.0])), torch.tensor([1.0, 2.0]))
    assert FUNCTIONS["identity"](torch.tensor([1, 3])).dtype == torch.float64
    FUNCTIONS["identity"](np.zeros(3))[0] = 7  # not read-only
    assert both(2, torch.tensor([1, 3])).tolist() == [1, 2] and both([1, 3], 2).tolist() == [1, 2]


def test_numpy_and_torch_have_more():
    real = Function("real", 1, "x", lambda m, x: m.real(x) + 0 * m.shape(x)[0], (1, 2, 1))
    assert real(np.array([3.0])).tolist() == [3]
    square = Function("square", 1, "x^2", lambda m, x: m.square(x), (1, 2, 1))
    assert square(np.array([3.0])).tolist() == square(torch.tensor([3.0])).tolist() == [9]
    product = Function("product", 2, "x y", lambda m, x, y: x * y - x**2 / y, (2, 2, 1))
    assert product(3, 5) == F(66, 5) and product(3.0, 5.0) == 13.2


# What was proved of what is false, and what else a definition may try

PROVED_ONCE = [
    ("m.where(x1 > 0, 1, 0) / 2", Network([[[0]]]), 3, F(1, 2)),
    ("m.minimum(m.abs(-3), 5) / 2 + 0 * x1", Network([[[0]]], [[1]]), 0, F(3, 2)),
    ("m.where(x1 > -5, 1, 1) / 3 * 3", Network([[[0]]]), 2, 1),
    (".1 * x1", Network([[[F(1, 10)]]]), 1, F(0.1)),
    ("m.where(x1 == 0, x1, 7)", Network([[[0]]], [[7]]), 0, 0),
]


@pytest.mark.parametrize(("written", "network", "x", "value"), PROVED_ONCE)
def test_no_false_proof(written, network, x, value):
    function = function_of(written, 1)
    assert function(x) == value != network(x)
    proof = prove_equal(network, function)
    assert proof.status == "refuted" and proof.right == function(*proof.counterexample) != proof.left


def test_true_ones_are_proved():
    for written, network in [
        ("m.where(x1 > -5, 1, 1) / 3 * 3", Network([[[0]]], [[1]])),
        (".1 * x1", Network([[[0.1]]])),
        ("m.minimum(m.abs(-3), 5) / 2", Network([[[0]]], [[1.5]])),
        ("np.float32(.1) * x1 + np.int8(3)", Network([[[np.float32(0.1)]]], [[3]])),
        ("m.where((x1 > 0) & (x1 < 1) | ~(x1 < 2), 0, 0) + abs(x1)", circuits.absolute_value()),
        ("m.where((3 > 2) & (x1 > 0) | (2 > 3), x1, 0)", circuits.positiveness_detector()),
        ("m.where((2 > 3) | (x1 > 0) & (3 > 2), x1, 0)", circuits.positiveness_detector()),
        ("m.where((3 > 2) | (x1 > 0), x1, 0)", Network([[[1]]])),
        ("m.where((2 > 3) & (x1 > 0), 1, x1)", Network([[[1]]])),
        ("m.where(True, 2, x1) * x1 / 2 + sum([x1, -x1])", Network([[[1]]])),
        ("+x1 - (0 - x1) - x1", Network([[[1]]])),
        ("m.where(x1 != 3, x1, 3)", Network([[[1]]])),
        ("2**200 * x1", Network([[[2**200]]])),
    ]:
        assert prove_equal(network, function_of(written, 1)), written


REFUSED = [
    "x1 if x1 == 0 else 7",
    "x1 if x1 > 0 else 0",
    "max(x1, 0)",
    "sorted([x1, 0])[0]",
    "x1 and 1",
    "not x1",
    "0 < x1 < 1",
    "x1 if x1 in (0, 1) else 2",
    "{0: 1}.get(x1, 2)",
    "x1 * x1",
    "x1**2",
    "2**x1",
    "1 / x1",
    "x1 / (x1 + 1)",
    "x1 / 0",
    "x1 // 1",
    "x1 % 1",
    "round(x1)",
    "int(x1)",
    "float(x1)",
    "math.sqrt(x1)",
    "math.floor(x1)",
    "m.sqrt(x1)",
    "m.pi * x1",
    "np.maximum(x1, 0)",
    "np.abs(x1)",
    "np.where(x1 > 0, 1, 0)",
    "np.clip(x1, 0, 1)",
    "np.max([x1, 0])",
    "x1 + np.array([1, 2])",
    "x1 + 1j",
    "x1 + True",
    "x1 + '1'",
    "x1 + None",
    "x1 + math.inf",
    "m.minimum(x1, math.nan)",
    "(x1 > 0) * x1",
    "x1 + (x1 > 0)",
    "(x1 > 0) + (x1 < 1)",
    "m.where((x1 > 0) == (x1 < 1), 1, 0)",
    "m.where((x1 > 0) != 1, 1, 0)",
    "m.where(x1 == None, 1, 0)",
    "m.where(x1 == '0', 1, 0)",
    "m.where(x1 != (0,), 1, 0)",
    "m.where(x1, 1, 0)",
    "m.where(1, x1, 0)",
    "m.where(~(3 > 2), x1, 0)",
    "m.where(x1 > 0 & x1 < 1, 1, 0)",
    "m.where(x1 > 0, [1], [0])",
    "m.where(x1 > 0, x1, None)",
    "m.abs(x1, x1)",
    "m.minimum(x1)",
    "m.maximum(x1 > 0, 0)",
    "x1 > 0",
    "None",
    "True",
    "[x1]",
    "'x1'",
    "(x1, x1)",
    "()",
    "m",
    "math.nan",
    "np.array([1.0])",
    "m.undefined",
    "missing",
    "x1.real",
    "x1[0]",
    "len(x1)",
    "[y for y in x1]",
]


@pytest.mark.parametrize("written", REFUSED)
def test_what_a_definition_may_not_try_is_a_sentence(written):
    function = function_of(written, 1)
    with pytest.raises((TypeError, ValueError), match="^the definition of f (fails: |gives ).*wanted"):
        prove_equal(Network([[[0]]]), function)
    with pytest.raises((TypeError, ValueError), match="^the definition of f (fails: |gives ).*wanted"):
        function.terms()


def test_what_was_the_same_object_once_is_no_branch():
    """A choice among numbers is made at once, but ``is`` must not tell."""
    function = Function("f", 1, "", lambda m, x: x if m.maximum(x, 0) is x else 7 * x, (1, 1))
    assert function(5) == 35 and prove_equal(Network([[[7]]]), function)


def test_an_input_that_was_kept_is_no_value():
    kept = []
    function = Function("f", 1, "", lambda m, x: kept[0] if kept else kept.append(x) or x, (1, 1))
    assert function.terms()[0].operation == "input"
    with pytest.raises(TypeError, match="^the definition of f gives "):
        function(3)


@pytest.mark.parametrize(
    ("written", "x"),
    [
        ("None", 1.0),
        ("True", np.ones(3)),
        ("x1 > 0", np.ones(3)),
        ("x1 > 0", torch.ones(3)),
        ("x1 + 1j", torch.ones(3)),
        ("x1 + 1j", 1.0),
        ("[x1]", torch.ones(3)),
        ("(x1, x1)", torch.ones(3)),
        ("(x1, x1)", np.ones(3)),
        ("x1 if x1 > 0 else 0", np.ones(3)),
        ("x1 if x1 > 0 else 0", torch.ones(3)),
        ("m.where(x1, 1, 0)", np.ones(3)),
        ("m.where(x1, 1, 0)", torch.ones(3)),
        ("F(1, 3) * x1", torch.ones(3)),
        ("m.minimum(x1, 'a')", torch.ones(3)),
        ("1 / x1", 0),
        ("x1**.5", 4),
        ("x1 if x1 else 1", 0),
    ],
)
def test_floats_and_numbers_that_fail_are_a_sentence(written, x):
    with pytest.raises((TypeError, ValueError), match="^the definition of f (fails|gives)"):
        function_of(written, 1)(x)


# A proof is checked without z3


@pytest.mark.parametrize("operation", ["+", "*", "<", "<=", "==", "&", "|", "~", "where", "number"])
def test_a_wrong_operation_in_z3_is_found_out(monkeypatch, operation):
    """Each operation of z3 is made wrong, so that z3 says "proved" of what is false."""
    wrong = {
        "+": ("x1 + 1", Network([[[1]]]), lambda a, b: a),
        "*": ("3 * x1", Network([[[1]]]), lambda a, b: b),
        "<": ("m.where(x1 < 0, 1, 1)*0 + m.where(x1 < 0, 1, 0)", Network([[[0]]]), lambda a, b: z3.BoolVal(False)),
        "<=": ("m.where(x1 <= 0, 1, 0)", Network([[[0]]]), lambda a, b: z3.BoolVal(False)),
        "==": ("m.where(x1 == 0, 1, 0)", Network([[[0]]]), lambda a, b: z3.BoolVal(a.eq(b))),
        "&": ("m.where((x1 > 1) & (x1 < 2), 1, 0)", Network([[[0]]]), lambda a, b: z3.BoolVal(False)),
        "|": ("m.where((x1 > 1) | (x1 < -1), 1, 0)", Network([[[0]]]), lambda a, b: z3.And(a, b)),
        "~": ("m.where(x1 != 0, 1, 0)", Network([[[0]]]), lambda a: z3.BoolVal(False)),
        "where": ("m.where(x1 > 0, x1, 0)", Network([[[1]]]), lambda c, a, b: a),
        "number": ("x1 / 2", Network([[[0]]]), lambda value: z3.IntVal(value.numerator) / z3.IntVal(value.denominator)),
    }
    written, network, instead = wrong[operation]
    assert prove_equal(network, function_of(written, 1)).status == "refuted"
    monkeypatch.setitem(proof.Z3, operation, instead)
    with pytest.raises(RuntimeError, match="^z3 proved that the network equals f for all real inputs, but exact eval"):
        prove_equal(network, function_of(written, 1))


def test_functions_are_pickled_by_name_or_whole():
    for function in FUNCTIONS.values():
        assert pickle.loads(pickle.dumps(function)) is function
    mine = Function("minimum", 2, "", max, (2, 1), low=0, domain=(((0, 1),),) * 2)
    assert pickle.loads(pickle.dumps(mine)) == mine
