"""Training every seed at once gives what training one network at a time gives, for every seed."""

import warnings
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn

from mathcircuits import FUNCTIONS, Network, train
from mathcircuits.functions import Function
from mathcircuits.training import SOLVED_BELOW, _backpropagation, _sectors, pytorch_init

IDENTITY, MINIMUM = FUNCTIONS["identity"], FUNCTIONS["minimum"]
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
TARGETS = {
    "identity": lambda x: x[:, 0],
    "absolute_value": lambda x: torch.where(x[:, 0] < 0, -x[:, 0], x[:, 0]),
    "addition": lambda x: x.sum(1),
    "subtraction": lambda x: x[:, 0] - x[:, 1],
    "minimum": lambda x: x.amin(1),
    "minimum_of_four": lambda x: x.amin(1),
}


def plain_network(seed, widths, *, bias, dtype=torch.float64):
    """Return the network that everybody would write down, with PyTorch's own initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(n_in, n_out, bias=bias) for n_in, n_out in pairwise(widths)]
    with_relus = [module for layer in layers for module in (layer, nn.ReLU())][:-1]
    return nn.Sequential(*with_relus).to(dtype)


def plain_training(
    name, seed, widths, *, optimizer, bias, steps, batch_size, batch_seed=0, dtype=torch.float64, **rates
):
    """Train one network with autograd, and return it."""
    network = plain_network(seed, widths, bias=bias, dtype=dtype)
    stepper = OPTIMIZERS[optimizer](network.parameters(), **rates)
    generator = np.random.default_rng(batch_seed)
    for _ in range(steps):
        x = torch.from_numpy(generator.uniform(-1, 1, (batch_size, widths[0]))).to(dtype)
        stepper.zero_grad()
        nn.functional.mse_loss(network(x)[:, 0], TARGETS[name](x)).backward()
        stepper.step()
    return network


def held_out(n_inputs):
    """About 1,000 inputs: the centres of equal boxes that fill the square, the cube, ..."""
    side = {1: 1000, 2: 32, 3: 10, 4: 6}[n_inputs]
    centres = [(2 * k + 1) / side - 1 for k in range(side)]
    return torch.tensor([*product(centres, repeat=n_inputs)], dtype=torch.float64)


def same(one, other, rows=slice(None)):
    """Are the networks of one those rows of the other, bit for bit, and their losses?"""
    tensors = zip(one.final + one.final_biases, other.final + other.final_biases, strict=True)
    return np.array_equal(one.loss, other.loss[rows]) and all(torch.equal(t, u[rows]) for t, u in tensors)


# The initial weights


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(1, 2, 1), (2, 3, 1), (3, 4, 3, 1), (4, 64, 33, 1), (2, 1)])
def test_initial_weights_are_those_of_linear_layers(widths, bias):
    function = Function("first", widths[0], "x_1", lambda m, x, *others: x, widths)
    runs = train(function, seeds=[0, 1, 12345, 2**40], steps=1, bias=bias, dtype=torch.float32)
    for row, seed in enumerate(runs.seeds.tolist()):
        layers = plain_network(seed, widths, bias=bias, dtype=torch.float32)[::2]
        assert all(torch.equal(w[row], layer.weight) for w, layer in zip(runs.initial, layers, strict=True))
        for b, layer in zip(runs.initial_biases, layers, strict=True):
            assert torch.equal(b[row], layer.bias) if bias else not b.any()


def test_training_in_float64_starts_from_the_same_float32_numbers():
    single, double = (train(MINIMUM, seeds=range(5), steps=1, dtype=t) for t in (torch.float32, torch.float64))
    assert {w.dtype for w in double.initial + double.final + double.final_biases} == {torch.float64}
    assert all(torch.equal(w.double(), v) for w, v in zip(single.initial, double.initial, strict=True))


def test_seed_0_of_the_identity_starts_where_the_original_started():
    start = train(IDENTITY, seeds=[0], steps=1).network(0, initial=True)
    assert start.weights[0].ravel().round(4).tolist() == [-0.0075, 0.5364]


def test_the_global_generators_are_left_alone():
    np_state, torch_state = np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    train(MINIMUM, seeds=range(3), steps=2, bias=True)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], np_state)  # noqa: NPY002


def test_an_initial_network_of_ones_own():
    asked = []

    def init(seed, widths, bias):
        asked.append((seed, widths, bias))
        layers = plain_network(seed + 1, widths, bias=bias)[::2]
        return [layer.weight for layer in layers], [layer.bias for layer in layers]

    runs = train(MINIMUM, seeds=np.arange(3), steps=20, bias=True, init=init)
    assert asked == [(0, (2, 3, 1), True), (1, (2, 3, 1), True), (2, (2, 3, 1), True)]
    assert all(type(seed) is int for seed, _, _ in asked)
    assert same(runs, train(MINIMUM, seeds=[1, 2, 3], steps=20, bias=True))


# Against one network at a time


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ["sort_two", "sort_three", "full_adder", "step", "if_then_else"])
def test_several_values_and_domains_train_as_one_at_a_time(name, bias):
    """What is held out is the domain: all bits, or the middles of boxes."""
    targets = {
        "sort_two": lambda x: x.sort(1)[0],
        "sort_three": lambda x: x.sort(1)[0],
        "full_adder": lambda x: torch.stack([x.sum(1) % 2, x.sum(1) // 2], 1),
        "step": lambda x: (x >= 0).double(),
        "if_then_else": lambda x: torch.where(x[:, :1] == 1, x[:, 1:2], x[:, 2:]),
    }
    middles, bits = [(2 * k + 1) / 10 - 1 for k in range(10)], (0, 1)
    held = {
        "sort_two": held_out(2),
        "sort_three": held_out(3),
        "full_adder": torch.tensor([*product(bits, repeat=3)]).double(),
        "step": torch.cat([torch.arange(1000) / 500 - 2.999, torch.arange(1000) * 0.003 + 0.0015])[:, None].double(),
        "if_then_else": torch.tensor([*product(bits, middles, middles)]).double(),
    }
    f, seeds = FUNCTIONS[name], [3, 0, 11]
    runs = train(f, seeds=seeds, steps=30, batch_size=40, bias=bias, lr=0.05)
    for row, seed in enumerate(seeds):
        network, generator = plain_network(seed, f.widths, bias=bias), np.random.default_rng(0)
        stepper = torch.optim.SGD(network.parameters(), lr=0.05)
        for _ in range(30):
            x = torch.from_numpy(f.sample(generator, 40))
            stepper.zero_grad()
            nn.functional.mse_loss(network(x), targets[name](x)).backward()
            stepper.step()
        for k, layer in enumerate(network[::2]):
            torch.testing.assert_close(runs.final[k][row], layer.weight.detach(), rtol=0, atol=1e-10)
        loss = nn.functional.mse_loss(network(held[name]), targets[name](held[name])).item()
        assert runs.loss[row, -1] == pytest.approx(loss, rel=1e-5)
    alone = train(f, seeds=[11], steps=30, batch_size=40, bias=bias, lr=0.05)
    assert all(torch.equal(w[0], v[2]) for w, v in zip(alone.final, runs.final, strict=True))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("identity", (1, 2, 1)),
        ("absolute_value", (1, 5, 1)),
        ("subtraction", (2, 2, 1)),
        ("minimum", (2, 6, 1)),
        ("minimum", (2, 4, 3, 1)),
        ("minimum_of_four", (4, 6, 1)),
        ("minimum_of_four", (4, 6, 3, 1)),
        ("addition", (2, 1)),
    ],
)
def test_training_together_is_training_one_at_a_time(name, widths, optimizer, bias):
    recipe = {"lr": 0.1 if optimizer == "sgd" else 0.03, "weight_decay": 0.01, "bias": bias, "optimizer": optimizer}
    recipe |= {"steps": 40, "batch_size": 77, "batch_seed": 5}
    seeds = [3, 0, 11]
    runs = train(FUNCTIONS[name], seeds=seeds, widths=widths, **recipe)
    x = held_out(widths[0])
    for row, seed in enumerate(seeds):
        network = plain_training(name, seed, widths, **recipe)
        for k, layer in enumerate(network[::2]):
            torch.testing.assert_close(runs.final[k][row], layer.weight.detach(), rtol=0, atol=1e-10)
            wanted = layer.bias.detach() if bias else torch.zeros(widths[k + 1], dtype=torch.float64)
            torch.testing.assert_close(runs.final_biases[k][row], wanted, rtol=0, atol=1e-10)
        loss = nn.functional.mse_loss(network(x)[:, 0], TARGETS[name](x)).item()
        assert runs.loss[row, -1] == pytest.approx(loss, rel=1e-8)


@pytest.mark.parametrize("bias", [False, True])
def test_training_together_in_float32(bias):
    recipe = {"lr": 0.1, "bias": bias, "optimizer": "sgd", "steps": 100, "batch_size": 1000, "dtype": torch.float32}
    runs = train(MINIMUM, seeds=range(3), **recipe)
    for seed in range(3):
        network = plain_training("minimum", seed, (2, 3, 1), **recipe)
        for w, layer in zip(runs.final, network[::2], strict=True):
            # An input on a unit's boundary, to seven digits, may count on either side: 2 / 1000 of the step of 0.1.
            torch.testing.assert_close(w[seed], layer.weight.detach(), rtol=0, atol=5e-4)


def test_the_defaults_are_the_original_recipe():
    network = plain_training("identity", 0, (1, 2, 1), optimizer="sgd", lr=0.1, bias=False, steps=500, batch_size=1000)
    ours = train(IDENTITY, seeds=range(4)).network(0)
    for w, layer in zip(ours.weights, network[::2], strict=True):
        assert w == pytest.approx(layer.weight.detach().numpy(), abs=1e-10)


# The gradients


def by_autograd(parameters, x, y):
    """Return the gradients of each seed's mean squared error, one seed and one layer at a time."""
    parameters = [p.clone().requires_grad_() for p in parameters]
    depth = len(parameters) // 2
    loss = 0
    for row in range(len(parameters[0])):
        h = x
        for k in range(depth):
            h = nn.functional.linear(h, parameters[k][row], parameters[depth + k][row])
            h = torch.relu(h) if k < depth - 1 else h
        loss = loss + nn.functional.mse_loss(h[:, 0], y)
    loss.backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]


