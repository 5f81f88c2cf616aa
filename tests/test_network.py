"""Networks, held against torch, against matrices multiplied out by hand, and against bad input."""

from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
import torch

from mathcircuits import Network

HALF = Fraction(1, 2)
RELU = Network([[[1]], [[1]]], names=[("positiveness",)])
IDENTITY = Network([[[1], [-1]], [[1, -1]]], names=[("up", "down")])
MINIMUM = Network([[[1, -1], [1, 0], [-1, 0]], [[-1, 1, -1]]])
WIDTHS = [(1, 1), (1, 2, 1), (3, 4, 2), (2, 5, 4, 3, 1)]


def floats(seed, widths, bias=True):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) for m, n in zip(widths, widths[1:], strict=False)]
    return Network(weights, [rng.normal(size=n) for n in widths[1:]] if bias else None)


def fractions(seed, widths):
    return floats(seed, widths).map_weights(lambda v: Fraction(v).limit_denominator(9))


def point(seed, n):
    return [Fraction(int(a), int(b)) for a, b in np.random.default_rng(seed).integers(1, 50, size=(n, 2)) - [25, 0]]


def plain(network, *inputs):
    """Multiply out in plain Python."""
    values = inputs
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values if k == 0 else [max(v, 0) for v in values]
        values = [sum((c * v for c, v in zip(row, values, strict=True)), s) for row, s in zip(w, b, strict=True)]
    return tuple(values)


