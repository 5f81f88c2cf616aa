"""train_optimal ends in the smallest network from every seed, and each of its parts does what it says."""

from functools import cache

import numpy as np
import pytest
import torch

from mathcircuits import FUNCTIONS, Network, canonical, prove_equal, snap, train, train_optimal
from mathcircuits.functions import Function
from mathcircuits.optimal import _descend, _linearized, _remove, _simplify
from mathcircuits.training import pytorch_init

MINIMUM = FUNCTIONS["minimum"]
SIX = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]


@cache
def is_optimal(network, name):
    """Proved for all real inputs, and as small as wanted. Networks are compared by value, so few are decided."""
    function = FUNCTIONS[name]
    return network.widths == function.widths and network.bias_free and bool(prove_equal(network, function))


def snapped(runs):
    return [snap(canonical(runs.network(int(seed)))) for seed in runs.seeds]


# The claim


@pytest.mark.parametrize("name", SIX)
def test_every_seed_ends_in_an_optimal_network_and_it_is_proved(name):
    runs = train_optimal(FUNCTIONS[name], seeds=range(50_000, 51_000))
    networks = snapped(runs)
    assert sum(is_optimal(network, name) for network, _ in networks) == 1000
    assert max(distance for _, distance in networks) < 1e-6
    assert runs.solved.all() and runs.widths == FUNCTIONS[name].widths
    # Each has one optimal network up to order and scale, and the minimum has two (notebook 06).
    assert len({network for network, _ in networks}) == (2 if name == "minimum" else 1)


@pytest.mark.parametrize(("name", "n"), [("minimum_of_three", 50), ("minimum_of_four", 20), ("sort_two", 50)])
def test_two_hidden_layers_or_outputs_end_in_an_optimal_network_too(name, n):
    runs = train_optimal(FUNCTIONS[name], seeds=range(50_000, 50_000 + n))
    assert [is_optimal(network, name) for network, _ in snapped(runs)] == [True] * n


def test_it_is_the_recipe_and_not_luck():
    """Restarts and width are needed: without them, some seeds of this function fail (of all parts: notebook 12)."""
    whole, weak = dict(seeds=range(100)), FUNCTIONS["absolute_value"]
    assert train_optimal(weak, **whole).solved.all()
    once = train_optimal(weak, **whole, attempts=1)
    small = train_optimal(weak, **whole, attempts=1, wide=1)
    assert small.solved.sum() < once.solved.sum() < 100


# What it returns


def test_runs_are_those_of_train_as_far_as_they_go():
    runs = train_optimal(MINIMUM, seeds=[3, 5], wide=1.5, attempts=1)
    assert [tuple(w.shape) for w in runs.initial] == [(2, 5, 2), (2, 1, 5)]
    assert [tuple(w.shape) for w in runs.final] == [(2, 3, 2), (2, 1, 3)]
    assert [tuple(b.shape) for b in runs.initial_biases + runs.final_biases] == [(2, 5), (2, 1), (2, 3), (2, 1)]
    assert not any(b.any() for b in runs.initial_biases + runs.final_biases)
    for row, seed in enumerate(runs.seeds):
        weights, _ = pytorch_init(int(seed), (2, 5, 1), False)
        assert all(torch.equal(w[row].float(), v) for w, v in zip(runs.initial, weights, strict=True))
    assert runs.loss.shape == (2, 4) and runs.steps.tolist() == [0, 24, 24 + 2 * 8, 24 + 2 * 8 + 96]
    grid = MINIMUM.grid(1000).T
    for seed, loss in zip(runs.seeds, runs.loss, strict=True):
        for network, value in zip((runs.network(seed, initial=True), runs.network(seed)), loss[[0, -1]], strict=True):
            assert value == pytest.approx(np.mean((network(*grid) - MINIMUM(*grid)) ** 2), rel=1e-6, abs=1e-25)


def test_a_first_attempt_begins_where_train_begins():
    runs, trained = train_optimal(MINIMUM, seeds=[8], attempts=1), train(MINIMUM, seeds=[8], widths=(2, 6, 1), steps=1)
    assert all(torch.equal(w, v.double()) for w, v in zip(runs.initial, trained.initial, strict=True))


