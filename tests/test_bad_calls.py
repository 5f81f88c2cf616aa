"""Calls that make no sense are refused in one sentence: what was given and what is wanted.

The table is of modules that have no such table beside their other tests (training, sweeping, figures have).
"""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import mathcircuits as mc
from mathcircuits import FUNCTIONS, Network, circuits

NAN, INF = float("nan"), float("inf")
MINIMUM, IDENTITY, ABSOLUTE = circuits.minimum(), circuits.identity(), FUNCTIONS["absolute_value"]
RUNS = mc.train(FUNCTIONS["identity"], seeds=[0, 1], steps=1)
NOT_A_NETWORK = [None, 3, "minimum", [[1]], FUNCTIONS["minimum"], IDENTITY.to_torch()]

BAD = [
    # The first argument is no network.
    *(
        (call, (wrong, *others), {}, TypeError, "^the network .* was given; wanted a Network$")
        for wrong in NOT_A_NETWORK
        for call, others in [
            (mc.canonical, ()),
            (mc.snap, ()),
            (mc.merge_layers, ()),
            (mc.function_form, ()),
            (mc.draw_network, ()),
            (mc.draw_activations, (1,)),
            (mc.draw_comparison, (IDENTITY, IDENTITY)),
            (mc.draw_weights, ()),
            (mc.draw_directions, ()),
        ]
    ),
    # forms
    (
        mc.canonical,
        (MINIMUM,),
        {"tolerance": -1e-3},
        ValueError,
        "^the tolerance -0.001 was given; wanted a finite num",
    ),
    (mc.canonical, (MINIMUM,), {"tolerance": NAN}, ValueError, "^the tolerance nan was given"),
    (mc.canonical, (MINIMUM,), {"tolerance": INF}, ValueError, "^the tolerance inf was given"),
    (mc.canonical, (MINIMUM,), {"tolerance": "0"}, TypeError, "^the tolerance '0' was given"),
    (mc.canonical, (MINIMUM,), {"tolerance": True}, TypeError, "^the tolerance True was given"),
    (
        mc.snap,
        (MINIMUM,),
        {"max_denominator": 0},
        ValueError,
        "^max_denominator 0 was given; wanted an integer of at l",
    ),
    (mc.snap, (MINIMUM,), {"max_denominator": 1.5}, TypeError, "^max_denominator 1.5 was given; wanted an integer of"),
    (mc.snap, (MINIMUM,), {"max_denominator": NAN}, TypeError, "^max_denominator nan was given"),
    (mc.merge_layers, (MINIMUM.to_float(),), {}, TypeError, "^a float network was given; wanted an exact one"),
    (
        mc.function_form,
        (IDENTITY,),
        {"box": (1, 0)},
        ValueError,
        r"^the box \(1, 0\) was given; .* with low below high$",
    ),
    (mc.function_form, (IDENTITY,), {"box": (0, 0)}, ValueError, "with low below high$"),
    (mc.function_form, (IDENTITY,), {"box": (0, INF)}, ValueError, "of finite numbers$"),
    (mc.function_form, (IDENTITY,), {"box": (NAN, 1)}, ValueError, r"^the box \(nan, 1\) was given"),
    (
        mc.function_form,
        (IDENTITY,),
        {"box": 5},
        TypeError,
        r"^the box 5 was given; wanted one \(low, high\), or one for",
    ),
    (mc.function_form, (IDENTITY,), {"box": "01"}, TypeError, "^the box '01' was given"),
    (mc.function_form, (IDENTITY,), {"box": [("0", "1")]}, TypeError, "of numbers$"),
    (mc.function_form, (IDENTITY,), {"box": [(0, 1), (0, 1)]}, ValueError, "for each of 1 inputs$"),
    (mc.function_form, (IDENTITY,), {"tolerance": INF}, ValueError, "^the tolerance inf was given"),
    (mc.function_form, (circuits.minimum_of(3),), {}, ValueError, "wanted one hidden layer and one output$"),
    # reading
    (
        mc.read,
        ("mine.pt",),
        {},
        TypeError,
        r"^str was given; .* torch.load\(file, weights_only=True\) gives what a file",
    ),
    (mc.read, (MINIMUM,), {"box": 1}, TypeError, "^the box 1 was given"),
    (mc.read, (MINIMUM,), {"box": (1, -1)}, ValueError, "with low below high$"),
    (mc.read, (MINIMUM,), {"box": (0, INF)}, ValueError, "of finite numbers$"),
    (mc.read, (MINIMUM,), {"box": [(0, 1)]}, ValueError, "for each of 2 inputs$"),
    (
        mc.read,
        (MINIMUM,),
        {"tolerances": []},
        ValueError,
        "^an empty list of tolerances was given; wanted at least one$",
    ),
    (mc.read, (MINIMUM,), {"tolerances": [1e-3, -1]}, ValueError, "^the tolerance -1 was given"),
    (mc.read, (MINIMUM,), {"tolerances": NAN}, ValueError, "^the tolerance nan was given"),
    (mc.read, (MINIMUM,), {"tolerances": [INF]}, ValueError, "^the tolerance inf was given"),
    (mc.read, (MINIMUM,), {"tolerances": "small"}, TypeError, "^the tolerance 'small' was given"),
    (mc.read, (MINIMUM,), {"tolerances": None}, TypeError, "^the tolerance None was given"),
    (mc.read, (MINIMUM,), {"nearness": -1}, ValueError, "^nearness -1 was given"),
    (mc.read, (MINIMUM,), {"nearness": INF}, ValueError, "^nearness inf was given"),
    (mc.read, (MINIMUM,), {"max_denominator": 0}, ValueError, "^max_denominator 0 was given"),
    (mc.read, (MINIMUM,), {"max_denominator": 1.5}, TypeError, "^max_denominator 1.5 was given"),
    (
        Network.from_torch,
        ("mine.pt",),
        {},
        TypeError,
        r"torch.load\(file, weights_only=True\) gives what a file holds",
    ),
    # plotting
    (
        mc.draw_network,
        (MINIMUM,),
        {"scale": NAN},
        ValueError,
        "^the scale nan was given; wanted a finite number above 0$",
    ),
    (mc.draw_network, (MINIMUM,), {"scale": 0}, ValueError, "^the scale 0 was given"),
    (mc.draw_network, (MINIMUM,), {"scale": "big"}, TypeError, "^the scale 'big' was given"),
    (mc.draw_network, (MINIMUM,), {"captions": "no"}, TypeError, "^captions 'no' was given; wanted True or False$"),
    (mc.draw_network, (MINIMUM,), {"labels": None}, TypeError, "^labels None was given; wanted True or False$"),
    (mc.draw_network, (MINIMUM,), {"title": 6}, TypeError, "^the title 6 was given; wanted a string$"),
    (mc.draw_network, (MINIMUM,), {"ax": "left"}, TypeError, "^ax 'left' was given; wanted axes of matplotlib$"),
    (mc.draw_activations, (MINIMUM,), {}, ValueError, "^no points were given; wanted one or more$"),
    (mc.draw_activations, (MINIMUM, (1, 2, 3)), {}, ValueError, "^3 inputs were given; the network takes 2$"),
    (mc.draw_activations, (IDENTITY, "3"), {}, TypeError, "^the input '3' was given; wanted a finite number$"),
    (mc.draw_activations, (IDENTITY, NAN), {}, ValueError, "^the input nan was given"),
    (mc.draw_activations, (IDENTITY, 3, None), {}, TypeError, "^the input None was given"),
    (mc.draw_comparison, (IDENTITY, IDENTITY, None), {}, TypeError, "^the network None was given; wanted a Network$"),
    (mc.draw_comparison, (IDENTITY, IDENTITY, MINIMUM), {}, ValueError, "wanted as many inputs, layers and outputs in"),
    (mc.draw_comparison, (IDENTITY,) * 3, {"title": 3}, TypeError, "^the title 3 was given; wanted a string$"),
    (
        mc.draw_weights,
        (),
        {},
        ValueError,
        "^0 networks of no matrices and 0 titles were given; wanted networks of equal",
    ),
    (mc.draw_weights, (IDENTITY, None), {}, TypeError, "^the network None was given"),
    (mc.draw_function, (abs,), {}, TypeError, "^the function <built-in .* was given; wanted a Function, or a callable"),
    (mc.draw_function, ("minimum",), {}, TypeError, "^the function 'minimum' was given; wanted a Function, or"),
    (mc.draw_function, (ABSOLUTE,), {"low": 1}, ValueError, "with low below high$"),
    (mc.draw_function, (ABSOLUTE,), {"high": NAN}, ValueError, r"^the box \(-1, nan\) was given"),
    (mc.draw_function, (ABSOLUTE,), {"network": "identity"}, TypeError, "^the network 'identity' was given"),
    (mc.draw_function, (ABSOLUTE,), {"network": MINIMUM}, ValueError, "wanted one or two, the same for both$"),
    (
        mc.draw_directions,
        (MINIMUM,),
        {"reach": 0},
        ValueError,
        "^the reach 0 was given; wanted a finite number above 0$",
    ),
    (mc.draw_directions, (MINIMUM,), {"slope": NAN}, ValueError, "^the slope nan was given"),
    (mc.draw_directions, (IDENTITY,), {}, ValueError, r"wanted \(2, ..., 1\) with one hidden layer$"),
    (mc.draw_runs, (MINIMUM,), {}, TypeError, "^the runs Network.* were given; wanted Runs, as train returns them$"),
    (mc.draw_runs, (None,), {}, TypeError, "^the runs None were given; wanted Runs, as train returns them$"),
    # Runs, and where they begin
    (RUNS.network, (2,), {}, ValueError, "^seed 2 was asked for; it is not among the 2 seeds trained$"),
    (RUNS.network, ([0, 1],), {}, TypeError, r"^seed \[0, 1\] was given; wanted an integer$"),
    (RUNS.network, ("0",), {}, TypeError, "^seed '0' was given; wanted an integer$"),
    (RUNS.network, (0,), {"initial": "yes"}, TypeError, "^initial 'yes' was given; wanted True or False$"),
    # circuits
    (circuits.minimum_of, (1,), {}, ValueError, "^n 1 was given; wanted an integer of at least 2$"),
    (circuits.maximum_of, (2.0,), {}, TypeError, "^n 2.0 was given; wanted an integer of at least 2$"),
    (circuits.levels_of, (0,), {}, ValueError, "^n 0 was given; wanted an integer of at least 1$"),
    (circuits.parity_of, ("3",), {}, TypeError, "^n '3' was given"),
    (circuits.ripple_carry_adder, (0,), {}, ValueError, "^n 0 was given"),
    (circuits.sawtooth, (3,), {}, ValueError, "^the number of teeth 3 was given; wanted a power of two$"),
    (circuits.sawtooth, (2.0,), {}, TypeError, "^the number of teeth 2.0 was given"),
    (circuits.square, (None,), {}, TypeError, "^depth None was given"),
    (circuits.multiplication, (0,), {}, ValueError, "^depth 0 was given"),
    (circuits.assemble, ("abs(x)", 1), {}, TypeError, r"^the definition 'abs\(x\)' was given; wanted a callable$"),
    (
        circuits.assemble,
        (lambda m, x: 3, 1),
        {},
        TypeError,
        "^the value of the definition 3 was given; wanted a Network$",
    ),
    (circuits.assemble, (lambda m, x: x, 0), {}, ValueError, "^the arity 0 was given"),
]


