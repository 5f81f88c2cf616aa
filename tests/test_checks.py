"""Bad calls: each must end in one sentence of ours that says what was given and what is wanted."""

import math
import traceback
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import mathcircuits
from mathcircuits import FUNCTIONS, Function, Network, checks, circuits, find_network, prove_equal

OURS = Path(mathcircuits.__file__).parent
ABS, MINIMUM = FUNCTIONS["absolute_value"], FUNCTIONS["minimum"]
NETWORK, PAIR = circuits.absolute_value(), circuits.minimum()
MASKED = np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]])
TIMES = np.array([[5, 6]], dtype="datetime64[ns]")


def function(**changes):
    return replace(Function("mine", 1, "x", lambda m, x: x, (1, 2, 1)), **changes)


def prove(box=None, **options):
    return prove_equal(PAIR, MINIMUM, box=box, **options)


def find(function=ABS, units=1, points=((1,), (-1,)), **options):
    return find_network(function, units, points, **options)


BAD = {
    # A Network
    "Network(5)": lambda: Network(5),
    "Network(None)": lambda: Network(None),
    "Network('abc')": lambda: Network("abc"),
    "Network of a dict": lambda: Network({"0.weight": [[1]]}),
    "Network of nothing": lambda: Network([]),
    "masked weights": lambda: Network([MASKED]),
    "masked bias": lambda: Network([[[1, 2]]], [np.ma.masked_array([1.0], mask=[True])]),
    "times": lambda: Network([TIMES]),
    "a span of time": lambda: Network([[[np.timedelta64(5, "ns")]]]),
    "arrays of unlike shapes": lambda: Network([[np.zeros((1, 2)), np.zeros((2, 2))]]),
    "biases=5": lambda: Network([[[1]]], 5),
    "biases='a'": lambda: Network([[[1]]], "a"),
    "names=5": lambda: Network([[[1]], [[1]]], names=5),
    "names=[5]": lambda: Network([[[1]], [[1]]], names=[5]),
    "names=['a']": lambda: Network([[[1]], [[1]]], names=["a"]),
    "names=[[5]]": lambda: Network([[[1]], [[1]]], names=[[5]]),
    "layer 9": lambda: NETWORK.with_weight(9, 0, 0, 1),
    "layer -1": lambda: NETWORK.with_weight(-1, 0, 0, 1),
    "row 9": lambda: NETWORK.with_weight(0, 9, 0, 1),
    "column 'a'": lambda: NETWORK.with_weight(0, 0, "a", 1),
    "weight None": lambda: NETWORK.with_weight(0, 0, 0, None),
    "weight [1]": lambda: NETWORK.with_weight(0, 0, 0, [1]),
    "int32": lambda: NETWORK.to_torch(torch.int32),
    "dtype 'float64'": lambda: NETWORK.to_torch("float64"),
    "map_weights(5)": lambda: NETWORK.map_weights(5),
    "map_weights(str)": lambda: NETWORK.map_weights(str),
    # Calling networks and functions
    **{
        f"{side} {inputs!r}": lambda call=call, inputs=inputs: call(*inputs)
        for side, call in (("network", PAIR), ("function", MINIMUM))
        for inputs in [
            ("a", "b"),
            (None, 1),
            (1j, 1),
            (np.datetime64(50, "ns"), 1),
            (np.timedelta64(50, "ns"), 1),
            ([1, [2, 3]], 1),
            ({1: 2}, 1.0),
            (10**400, 1.0),
            (NETWORK, 1),
            (np.zeros(3), np.zeros(4)),
            (1,),
        ]
    },
}
BAD |= {
    "masked inputs": lambda: NETWORK(np.ma.masked_array([1.0, 2.0], mask=[True, False])),
    "complex tensors": lambda: ABS(torch.tensor([1j])),
    "tensor with a string": lambda: MINIMUM(torch.ones(3), "a"),
    "tensors of unlike shapes": lambda: MINIMUM(torch.ones(3), torch.ones(4)),
    # A Function
    "name None": lambda: function(name=None),
    "arity 0": lambda: function(arity=0),
    "arity 1.0": lambda: function(arity=1.0),
    "arity True": lambda: function(arity=True),
    "formula None": lambda: function(formula=None),
    "definition None": lambda: function(definition=None),
    "definition 'x'": lambda: function(definition="x"),
    "widths ()": lambda: function(widths=()),
    "widths None": lambda: function(widths=None),
    "widths 'a'": lambda: function(widths="a"),
    "widths (1,)": lambda: function(widths=(1,)),
    "widths (2, 1)": lambda: function(widths=(2, 1)),
    "widths (1, 0, 1)": lambda: function(widths=(1, 0, 1)),
    "widths (1, 1.5, 1)": lambda: function(widths=(1, 1.5, 1)),
    "low NaN": lambda: function(low=math.nan),
    "low 'a'": lambda: function(low="a"),
    "low None": lambda: function(low=None),
    "low above high": lambda: function(low=2),
    "high infinite": lambda: function(high=math.inf),
    "domain 5": lambda: function(domain=5),
    "domain 'a'": lambda: function(domain="a"),
    "domain (0, 1)": lambda: function(domain=(0, 1)),
    "domain ((0, 1),)": lambda: function(domain=((0, 1),)),
    "domain of strings": lambda: function(domain=((("a", "b"),),)),
    "domain of bools": lambda: function(domain=(((False, True),),)),
    "domain of NaN": lambda: function(domain=(((0, math.nan),),)),
    "domain of three": lambda: function(domain=(((0, 1, 2),),)),
    "grid(0)": lambda: ABS.grid(0),
    "grid('a')": lambda: ABS.grid("a"),
    "sample(0, 3)": lambda: ABS.sample(0, 3),
    "sample of -1": lambda: ABS.sample(np.random.default_rng(0), -1),
    # prove_equal
    "prove strings": lambda: prove_equal("a", "b"),
    "prove a name": lambda: prove_equal(PAIR, "minimum"),
    "prove a module": lambda: prove_equal(PAIR.to_torch(), MINIMUM),
    **{
        f"box {box!r}": lambda box=box: prove(box)
        for box in [
            5,
            "ab",
            ("a", "b"),
            (False, True),
            (None, 1),
            (1j, 2),
            (1, 0),
            (0, 1, 2),
            (),
            [(0, 1)],
            [(0, 1)] * 3,
            [(0, 1), 5],
            [(0, 1), (1, "a")],
            (0, math.nan),
            (math.inf, math.inf),
            np.zeros((2, 3)),
            np.zeros((3, 2)),
            np.array(5),
            torch.tensor(5),
            {0: 1},
            {0: (0, 1), 1: (0, 1)},
            np.array([False, True]),
            TIMES,
            (np.datetime64(5, "ns"), np.datetime64(6, "ns")),
            [[(0, 1)]] * 2,
        ]
    },
    **{
        f"timeout {timeout!r}": lambda timeout=timeout: prove(timeout=timeout)
        for timeout in (-1, 0, math.nan, -math.inf, "a", None, True, 1j, [1])
    },
    # find_network
    "find a name": lambda: find("absolute_value"),
    "find a network": lambda: find(NETWORK),
    "-1 units": lambda: find(units=-1),
    "1.5 units": lambda: find(units=1.5),
    "'a' units": lambda: find(units="a"),
    "True units": lambda: find(units=True),
    "point NaN": lambda: find(points=[(math.nan,)]),
    "point inf": lambda: find(points=[(math.inf,)]),
    "point '1'": lambda: find(points=[("1",)]),
    "point None": lambda: find(points=[(None,)]),
    "points 1, -1": lambda: find(points=[1, -1]),
    "points '12'": lambda: find(points="12"),
    "points 5": lambda: find(points=5),
    "points None": lambda: find(points=None),
    "points of two": lambda: find(points=[(1, 2)]),
    "point outside": lambda: find(FUNCTIONS["step"], points=[(0,), (Fraction(-1, 2),)]),
    "bias 2": lambda: find(bias=2),
    "bias None": lambda: find(bias=None),
    "bias 'a'": lambda: find(bias="a"),
    "excluding 5": lambda: find(excluding=5),
    "excluding a network": lambda: find(excluding=NETWORK),
    "excluding [5]": lambda: find(excluding=[5]),
    "find in no time": lambda: find(timeout=0),
    "find in NaN": lambda: find(timeout=math.nan),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_calls_end_in_a_sentence_of_ours(what):
    with pytest.raises((TypeError, ValueError)) as caught:
        BAD[what]()
    sentence, where = str(caught.value), traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert Path(where).parent == OURS, (where, sentence)
    assert "\n" not in sentence and len(sentence) < 260 and any(word in sentence for word in ("wanted", "takes")), (
        sentence
    )


def test_there_are_enough_of_them():
    assert len(BAD) > 140


# What is let through


@pytest.mark.parametrize(
    "box",
    [
        (0, 1),
        [0, 1],
        (np.int64(0), np.float32(1)),
        (Fraction(0), 1.0),
        np.array([0, 1]),
        np.array([[0, 1], [0, 1]]),
        torch.tensor([0.0, 1.0]),
        torch.tensor([[0, 1], [0, 1]]),
        [np.array([0, 1]), (0, torch.tensor(1))],
        ((0, 1) for _ in range(2)),
        zip([0, 0], [1, 1], strict=True),
    ],
)
def test_boxes_in_every_guise(box):
    assert checks.box(box, 2) == ((0, 1), (0, 1))


def test_numbers_become_those_of_python():
    given = [3, np.int8(3), torch.tensor(3), np.uint64(3), np.float16(0.5), np.float32(0.1), 0.5, torch.tensor(0.5)]
    assert [type(checks.number("x", v)) for v in given] == [int] * 4 + [float] * 4
    assert checks.number("x", np.float32(0.1)) == float(np.float32(0.1)) != 0.1
    assert checks.number("x", Fraction(1, 3)) == Fraction(1, 3) and checks.number("x", 10**5000) == 10**5000
    assert checks.integers("x", torch.tensor([1, 2])) == checks.integers("x", range(1, 3)) == (1, 2)


@pytest.mark.parametrize(
    ("limits", "value", "sentence"),
    [
        ({"at_least": 1}, 0.5, "x 0.5 was given; wanted a finite number of at least 1"),
        ({"above": 1}, 1, "x 1 was given; wanted a finite number above 1"),
        ({"above": 0, "at_most": 1}, 2, "x 2 was given; wanted a finite number above 0 and of at most 1"),
        ({"at_most": 1}, math.inf, "x inf was given; wanted a finite number of at most 1"),
        ({"finite": False}, math.nan, "x nan was given; wanted a number"),
        ({"above": 0, "finite": False}, -math.inf, "x -inf was given; wanted a number above 0"),
    ],
)
def test_limits(limits, value, sentence):
    with pytest.raises(ValueError) as caught:
        checks.number("x", value, **limits)
    assert str(caught.value) == sentence


def test_limits_are_let_through():
    assert checks.number("x", 1, at_least=1, at_most=1) == checks.integer("x", 1, at_least=1, at_most=1) == 1
    assert checks.number("x", math.inf, above=0, finite=False) == math.inf
    assert checks.integers("x", [1, 2], at_least=1) == (1, 2)
    assert checks.interval("", (0, 0), flat=True) == (0, 0)
    assert checks.interval("", (0, math.inf), finite=False) == (0, math.inf)


def test_what_cannot_be_printed_is_shown_somehow():
    class Bad:
        def __repr__(self):
            raise RuntimeError

    assert checks.shown(10**5000) == "int too long to print" and checks.shown(Bad()) == "Bad too long to print"
    assert checks.shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert len(checks.shown(list(range(1000)))) == 80