def one_layer(incoming, outgoing):
    """Return parameters, biases last, of one network from what its units have."""
    incoming = torch.tensor(incoming, dtype=torch.float64)
    outgoing = torch.tensor([outgoing], dtype=torch.float64)
    biases = torch.zeros(1, len(incoming), dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    return [incoming[None], outgoing[None], *biases]


def backpropagation(x, y):
    return _backpropagation(x, y, True, {})


def assert_gradients(make, parameters, x, y):
    wanted = by_autograd(parameters, x, y)
    found = make(x, y)(parameters)
    assert len(found) in (len(wanted), len(wanted) // 2)
    for f, w in zip(found, wanted, strict=False):
        assert f.shape == w.shape
        torch.testing.assert_close(f, w, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("make", [_sectors, backpropagation])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 1000])
@pytest.mark.parametrize("widths", [(1, 1, 1), (1, 7, 1), (2, 1, 1), (2, 3, 1), (2, 20, 1)])
def test_gradients_of_random_networks(make, widths, n):
    generator = torch.Generator().manual_seed(n)
    drawn = [torch.randn(20, *s, generator=generator, dtype=torch.float64) for s in (widths[1::-1], widths[:0:-1])]
    drawn[0][::3, 0] = 0  # a unit at zero in every third network
    drawn[1][1::3, 0, 0] = 0  # one without a say in every other third
    x = 2 * torch.rand(n, widths[0], generator=generator, dtype=torch.float64) - 1
    zeros = [torch.zeros(20, widths[1], dtype=torch.float64), torch.zeros(20, 1, dtype=torch.float64)]
    assert_gradients(make, drawn + zeros, x, x.amin(1))


@pytest.mark.parametrize("make", [_sectors, backpropagation])
@pytest.mark.parametrize("outgoing", [[1.0, -0.5, 0.25, 2.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, -1.0, -1.0]])
@pytest.mark.parametrize(
    "incoming",
    [
        [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]],
        [[1.0, 0.0], [-1.0, -0.0], [1.0, -0.0], [-1.0, 0.0]],
        [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]],
        [[0.3, 0.3], [-0.7, -0.7], [0.7, -0.7], [0.3, 0.3]],
        [[0.0, 0.0], [-0.0, 0.0], [0.5, -0.2], [-0.0, -0.0]],
        [[1e-200, 1e-200], [1.0, 0.0], [0.0, -1e-100], [-1e-300, 1e-300]],
    ],
)
def test_gradients_where_inputs_lie_on_the_boundaries_of_units(make, incoming, outgoing):
    """There a unit is not active: the slope of relu at 0 counts as 0."""
    on_boundaries = [[s, t] for s in (-0.5, -0.0, 0.0, 0.5) for t in (-0.5, -0.0, 0.0, 0.5)]
    x = torch.from_numpy(np.concatenate([np.random.default_rng(0).uniform(-1, 1, (200, 2)), on_boundaries]))
    assert_gradients(make, one_layer(incoming, outgoing), x, TARGETS["minimum"](x))