@pytest.mark.parametrize("name", ["absolute_value", "minimum", "minimum_of_three"])
def test_a_seed_depends_on_nothing_but_itself(name):
    """Bit for bit: alone, among few, among many, in any order."""
    together = train_optimal(FUNCTIONS[name], seeds=range(35))
    for seeds in ([34], [20, 3, 7], [33, 32]):
        runs = train_optimal(FUNCTIONS[name], seeds=seeds)
        for w, v in zip(runs.final + runs.initial, together.final + together.initial, strict=True):
            assert torch.equal(w, v[seeds])
        assert np.array_equal(runs.loss, together.loss[seeds])


def test_seeds_that_fail_begin_again_elsewhere():
    first, second = (train_optimal(FUNCTIONS["absolute_value"], seeds=range(60), attempts=n) for n in (1, 2))
    failed = ~first.solved
    assert failed.any() and second.solved[failed].any() and second.solved[~failed].all()
    same = [(w == v).flatten(1).all(1).numpy() for w, v in zip(first.initial, second.initial, strict=True)]
    assert np.logical_and(*same)[~failed].all()
    assert not np.logical_and(*same)[failed & second.solved].any()


def test_the_best_attempt_is_returned_where_none_succeeds():
    """Two units do not make a minimum (notebook 06), however often one tries."""
    losses = [train_optimal(MINIMUM, widths=(2, 2, 1), seeds=range(8), attempts=n).loss[:, -1] for n in (1, 2, 6)]
    assert (losses[2] <= losses[1]).all() and (losses[1] <= losses[0]).all() and (losses[2] < losses[0]).any()
    runs = train_optimal(MINIMUM, widths=(2, 2, 1), seeds=[4], attempts=2)
    assert runs.outcome.tolist() == ["failed"] and runs.network(4).widths == (2, 2, 1)


def test_with_biases():
    clip = Function("clip", 1, "...", lambda m, x: m.minimum(m.maximum(x, 0 * x), 0 * x + 1), (1, 2, 1), -1, 2)
    runs = train_optimal(clip, seeds=range(20), bias=True)
    assert runs.solved.all() and runs.loss[:, -1].max() < 1e-20
    x = np.linspace(-1, 2, 301)
    for seed in range(20):
        assert abs(runs.network(seed)(x) - np.clip(x, 0, 1)).max() < 1e-9
    assert runs.initial_biases[0].any() and runs.final_biases[0].any()


def test_an_init_of_ones_own():
    asked = []

    def init(seed, widths, bias):
        asked.append((seed, widths, bias))
        return pytorch_init(seed + 1, widths, bias)

    runs = train_optimal(MINIMUM, seeds=[0, 1], init=init, attempts=1)
    assert asked == [(0, (2, 6, 1), False), (1, (2, 6, 1), False)]
    others = train_optimal(MINIMUM, seeds=[1, 2], attempts=1)
    assert all(torch.equal(w, v) for w, v in zip(runs.final, others.final, strict=True))


def test_the_global_generators_are_left_alone_and_nothing_is_written(capfd):
    np_state, torch_state = np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    train_optimal(MINIMUM, seeds=range(3))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], np_state)  # noqa: NPY002
    assert capfd.readouterr() == ("", "")


# The parts


def random_weights(n_seeds, widths, bias, seed=0):
    random = np.random.default_rng(seed)
    shapes = [(n_seeds, m, n + bias) for n, m in zip(widths, widths[1:], strict=False)]
    return [torch.from_numpy(random.normal(size=shape)) for shape in shapes]