# What it computes


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_forward_is_what_torch_and_numpy_compute(widths, bias):
    network, x = floats(1, widths, bias), np.random.default_rng(2).normal(size=(widths[0], 50))
    by_hand = x
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        by_hand = w @ (by_hand if k == 0 else by_hand.clip(min=0)) + b[:, None]
    by_torch = network.to_torch()(torch.from_numpy(x.T)).detach().numpy().T
    outputs = network.activations(*x)[-1]
    np.testing.assert_allclose(outputs, by_hand, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(outputs, by_torch, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(np.reshape(network(*x), outputs.shape), outputs)


@pytest.mark.parametrize("widths", WIDTHS)
def test_exact_forward_is_what_plain_python_computes(widths):
    network, x = fractions(3, widths), point(4, widths[0])
    output = network(*x)
    assert (output if isinstance(output, tuple) else (output,)) == plain(network, *x)


def test_every_node_of_a_worked_example():
    assert [layer.tolist() for layer in MINIMUM.activations(3, 5)] == [[3, 5], [0, 3, 0], [3]]
    assert [layer.tolist() for layer in MINIMUM.activations(3, -5)] == [[3, -5], [8, 3, 0], [-5]]


def test_rational_in_rational_out():
    for inputs in [(3, -5), (HALF, 2), (np.int64(3), np.int8(-5))]:
        values = [v for layer in MINIMUM.activations(*inputs) for v in layer]
        assert {type(v) for v in values} == {Fraction}
    assert Network([[[4]]])(np.int64(2**62)) == 2**64
    assert Network([np.array([[2**62]])])(4) == 2**64


def test_anything_float_gives_float64():
    assert type(MINIMUM(3, -5.0)) is type(MINIMUM.to_float()(3, -5)) is np.float64
    assert MINIMUM(np.float32(0.5), HALF) == 0.5
    assert Network([[[1, 0.5]]]).weights[0].dtype == Network([[[1]]], [[0.5]]).weights[0].dtype == np.float64


def test_arrays_of_any_common_shape():
    x1, x2 = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(MINIMUM(x1, x2), np.minimum(x1, x2), rtol=1e-14)
    np.testing.assert_allclose(MINIMUM(x1, 0.25), np.minimum(x1, 0.25), rtol=1e-14)
    assert [layer.shape for layer in MINIMUM.activations(x1, x2)] == [(2, 3, 4, 5), (3, 3, 4, 5), (1, 3, 4, 5)]
    assert Network([[[1], [2]]])(x1)[1].shape == (3, 4, 5)


def test_equations():
    two = Network([[[1, -HALF], [0, 0]], [[-1, 0], [3, 1]]], [[0, -2], [0, HALF]])
    assert str(two) == "h1 = relu(x1 - 1/2 x2)\nh2 = relu(-2)\ny1 = -h1\ny2 = 3 h1 + h2 + 1/2"
    assert str(IDENTITY @ IDENTITY).splitlines()[2:] == ["g1 = relu(h1 - h2)", "g2 = relu(-h1 + h2)", "y = g1 - g2"]
    assert str(Network([[[0.25]], [[-1.0]]], [[1.0], [0.0]])) == "h1 = relu(0.250 x + 1.000)\ny = -h1"
    assert str(Network([[[0]]])) == "y = 0"


# Algebra


@pytest.mark.parametrize("seed", range(5))
def test_composition_is_composition_of_functions(seed):
    inner, outer = fractions(seed, (2, 3, 2, 3)), fractions(seed + 100, (3, 4, 1))
    x = point(seed, 2)
    assert (outer @ inner).widths == (2, 3, 2, 4, 1)
    assert (outer @ inner)(*x) == plain(outer, *plain(inner, *x))[0]


@pytest.mark.parametrize("widths", [((1, 2, 1), (2, 3, 2)), ((2, 3, 1), (1, 2, 2, 2, 1)), ((1, 1), (2, 2, 3, 2))])
def test_side_by_side_pads_the_shallower(widths):
    for left, right in [(fractions(5, widths[0]), fractions(6, widths[1])), (fractions(7, widths[1]), RELU)]:
        x, y = point(8, left.arity), point(9, right.arity)
        both = left | right
        assert len(both.weights) == max(len(left.weights), len(right.weights))
        assert plain(both, *x, *y) == plain(left, *x) + plain(right, *y) == both(*x, *y)
        assert all(len(layer) == n for layer, n in zip(both.names, both.widths[1:-1], strict=True))


def test_padding_is_two_units_a_value():
    both = RELU | (IDENTITY @ IDENTITY)
    assert both.widths == (2, 3, 4, 2)
    assert both.names == (("positiveness", "up", "down"), ("positiveness", "negativeness", "up", "down"))


@pytest.mark.parametrize("outputs", [1, 2])
def test_sum_difference_and_multiples(outputs):
    f, g = fractions(1, (2, 3, outputs)), fractions(2, (2, 2, 2, outputs))
    x = point(3, 2)
    u, v = plain(f, *x), plain(g, *x)
    assert plain(f + g, *x) == tuple(a + b for a, b in zip(u, v, strict=True))
    assert plain(f - g, *x) == tuple(a - b for a, b in zip(u, v, strict=True))
    assert plain(-f, *x) == tuple(-a for a in u)
    assert plain(HALF * f, *x) == tuple(a / 2 for a in u)


@pytest.mark.parametrize("outputs", [1, 2])
def test_same_inputs_and_numbers(outputs):
    f, g = fractions(1, (2, 3, outputs)), fractions(2, (2, 2, 2, 1))
    x = point(3, 2)
    u, v = plain(f, *x), plain(g, *x)
    assert plain(f & g, *x) == u + v and (f & g).widths[-1] == outputs + 1
    assert plain(f + HALF, *x) == plain(HALF + f, *x) == tuple(a + HALF for a in u)
    assert plain(f - HALF, *x) == tuple(a - HALF for a in u)
    assert plain(HALF - f, *x) == tuple(HALF - a for a in u)
    assert (f + HALF).weights[0].tolist() == f.weights[0].tolist() and (f + 1).exact and not (f + 0.5).exact


def test_names_go_through_the_algebra():
    assert (RELU @ IDENTITY).names == (("up", "down"), ("positiveness",))
    assert (RELU + 2 * IDENTITY).names == (RELU | -IDENTITY).names == (("positiveness", "up", "down"),)
    assert IDENTITY.to_float().to_exact().with_weight(0, 0, 0, 5).names == IDENTITY.names


def test_with_weight_changes_one_weight_of_a_copy():
    changed = MINIMUM.with_weight(0, 1, 1, HALF)
    assert [w.tolist() for w in changed.weights] == [[[1, -1], [1, HALF], [-1, 0]], [[-1, 1, -1]]]
    assert MINIMUM.weights[0].tolist() == [[1, -1], [1, 0], [-1, 0]]
    assert MINIMUM.with_weight(0, 0, 0, 0.1).exact is False


# To and from elsewhere


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_round_trip_through_torch(widths, bias):
    network = floats(1, widths, bias)
    module = network.to_torch()
    assert Network.from_torch(module) == network
    assert network.bias_free == (not bias) == all(m.bias is None for m in module[::2])


def test_from_torch_in_single_precision_keeps_every_bit():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1, bias=False))
    network = Network.from_torch(module)
    assert network.widths == (2, 3, 1) and network.biases[0].tolist() == module[0].bias.tolist()
    assert network.weights[1].tolist() == module[2].weight.tolist() and network.biases[1].tolist() == [0]
    assert Network.from_torch(network.to_torch(torch.float32)) == network