@pytest.mark.parametrize("make", [_sectors, backpropagation])
@pytest.mark.parametrize("outgoing", [[1.0, -0.5, 0.25, 2.0], [1.0, 1.0, -1.0, -1.0]])
@pytest.mark.parametrize(
    "incoming",
    [
        [[0.3, 0.5], [0.3, 0.5], [0.3, 0.5], [0.3, 0.5]],
        [[0.3, 0.5], [-0.3, -0.5], [0.6, 1.0], [-0.6, -1.0]],
        [[0.3, 0.5], [0.3, np.nextafter(0.5, 1)], [-0.3, np.nextafter(-0.5, 0)], [0.3, np.nextafter(0.5, 0)]],
        [[-1.0, 1e-17], [-1.0, -1e-17], [1.0, 1e-17], [1.0, -1e-17]],
        [[1e-17, 1.0], [-1e-17, 1.0], [1e-17, -1.0], [-1e-17, -1.0]],
    ],
)
def test_gradients_where_units_point_the_same_way_or_opposite(make, incoming, outgoing):
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (300, 2)))
    assert_gradients(make, one_layer(incoming, outgoing), x, TARGETS["minimum"](x))


@pytest.mark.parametrize("make", [_sectors, backpropagation])
def test_gradients_with_one_input(make):
    x = torch.tensor([[-1.0], [-0.5], [-0.0], [0.0], [0.25], [1.0]], dtype=torch.float64)
    parameters = one_layer([[1.0], [-1.0], [0.0], [-0.0], [2.0], [-1e-9]], [1.0, 2.0, 3.0, -4.0, -0.5, 5.0])
    assert_gradients(make, parameters, x, x[:, 0].abs())


def test_gradients_by_hand():
    """One unit, one input: for e = a w x - y, d/dw = 2 e a x and d/da = 2 e w x."""
    x, y = torch.tensor([[2.0]], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64)
    for make in (_sectors, backpropagation):
        by_w, by_a, *_ = make(x, y)(one_layer([[3.0]], [0.5]))
        assert (by_w.item(), by_a.item()) == (2 * 1 * 0.5 * 2, 2 * 1 * 3 * 2)


def test_gradients_are_not_lost_in_long_sums():
    """Near a solution the errors are tiny beside the sums that the batch is put into."""
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (20_000, 2)))
    parameters = one_layer([[1.0, -1.0], [1.0, 1e-9], [-1.0, 0.0]], [-1.0, 1.0, -1.0 + 1e-9])
    y = TARGETS["minimum"](x)
    wanted = by_autograd(parameters, x, y)
    for f, w in zip(_sectors(x, y)(parameters), wanted, strict=False):
        assert 1e-11 < w.abs().max() < 1e-8
        torch.testing.assert_close(f, w, rtol=0, atol=1e-14)