def autograd_output(parameters, shapes, x):
    """The output of one network from its parameters, written plainly."""
    values, at = x, 0
    for k, (m, n) in enumerate(shapes):
        w, at = parameters[at : at + m * n].reshape(m, n), at + m * n
        values = w[:, : len(values)] @ values + (w[:, -1:] if n > len(values) else 0)
        values = values.relu() if k < len(shapes) - 1 else values
    return values


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(1, 4, 1), (2, 5, 1), (3, 4, 3, 1), (3, 4, 2), (2, 1)])
def test_derivatives_are_those_of_autograd(widths, bias):
    weights, x = random_weights(3, widths, bias), torch.from_numpy(MINIMUM.sample(np.random.default_rng(1), 16)).T
    x = torch.cat([x, x.flip(0)])[: widths[0]]
    output, jacobian = _linearized(weights, x)
    for row in range(3):
        flat = torch.cat([w[row].ravel() for w in weights])
        shapes = [tuple(w.shape[1:]) for w in weights]
        torch.testing.assert_close(output[row], autograd_output(flat, shapes, x).ravel())
        wanted = torch.autograd.functional.jacobian(lambda p, shapes=shapes: autograd_output(p, shapes, x), flat)
        torch.testing.assert_close(jacobian[row], wanted.reshape(-1, len(flat)).T)


def test_the_loss_never_rises():
    weights, x = random_weights(6, (2, 5, 1), False), torch.from_numpy(MINIMUM.grid(256).T.copy())
    y, losses = MINIMUM(*x), []
    for steps in (0, 1, 3, 10, 100):
        ws = _descend(weights, x, y, steps, 1e-3)
        parameters = torch.cat([w.flatten(1) for w in ws], 1)
        values = torch.stack([autograd_output(p, [tuple(w.shape[1:]) for w in ws], x)[0] for p in parameters])
        losses.append((values - y).square().mean(1) + 1e-3 * parameters.square().sum(1))
    assert all((after <= before).all() for before, after in zip(losses, losses[1:], strict=False))
    assert (losses[-1] < losses[0] / 5).all()


def test_decay_shrinks_the_solution_as_derived():
    """A side with one unit, E[(aw - 1)²x²] + λ(w² + a²): at the minimum w = a = √(1 - λ/σ²), σ² = E[x²; x > 0]."""
    x = torch.from_numpy(FUNCTIONS["identity"].grid(1000).T.copy())
    start = [torch.tensor([[[0.3], [-2.0]]] * 2).double(), torch.tensor([[[0.3, -2.0]]] * 2).double()]
    for decay in (1e-2, 5e-2):
        w, a = _descend(start, x, x[0], 5000, decay)
        size = (1 - decay / ((x[0] ** 2).mean() / 2)).sqrt()
        torch.testing.assert_close(w[0, :, 0], size * torch.tensor([1, -1]), rtol=0, atol=1e-6)
        torch.testing.assert_close(a[0, 0], size * torch.tensor([1, -1]), rtol=0, atol=1e-6)


def test_what_is_removed_costs_least_and_the_rest_makes_up_for_it():
    """Against the quadratic problem with constraints, solved whole by its Lagrange equations."""
    weights, x = random_weights(4, (2, 5, 1), False, seed=3), torch.from_numpy(MINIMUM.grid(400).T.copy())
    candidates = torch.tensor([[2 * j, 2 * j + 1, 10 + j] for j in range(5)])  # w1, w2 and a of each unit
    parameters, chosen = _remove(weights, x, 1e-2, candidates, slice(2, None))
    _, jacobian = _linearized(weights, x)
    for row in range(4):
        start = np.concatenate([w[row].numpy().ravel() for w in weights])
        j = jacobian[row].numpy()
        hessian = j @ j.T / 400
        hessian += (1e-2 + 1e-6 * np.trace(hessian) / 15 + 1e-12) * np.eye(15)
        costs, changes = [], []
        for unit in candidates.numpy():
            constraint = np.eye(15)[unit]
            system = np.block([[hessian, constraint.T], [constraint, np.zeros((3, 3))]])
            wanted = np.concatenate([np.zeros(15), [0, 0, -start[unit[2]]]])
            changes.append(np.linalg.solve(system, wanted)[:15])
            costs.append(changes[-1] @ hessian @ changes[-1])
        assert chosen[row] == np.argmin(costs)
        np.testing.assert_allclose(parameters[row].numpy(), start + changes[chosen[row]], atol=1e-9)