def test_to_torch_draws_no_random_numbers():
    before = torch.random.get_rng_state()
    MINIMUM.to_torch()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_to_exact_loses_nothing_and_to_float_rounds():
    network = floats(1, (2, 3, 1))
    assert network.to_exact().exact and network.to_exact() == network == network.to_exact().to_float()
    assert Network([[[0.1]]]).to_exact().weights[0][0, 0] == Fraction(3602879701896397, 2**55)
    assert Network([[[Fraction(1, 3)]]]).to_float().weights[0][0, 0] == 1 / 3


@pytest.mark.parametrize(
    "module",
    [
        torch.nn.Linear(1, 1),
        torch.nn.Sequential(),
        torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()),
        torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Tanh(), torch.nn.Linear(1, 1)),
        torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(1, 1), torch.nn.ReLU()),
        [torch.nn.Linear(1, 1)],
    ],
)
def test_from_torch_refuses_anything_else(module):
    with pytest.raises(TypeError, match="was given; wanted a torch.nn.Sequential of Linear, ReLU"):
        Network.from_torch(module)


# Values that do not change


def test_equality_and_hash():
    same = [IDENTITY, IDENTITY.to_float(), Network([[[1], [-1]], [[1, -1]]]), Network(IDENTITY.weights, [[0, 0], [0]])]
    other = [-IDENTITY, RELU, Network(IDENTITY.weights, [[0, 0], [1]]), IDENTITY @ IDENTITY, Network([[[1]]])]
    assert len(set(same)) == 1 and len(set(same + other)) == 6
    assert all(a == IDENTITY for a in same) and not any(a == IDENTITY for a in other)
    assert Network([[[1]], [[1]]]) != Network([[[1], [1]], [[1, 1]]])
    assert IDENTITY != "identity"


def test_network_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        IDENTITY.weights = ()
    for network in (IDENTITY, IDENTITY.to_float(), IDENTITY @ IDENTITY, -IDENTITY):
        for array in network.weights + network.biases:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 7