# A seed's run depends on nothing but itself


DEEP = {"widths": (2, 4, 3, 1), "batch_size": 77}
CASES = [
    ("identity", {}),
    ("minimum", {"optimizer": "adam", "lr": 0.01}),
    ("minimum", {"dtype": torch.float32}),
    ("minimum", {"widths": (2, 40, 1), "lr": 0.02, "steps": 10}),  # a few seeds a group
    ("identity", {"widths": (1, 1, 1), "bias": True}),
    ("minimum", DEEP),
    ("minimum", DEEP | {"bias": True, "optimizer": "adamw", "lr": 0.01}),
    ("minimum", DEEP | {"dtype": torch.float32}),
    ("minimum_of_four", {"steps": 20}),  # a few seeds a group
    ("minimum_of_four", {"steps": 5, "batch_size": 999}),  # rows that would not begin on a boundary of 64 bytes
]


@pytest.mark.parametrize(("name", "recipe"), CASES)
def test_a_seed_ends_the_same_alone_or_among_others(name, recipe):
    recipe = {"steps": 50} | recipe
    together = train(FUNCTIONS[name], seeds=range(64), **recipe)
    assert len(np.unique(together.loss[:, -1])) > 1
    for rows in ([7], [0], [63], [30, 7], [*range(63, -1, -1)], [*range(5, 40)]):
        assert same(train(FUNCTIONS[name], seeds=rows, **recipe), together, rows), rows