def test_a_unit_that_is_not_needed_goes_first():
    """Of four units, one is dead and two are one: any of those three costs nothing, and the fourth is needed."""
    w = torch.tensor([[[1.0], [-1.0], [2.0], [0.5]]], dtype=torch.float64)
    a = torch.tensor([[[0.5, -1.0, 0.25, 0.0]]], dtype=torch.float64)
    x = torch.from_numpy(FUNCTIONS["identity"].grid(64).T.copy())
    candidates = torch.tensor([[j, 4 + j] for j in range(4)])
    _, chosen = _remove([w, a], x, 0.0, candidates, slice(1, None))
    assert chosen.item() != 1
    _, chosen = _remove([w, a], x, 0.0, candidates, slice(1, None), allowed=torch.tensor([[True, True, False, False]]))
    assert chosen.item() == 0


def test_idle_weights_are_set_to_zero_and_the_needed_ones_are_not():
    """min(x1, x2) with half of relu(±(x1 - x2)) on each side of the kink, as four units: three of them suffice."""
    w = [[[1.0, -1], [-1, 1], [1, 1], [-1, -1]], [[-0.5, -0.5, 0.5, -0.5]]]
    x = torch.from_numpy(MINIMUM.sample(np.random.default_rng(0), 128).T.copy())
    weights = [torch.tensor([m], dtype=torch.float64) for m in w]
    simpler = _simplify(weights, x, MINIMUM(*x))
    network = canonical(Network([m[0] for m in simpler]))
    zeros = sum((m == 0).sum().item() for m in simpler)
    assert zeros >= 4 and is_optimal(snap(network).network, "minimum")
    wrong = [m * 1.01 for m in weights]
    assert all(torch.equal(m, n) for m, n in zip(_simplify(wrong, x, MINIMUM(*x)), wrong, strict=True))


def test_weights_that_become_idle_later_are_set_to_zero_too():
    """From this seed, a weight is needed until another one is gone: one pass over the weights is not enough."""
    runs = train_optimal(FUNCTIONS["minimum_of_four"], seeds=[50_801])
    assert is_optimal(snapped(runs)[0].network, "minimum_of_four")


def test_every_weight_that_is_left_is_needed():
    runs = train_optimal(FUNCTIONS["minimum_of_three"], seeds=range(5))
    for seed in range(5):
        network = snap(canonical(runs.network(seed))).network
        for k, matrix in enumerate(network.weights):
            for i, j in np.argwhere(matrix != 0):
                assert not prove_equal(network.with_weight(k, i, j, 0), FUNCTIONS["minimum_of_three"])


# What cannot be trained


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"function": "minimum"}, TypeError, "^'minimum' was given as the function; wanted a Function"),
        ({"seeds": []}, ValueError, "^an empty list of seeds was given"),
        ({"seeds": [1, 1]}, ValueError, "^a seed was given twice"),
        ({"seeds": [0.5]}, TypeError, "wanted integers as seeds"),
        ({"widths": (1, 3, 1)}, ValueError, r"^widths \(1, 3, 1\) were given; minimum wants \(2, ..., 1\)$"),
        ({"wide": 0.5}, ValueError, "^wide 0.5 was given; wanted a finite number, at least 1$"),
        ({"wide": float("inf")}, ValueError, "^wide inf was given"),
        ({"decay": -1e-9}, ValueError, "^decay -1e-09 was given; wanted a finite number, at least 0$"),
        ({"decay": float("nan")}, ValueError, "^decay nan was given"),
        ({"attempts": 0}, ValueError, "^attempts 0 was given; wanted a finite number, at least 1$"),
        ({"attempts": 1.5}, TypeError, "^1.5 was given; wanted integers"),
        ({"n_inputs": 0}, ValueError, "0 inputs"),
        ({"init": "xavier"}, ValueError, "^init 'xavier' was given; wanted 'pytorch' or a callable$"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(wrong, error, message):
    with pytest.raises(error, match=message) as caught:
        train_optimal(**({"function": MINIMUM, "seeds": [0]} | wrong))
    assert "\n" not in str(caught.value)