@pytest.mark.parametrize("make", [np.array, torch.tensor, lambda rows: rows])
def test_network_keeps_a_copy(make):
    given = make([[1.0]])
    network = Network([given], [make([0.0])])
    given[0][0] = 7
    assert network.weights[0].tolist() == [[1]]


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (([],), ValueError, "a network of no layers"),
        (([[]],), ValueError, r"matrix 1 has shape \(0,\); wanted rows of equal length, not empty"),
        (([[[]]],), ValueError, r"matrix 1 has shape \(1, 0\)"),
        (([np.zeros((0, 2))],), ValueError, r"matrix 1 has shape \(0, 2\)"),
        (([[[1, 2], [3]]],), ValueError, r"matrix 1 has shape \(2,\); wanted rows of equal length"),
        (([[1, 2]],), ValueError, r"matrix 1 has shape \(2,\)"),
        (([[[[1]]]],), ValueError, r"matrix 1 has shape \(1, 1, 1\)"),
        (("abc",), TypeError, "the weights 'abc' were given; wanted a list of matrices"),
        ((["abc"],), ValueError, r"matrix 1 has shape \(\)"),
        (([[[1]], [[1], [2]], [[1, 2, 3]]],), ValueError, "matrix 2 gives 2 values but matrix 3 takes 3"),
        (([[[1.0, np.nan]]],), ValueError, "matrix 1 holds nan; wanted finite numbers"),
        (([[[1]], [[-np.inf]]],), ValueError, "matrix 2 holds -inf; wanted finite numbers"),
        (([torch.tensor([[torch.nan]])],), ValueError, "matrix 1 holds nan"),
        (([[[True]]],), TypeError, "matrix 1 holds True; wanted integers, Fractions or floats"),
        (([np.array([[False]])],), TypeError, "matrix 1 holds False"),
        (([[["1"]]],), TypeError, "matrix 1 holds '1'"),
        (([[[1j]]],), TypeError, "matrix 1 holds 1j"),
        (([[[None]]],), TypeError, "matrix 1 holds None"),
        ((5,), TypeError, "the weights 5 were given; wanted a list of matrices"),
        (([[[1]]], [[0, 0]]), ValueError, r"biases for \[2\] units were given; wanted \[1\]"),
        (([[[1]]], []), ValueError, r"biases for \[\] units were given; wanted \[1\]"),
        (([[[1]]], [[np.nan]]), ValueError, "bias 1 holds nan"),
        (([[[1]]], [0]), ValueError, r"bias 1 has shape \(\); wanted a list of numbers"),
        (([[[1]], [[1]]], None, [("a", "b")]), ValueError, r"names for \[2\] units were given; wanted \[1\]"),
        (([[[1]], [[1]]], None, []), ValueError, r"names for \[\] units were given; wanted \[1\]"),
    ],
)
def test_bad_network(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        Network(*arguments)


@pytest.mark.parametrize(
    ("inputs", "error", "sentence"),
    [
        ((), ValueError, "0 inputs were given; the network takes 2"),
        ((1, 2, 3), ValueError, "3 inputs were given; the network takes 2"),
        (("a", 1), TypeError, "input 1 of the network, 'a' was given; wanted a number"),
        ((np.zeros(3), np.zeros(4)), ValueError, r"inputs of shapes \(3,\), \(4,\) were given; wanted one shape"),
    ],
)
def test_bad_inputs(inputs, error, sentence):
    with pytest.raises(error, match=sentence):
        MINIMUM(*inputs)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: MINIMUM @ RELU, ValueError, "the inner network has 1 outputs, the outer one takes 2"),
        (lambda: MINIMUM + RELU, ValueError, r"\(2, 3, 1\) and \(1, 1, 1\) were given; wanted as many inputs"),
        (lambda: RELU - Network([[[1], [1]]]), ValueError, r"\(1, 1, 1\) and \(1, 2\) were given"),
        (lambda: np.nan * RELU, ValueError, "matrix 2 holds nan"),
        (lambda: RELU.with_weight(0, 0, 0, np.inf), ValueError, "matrix 1 holds inf"),
        (lambda: RELU @ 2, TypeError, "unsupported operand"),
        (lambda: RELU | 2, TypeError, "unsupported operand"),
        (lambda: RELU & 2, TypeError, "unsupported operand"),
        (lambda: RELU & MINIMUM, ValueError, r"\(1, 1, 1\) and \(2, 3, 1\) were given; wanted as many inputs"),
        (lambda: RELU + "2", TypeError, "unsupported operand"),
        (lambda: "2" + RELU, TypeError, "can only concatenate"),
        (lambda: RELU - "2", TypeError, "unsupported operand"),
        (lambda: "2" - RELU, TypeError, "unsupported operand"),
        (lambda: RELU + np.nan, ValueError, "bias 2 holds nan"),
        (lambda: "2" * RELU, TypeError, "can't multiply"),
    ],
)
def test_bad_algebra(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