def test_a_seed_ends_the_same_alone_or_among_others_on_two_threads():
    """A product of one matrix alone may be shared among threads otherwise than one of several."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        together, alone, three = (
            train(MINIMUM, seeds=seeds, widths=(2, 20, 16, 16, 1), steps=2) for seeds in (range(8), [7], [3, 5, 7])
        )
    finally:
        torch.set_num_threads(threads)
    assert same(alone, together, [7]) and same(three, together, [3, 5, 7])


def test_batches_are_drawn_by_their_own_seed():
    one, other = (train(IDENTITY, seeds=[0], steps=10, batch_seed=s) for s in (0, 1))
    assert np.array_equal(one.initial[0], other.initial[0]) and not same(one, other)
    assert same(one, train(IDENTITY, seeds=[0], steps=10, batch_seed=0))


@pytest.mark.parametrize("bias", [False, True])
def test_no_seed_changes_sides_with_the_number_of_threads(bias):
    """Few steps from near a solution: on a busy machine two threads wait for each other, and take seconds."""

    def init(seed, widths, bias):
        off = 1 + 5e-5 * seed
        weights = [off * torch.tensor([[1.0, -1.0], [1.0, 0.0], [-1.0, 0.0]]), off * torch.tensor([[-1.0, 1.0, -1.0]])]
        return weights, [torch.zeros(3), torch.zeros(1)]

    runs, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            runs.append(train(MINIMUM, seeds=range(60), steps=8, init=init, bias=bias))
    finally:
        torch.set_num_threads(threads)
    assert 0 < runs[0].solved.sum() < 60
    assert np.array_equal(runs[0].outcome, runs[1].outcome)
    for w, v in zip(runs[0].final + runs[0].final_biases, runs[1].final + runs[1].final_biases, strict=True):
        torch.testing.assert_close(w, v, rtol=0, atol=1e-13)


# What is reported


def test_runs_have_the_shapes_that_they_say():
    runs = train(FUNCTIONS["minimum_of_four"], seeds=[4, 2, 9], steps=150, batch_size=10)
    assert runs.function is FUNCTIONS["minimum_of_four"] and runs.widths == (4, 6, 3, 1)
    assert runs.seeds.tolist() == [4, 2, 9]
    assert [tuple(w.shape) for w in runs.initial] == [(3, 6, 4), (3, 3, 6), (3, 1, 3)]
    assert [w.shape for w in runs.final] == [w.shape for w in runs.initial]
    assert [tuple(b.shape) for b in runs.initial_biases] == [(3, 6), (3, 3), (3, 1)]
    assert not any(b.any() for b in runs.initial_biases + runs.final_biases)
    assert runs.loss.shape == (3, 101) and runs.loss.dtype == np.float64
    assert runs.steps[0] == 0 and runs.steps[-1] == 150 and (np.diff(runs.steps) >= 1).all()
    assert runs.solved.shape == runs.dead.shape == runs.diverged.shape == runs.outcome.shape == (3,)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_every_step_of_a_short_run_is_recorded(steps):
    runs = train(IDENTITY, seeds=[0, 1], steps=steps)
    assert runs.steps.tolist() == list(range(steps + 1))
    for shorter in range(1, min(steps, 4)):
        assert np.array_equal(train(IDENTITY, seeds=[0, 1], steps=shorter).loss, runs.loss[:, : shorter + 1])


def test_how_often_the_loss_is_taken_changes_nothing_else():
    often, seldom = (train(MINIMUM, seeds=range(5), steps=60, records=n) for n in (100, 3))
    assert len(often.steps) == 61 and seldom.steps.tolist() == [0, 20, 40, 60]
    assert np.array_equal(seldom.loss, often.loss[:, ::20])
    assert all(torch.equal(w, v) for w, v in zip(often.final, seldom.final, strict=True))


def test_many_units_and_few_inputs_give_the_gradients_of_all_others():
    """With so few inputs every one is visited for every seed; the sums over sectors round otherwise, and no more."""
    runs = train(MINIMUM, seeds=range(3), widths=(2, 40, 1), steps=20, batch_size=32)
    for row in range(3):
        layers = torch.nn.Linear(2, 40, False), torch.nn.Linear(40, 1, False)
        network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1]).double()
        for layer, w in zip(layers, runs.initial, strict=True):
            layer.weight.data = w[row].clone()
        sgd, rng = torch.optim.SGD(network.parameters(), lr=0.1), np.random.default_rng(0)
        for _ in range(20):
            x = torch.from_numpy(MINIMUM.sample(rng, 32))
            sgd.zero_grad()
            (network(x)[:, 0] - x.amin(1)).square().mean().backward()
            sgd.step()
        assert all(torch.allclose(a.weight, w[row], atol=1e-12) for a, w in zip(layers, runs.final, strict=True))


def test_networks_of_a_run_have_the_loss_that_it_reports():
    runs = train(MINIMUM, seeds=range(20), steps=300, bias=True)
    x = held_out(2).numpy()
    for row, seed in enumerate(runs.seeds):
        for initial, record in ((True, 0), (False, -1)):
            network = runs.network(seed, initial=initial)
            assert isinstance(network, Network) and network.widths == (2, 3, 1)
            (w, v), (b, c) = (runs.initial, runs.initial_biases) if initial else (runs.final, runs.final_biases)
            output = np.maximum(x @ w[row].numpy().T + b[row].numpy(), 0) @ v[row].numpy().T + c[row].numpy()
            assert np.array_equal(network.weights[0], w[row]) and np.array_equal(network.biases[1], c[row])
            assert runs.loss[row, record] == pytest.approx(np.mean((output[:, 0] - x.min(1)) ** 2), rel=1e-10)


def test_solved_is_a_final_loss_below_the_line():
    runs = train(IDENTITY, seeds=range(30))
    assert np.array_equal(runs.solved, runs.loss[:, -1] < 1e-6) and SOLVED_BELOW == 1e-6
    assert 0 < runs.solved.sum() < 30
    assert runs.outcome.tolist() == ["solved" if s else "failed" for s in runs.solved]
    n = runs.solved.sum()
    assert str(runs) == f"identity (1, 2, 1), 30 seeds, 500 steps: {30 - n} failed, {n} solved"


def test_what_was_solved_before_the_end_only_is_not_solved():
    def init(seed, widths, bias):
        return [torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0, -1.0]])], [torch.zeros(2), torch.zeros(1)]

    runs = train(IDENTITY, seeds=[0], weight_decay=0.1, init=init)
    assert runs.loss[0, 0] == 0 and runs.outcome.tolist() == ["failed"]


def test_a_seed_that_was_not_trained_has_no_network():
    with pytest.raises(ValueError, match="^seed 5 was asked for; it is not among the 2 seeds trained$"):
        train(IDENTITY, seeds=[0, 1], steps=1).network(5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [False, True])
def test_a_run_that_diverges_is_reported_as_diverged(dtype, bias):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = train(MINIMUM, seeds=range(30), lr=30, bias=bias, steps=200, dtype=dtype)
    exploded = [not all(p[row].isfinite().all() for p in runs.final + runs.final_biases) for row in range(30)]
    assert any(exploded)
    assert np.array_equal(runs.diverged, exploded)
    assert not np.isnan(runs.loss).any()
    assert (runs.loss[runs.diverged, -1] == np.inf).all() and (runs.loss[~runs.diverged, -1] < np.inf).all()
    assert (runs.outcome[runs.diverged] == "diverged").all() and not runs.solved[runs.diverged].any()
    assert f"{runs.diverged.sum()} diverged" in str(runs)
    lost = runs.seeds[runs.diverged][0]
    with pytest.raises(ValueError, match=f"^seed {lost} diverged; it has no final network$"):
        runs.network(lost)
    assert np.isfinite(runs.network(lost, initial=True).weights[0]).all()


def test_a_run_that_diverges_does_not_disturb_the_others():
    def init(seed, widths, bias):
        weights, biases = pytorch_init(seed, widths, bias)
        return [(1e100 if seed == 3 else 1) * w.double() for w in weights], biases

    runs, calm = (train(MINIMUM, seeds=range(6), steps=50, init=i) for i in (init, "pytorch"))
    assert runs.diverged.tolist() == [False, False, False, True, False, False]
    assert (runs.loss[3] == np.inf).all()
    rows = [0, 1, 2, 4, 5]
    assert np.array_equal(runs.loss[rows], calm.loss[rows])


def test_dead_networks_are_reported():
    def init(seed, widths, bias):
        weights, biases = pytorch_init(seed, widths, bias)
        signs = {0: (1, 1), 1: (1, -1), 2: (-1, 1), 3: (0, 1)}[seed]  # of the second and the third layer
        return [weights[0], signs[0] * weights[1].abs(), signs[1] * weights[2].abs()], biases

    runs = train(MINIMUM, widths=(2, 8, 2, 1), seeds=range(4), steps=100, init=init)
    assert runs.dead.tolist() == [False, False, True, True]
    assert runs.outcome.tolist() == ["failed", "failed", "dead", "dead"]
    assert (runs.loss[2:] == runs.loss[2:, :1]).all() and (runs.loss[:2, -1] < runs.loss[:2, 0]).all()


def test_a_dead_network_that_is_right_is_solved():
    def init(seed, widths, bias):
        return [torch.zeros(2, 1), torch.ones(1, 2)], [torch.zeros(2), torch.zeros(1)]

    runs = train(Function("nothing", 1, "0", lambda m, x: 0 * x, (1, 2, 1)), seeds=[0], init=init)
    assert runs.dead.tolist() == [True] and runs.outcome.tolist() == ["solved"]


def test_a_network_without_hidden_layers_is_not_dead():
    runs = train(FUNCTIONS["addition"], seeds=range(3), widths=(2, 1))
    assert runs.outcome.tolist() == ["solved"] * 3
    assert runs.network(1)(3, -5) == pytest.approx(-2)


# Interrupted


class Interrupting(torch.optim.SGD):
    """SGD that is interrupted instead of its n-th step, or in the middle of it, all but the last tensor done."""

    def __init__(self, parameters, *, n, midway=False, **rates):
        super().__init__(parameters, **rates)
        self.n, self.midway = n, midway

    def step(self):
        self.n -= 1
        if self.n == 0:
            if self.midway:
                self.param_groups[0]["params"][-1].grad = None
                super().step()
            raise KeyboardInterrupt
        super().step()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("done", [0, 1, 12, 50, 199])
def test_interrupted_training_returns_what_was_reached(done, bias):
    with pytest.warns(UserWarning, match=f"^interrupted after {done} of 500 steps"):
        runs = train(
            MINIMUM, seeds=range(4), bias=bias, optimizer=lambda p, **rates: Interrupting(p, n=done + 1, **rates)
        )
    assert runs.steps[0] == 0 and runs.steps[-1] == done and (np.diff(runs.steps) > 0).all()
    assert runs.loss.shape == (4, len(runs.steps))
    if done:
        whole = train(MINIMUM, seeds=range(4), bias=bias, steps=done)
        assert all(torch.equal(w, v) for w, v in zip(runs.final, whole.final, strict=True))
        assert np.array_equal(runs.loss[:, -1], whole.loss[:, -1])
    else:
        assert all(torch.equal(w, v) for w, v in zip(runs.final, runs.initial, strict=True))
    assert f"4 seeds, {done} steps" in str(runs)


def test_training_interrupted_within_a_step_reports_the_loss_of_the_weights_it_returns():
    with pytest.warns(UserWarning, match="^interrupted after 5 of 500 steps"):
        runs = train(MINIMUM, seeds=range(4), optimizer=lambda p, **rates: Interrupting(p, n=6, midway=True, **rates))
    x = held_out(2).numpy()
    for row in range(4):
        output = np.maximum(x @ runs.final[0][row].numpy().T, 0) @ runs.final[1][row].numpy().T
        assert runs.loss[row, -1] == pytest.approx(np.mean((output[:, 0] - x.min(1)) ** 2), rel=1e-10)
    assert (
        runs.steps.tolist() == [0, 5]
        and not (runs.loss[:, 1] == train(MINIMUM, seeds=range(4), steps=5).loss[:, -1]).any()
    )


def test_training_interrupted_while_a_batch_is_drawn(monkeypatch):
    sample, drawn = Function.sample, []

    def interrupted(self, generator, n):
        drawn.append(n)
        if len(drawn) == 8:  # after seven batches
            raise KeyboardInterrupt
        return sample(self, generator, n)

    monkeypatch.setattr(Function, "sample", interrupted)
    with pytest.warns(UserWarning, match="^interrupted after 7 of 500 steps"):
        runs = train(IDENTITY, seeds=[3])
    monkeypatch.undo()
    assert runs.steps.tolist() == [0, 5, 7]
    assert torch.equal(runs.final[0], train(IDENTITY, seeds=[3], steps=7).final[0])


def test_what_is_no_interruption_is_not_swallowed(monkeypatch):
    def failing(self):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(torch.optim.SGD, "step", failing)
    with pytest.raises(RuntimeError, match="no such luck"):
        train(IDENTITY, seeds=[0])


# The progress bar


@pytest.mark.parametrize("progress", [True, False])
@pytest.mark.parametrize("interactive", ["kernel", "terminal", None])
def test_a_bar_is_shown_to_readers_only(monkeypatch, capsys, interactive, progress):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if interactive == "kernel":
        monkeypatch.setenv("JPY_SESSION_NAME", "01_identity.ipynb")
    monkeypatch.setattr("sys.stderr.isatty", lambda: interactive == "terminal")
    train(IDENTITY, seeds=[0], steps=20, progress=progress)
    assert capsys.readouterr() == ("", "")  # as it is done at once
    monkeypatch.setattr("mathcircuits.training.BAR_AFTER", 0)
    train(IDENTITY, seeds=[0], steps=20, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("identity" in err and "/20" in err) if interactive and progress else err == ""


# What cannot be trained


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"function": "identity"}, TypeError, "^the function 'identity' was given; wanted a Function, such as FUNCT"),
        ({"function": None}, TypeError, "^the function None was given"),
        ({"seeds": []}, ValueError, "^an empty list of seeds was given; wanted at least one$"),
        ({"seeds": iter(())}, ValueError, "^an empty list of seeds was given"),
        ({"seeds": [1, 2, 1]}, ValueError, "^a seed was given twice or is too large; wanted distinct integers"),
        ({"seeds": [0, -1]}, ValueError, r"^seeds \[0, -1\] were given; wanted integers of at least 0$"),
        ({"seeds": [2**63]}, ValueError, "^a seed was given twice or is too large; wanted distinct integers below 2"),
        ({"seeds": [0.5, 1.5]}, TypeError, r"^seeds \[0.5, 1.5\] were given; wanted integers of at least 0$"),
        ({"seeds": np.linspace(0, 1, 3)}, TypeError, r"^seeds array\(\[0. , 0.5, 1. \]\) were given; wanted integers"),
        ({"seeds": "012"}, TypeError, "^seeds '012' were given; wanted integers of at least 0$"),
        ({"seeds": [None]}, TypeError, r"^seeds \[None\] were given; wanted integers"),
        ({"seeds": [True]}, TypeError, r"^seeds \[True\] were given; wanted integers"),
        ({"seeds": 7}, TypeError, "^seeds 7 were given; wanted integers of at least 0$"),
        ({"widths": (2, 2, 1)}, ValueError, r"^widths \(2, 2, 1\) were given; identity wants \(1, ..., 1\)$"),
        ({"widths": (1, 2, 2)}, ValueError, "^widths .* were given"),
        ({"function": FUNCTIONS["sort_two"], "widths": (2, 4, 1)}, ValueError, r"sort_two wants \(2, ..., 2\)$"),
        ({"widths": (1, 0, 1)}, ValueError, r"^widths \(1, 0, 1\) were given; wanted integers of at least 1$"),
        ({"widths": (1,)}, ValueError, r"^widths \(1,\) were given"),
        ({"widths": ()}, ValueError, r"^widths \(\) were given"),
        ({"widths": 5}, TypeError, "^widths 5 were given; wanted integers of at least 1$"),
        ({"widths": "121"}, TypeError, "^widths '121' were given"),
        ({"widths": (1, 2.0, 1)}, TypeError, r"^widths \(1, 2.0, 1\) were given; wanted integers of at least 1$"),
        ({"records": 0}, ValueError, "^records 0 was given; wanted an integer of at least 1$"),
        ({"records": 1.5}, TypeError, "^records 1.5 was given"),
        ({"steps": 0}, ValueError, "^steps 0 was given; wanted an integer of at least 1$"),
        ({"steps": 2.5}, TypeError, "^steps 2.5 was given"),
        ({"steps": "9"}, TypeError, "^steps '9' was given"),
        ({"batch_size": 0}, ValueError, "^batch_size 0 was given; wanted an integer of at least 1$"),
        ({"batch_seed": -1}, ValueError, "^batch_seed -1 was given; wanted an integer of at least 0$"),
        ({"batch_seed": None}, TypeError, "^batch_seed None was given"),
        ({"lr": 0}, ValueError, "^lr 0 was given; wanted a finite number above 0$"),
        ({"lr": -0.1}, ValueError, "^lr -0.1 was given"),
        ({"lr": float("nan")}, ValueError, "^lr nan was given"),
        ({"lr": float("inf")}, ValueError, "^lr inf was given"),
        ({"lr": "a"}, TypeError, "^lr 'a' was given; wanted a finite number above 0$"),
        ({"weight_decay": -1e-9}, ValueError, "^weight_decay -1e-09 was given; wanted a finite number of at least 0$"),
        ({"weight_decay": float("nan")}, ValueError, "^weight_decay nan was given"),
        ({"weight_decay": None}, TypeError, "^weight_decay None was given"),
        ({"optimizer": "sdg"}, ValueError, "^optimizer 'sdg' was given; wanted 'sgd', 'adam', 'adamw' or a callable$"),
        ({"optimizer": ["sgd"]}, ValueError, r"^optimizer \['sgd'\] was given; wanted 'sgd'"),
        ({"init": "xavier"}, ValueError, "^init 'xavier' was given; wanted 'pytorch' or a callable$"),
        ({"init": None}, ValueError, "^init None was given; wanted 'pytorch' or a callable$"),
        ({"bias": "a"}, TypeError, "^bias 'a' was given; wanted True or False$"),
        ({"progress": None}, TypeError, "^progress None was given; wanted True or False$"),
        ({"device": "gpu"}, ValueError, "^device 'gpu' was given; wanted one that is here, such as 'cpu'$"),
        ({"device": "meta"}, ValueError, "^device 'meta' was given; wanted one that is here"),
        ({"device": 1.5}, ValueError, "^device 1.5 was given; wanted one that is here"),
        ({"dtype": torch.int64}, ValueError, "^dtype torch.int64 was given; wanted torch.float32 or torch.float64$"),
        ({"dtype": torch.float16}, ValueError, "^dtype torch.float16 was given"),
        ({"dtype": float}, ValueError, "^dtype <class 'float'> was given"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(wrong, error, message):
    arguments = {"function": IDENTITY, "seeds": [0]} | wrong
    with pytest.raises(error, match=message) as caught:
        train(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="^device 'cuda' was given; wanted one that is here, such as 'cpu'$"):
        train(IDENTITY, seeds=[0], device="cuda")


ONES, ZEROS = [torch.ones(2, 1), torch.ones(1, 2)], [torch.zeros(2), torch.zeros(1)]


@pytest.mark.parametrize(
    ("weights", "biases", "given"),
    [
        (
            [torch.ones(3, 1), torch.ones(1, 3)],
            [torch.zeros(3), torch.zeros(1)],
            r"\[\(3, 1\), \(1, 3\), \(3,\), \(1,\)\]",
        ),
        ([torch.ones(1, 2), torch.ones(2, 1)], ZEROS, r"\[\(1, 2\), \(2, 1\), \(2,\), \(1,\)\]"),
        ([torch.ones(2, 1)], [torch.zeros(2)], r"\[\(2, 1\), \(2,\)\]"),
        (ONES, [], r"\[\(2, 1\), \(1, 2\)\]"),
        (ONES, [torch.zeros(2, 1), torch.zeros(1)], r"\[\(2, 1\), \(1, 2\), \(2, 1\), \(1,\)\]"),
    ],
)
def test_an_init_of_other_shapes_is_refused(weights, biases, given):
    def init(seed, widths, bias):
        return (weights, biases) if seed == 1 else pytorch_init(seed, widths, bias)

    wanted = r"\[\(2, 1\), \(1, 2\), \(2,\), \(1,\)\]"
    with pytest.raises(ValueError, match=f"^init gave shapes {given} for seed 1; wanted {wanted}$"):
        train(IDENTITY, seeds=range(3), init=init)


@pytest.mark.parametrize(
    ("weights", "biases", "bias"),
    [
        ([torch.full((2, 1), float("nan")), ONES[1]], ZEROS, False),
        ([ONES[0], torch.full((1, 2), float("inf"))], ZEROS, True),
        (ONES, [torch.full((2,), float("nan")), ZEROS[1]], True),
        (ONES, [torch.ones(2), ZEROS[1]], False),
    ],
)
def test_an_init_of_numbers_that_cannot_be_trained_is_refused(weights, biases, bias):
    def init(seed, widths, bias):
        return (weights, biases) if seed == 1 else pytorch_init(seed, widths, bias)

    with pytest.raises(
        ValueError, match="^init gave NaN, infinity or unwanted biases for seed 1; wanted finite weights$"
    ):
        train(IDENTITY, seeds=range(3), init=init, bias=bias)


# The original's results


@pytest.mark.parametrize(
    ("name", "steps", "seed", "published"),
    [
        ("identity", 500, 0, 1.7e-13),
        ("negative_identity", 500, 1, 1.8e-13),
        ("absolute_value", 500, 1, 1.8e-13),
        ("addition", 500, 0, 8.1e-13),
        ("subtraction", 500, 0, 6.0e-12),
        ("minimum", 10_000, 0, 4.3e-12),
    ],
)
def test_the_seeds_of_the_original_succeed(name, steps, seed, published):
    """Its losses are those of float32; in float64 they may be smaller, or larger by what its batches had of luck."""
    runs = train(FUNCTIONS[name], seeds=[seed], steps=steps)
    assert runs.solved.all() and runs.loss[0, -1] < 10 * published


@pytest.mark.parametrize("name", ["negative_identity", "absolute_value"])
def test_seed_0_fails_where_the_original_says_so(name):
    assert train(FUNCTIONS[name], seeds=[0]).outcome.tolist() == ["failed"]


@pytest.mark.parametrize(
    ("name", "steps", "n", "share"),
    [
        ("identity", 500, 500, 0.46),
        ("negative_identity", 500, 500, 0.46),
        ("absolute_value", 500, 500, 0.33),
        ("addition", 500, 500, 0.61),
        ("subtraction", 500, 500, 0.57),
        ("minimum", 10_000, 200, 0.57),
    ],
)
def test_as_many_seeds_succeed_as_were_counted_elsewhere(name, steps, n, share):
    solved = train(FUNCTIONS[name], seeds=range(n), steps=steps).solved.mean()
    assert abs(solved - share) < 3 * np.sqrt(share * (1 - share) / n)


# On a GPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize(("name", "recipe"), [("minimum", {}), ("minimum", {"bias": True}), ("minimum_of_four", {})])
def test_a_gpu_trains_the_same_networks(name, recipe):
    there, here = (train(FUNCTIONS[name], seeds=range(20), steps=100, device=d, **recipe) for d in ("cuda", "cpu"))
    assert all(w.device.type == "cuda" for w in there.final)
    for w, v in zip(there.final + there.final_biases, here.final + here.final_biases, strict=True):
        torch.testing.assert_close(w.cpu(), v, rtol=0, atol=1e-9)
    assert there.outcome.tolist() == here.outcome.tolist()
    assert there.network(3)(*[0.5] * there.widths[0]) == pytest.approx(here.network(3)(*[0.5] * here.widths[0]))


def test_solved_networks_are_those_of_the_solved_seeds_in_order():
    runs = train(FUNCTIONS["identity"], seeds=[5, 0, 3, 7])
    assert runs.solved.any() and not runs.solved.all()
    assert runs.solved_networks() == [
        runs.network(seed) for seed in (5, 0, 3, 7) if runs.loss[runs.seeds == seed, -1] < 1e-6
    ]