@pytest.mark.usefixtures("style")
@pytest.mark.parametrize(
    ("call", "given", "options", "error", "message"), BAD, ids=[f"{bad[0].__name__}-{n}" for n, bad in enumerate(BAD)]
)
def test_bad_call_is_refused_in_one_sentence(call, given, options, error, message):
    figures = len(plt.get_fignums())
    with pytest.raises(error, match=message) as caught:
        call(*given, **options)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None
    assert len(plt.get_fignums()) == figures, "a figure was begun"


@pytest.mark.usefixtures("style")
def test_numbers_of_every_kind_are_let_through():
    """What looks like a bad call and is none: numbers of numpy and torch, and tensors of them."""
    one = Network([[[1.0], [-1.0]], [[1.0, -1.0]]])
    assert mc.snap(one, max_denominator=np.int64(4)) == mc.snap(one)
    assert mc.canonical(one, tolerance=np.float32(0.5)) == mc.canonical(one, tolerance=torch.tensor(0.5))
    boxes = [(0, 1), (0.0, 1.0), np.array([[0, 1]]), torch.tensor([0.0, 1.0]), [(np.int32(0), np.float32(1))]]
    assert len({mc.function_form(IDENTITY, box=box) for box in boxes}) == 1
    assert RUNS.network(np.int64(1)) == RUNS.network(1) != RUNS.network(1, initial=np.True_)
    drawn = mc.draw_activations(MINIMUM, np.array([3, -5]), torch.tensor([3, -5]), [3.0, -5])
    assert [len(ax.texts) for ax in drawn.axes] == [len(drawn.axes[0].texts)] * 3
    runs = SimpleNamespace(steps=[0, 1], loss=[[1, 0.1]], solved=[True])
    assert len(mc.draw_runs(runs).lines) == 2
