"""Training every seed at once: one tensor program in which the leading axis of every tensor is the seed.

What bounds it (benchmarks/training.py): for one input the 101 losses on the grid and the drawing of weights, not the
steps, into which a batch enters by four moments only; else memory traffic, so seeds go in groups that fit the cache.
The inputs of a product are stored by row: those of a transposed column made every product four times slower.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import pad
from tqdm import tqdm

from mathcircuits import checks
from mathcircuits.functions import Function
from mathcircuits.network import Network

SOLVED_BELOW = 1e-6  # mean squared error; notebook 01 shows how wide the gap around it is
BAR_AFTER = 1  # second; what is done sooner needs no bar, and in JupyterLab a bar leaves an empty stripe
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True, eq=False)
class Runs:
    """What ``train`` did, seed by seed. Axis 0 of everything is the seed.

    Attributes:
        function, widths: what was trained.
        seeds: (n_seeds,) integers, in the order given.
        steps: (n_records,) the numbers of steps after which the loss was taken; the last is the end.
        loss: (n_seeds, n_records) mean squared error on a grid of about 1,000 inputs, not on what was trained on;
            inf once a run has diverged.
        initial, final: one tensor a layer, (n_seeds, out, in).
        initial_biases, final_biases: one tensor a layer, (n_seeds, out); zero in bias-free runs.
        dead: (n_seeds,) True where in some hidden layer no unit is active on any of those inputs.
    """

    function: Function
    widths: tuple[int, ...]
    seeds: np.ndarray
    steps: np.ndarray
    loss: np.ndarray
    initial: Tensors = field(repr=False)
    final: Tensors = field(repr=False)
    initial_biases: Tensors = field(repr=False)
    final_biases: Tensors = field(repr=False)
    dead: np.ndarray = field(repr=False)

    @property
    def diverged(self) -> np.ndarray:
        """(n_seeds,) True where the loss left the finite numbers."""
        return np.isinf(self.loss[:, -1])

    @property
    def solved(self) -> np.ndarray:
        """(n_seeds,) True where the final loss is below 1e-6."""
        return self.loss[:, -1] < SOLVED_BELOW

    @property
    def outcome(self) -> np.ndarray:
        """(n_seeds,) one of "solved", "failed", "dead", "diverged"."""
        return np.select([self.diverged, self.solved, self.dead], ["diverged", "solved", "dead"], "failed")

    def network(self, seed: int, *, initial: bool = False) -> Network:
        """Return the network that a seed ended as (or began as), as floats.

        Raises:
            TypeError: a seed that is no integer. ValueError: one that was not trained, or whose run diverged.
        """
        seed, initial = checks.integer("seed", seed), checks.flag("initial", initial)
        rows = np.flatnonzero(self.seeds == seed)
        if len(rows) == 0:
            raise ValueError(f"seed {seed} was asked for; it is not among the {len(self.seeds)} seeds trained")
        if self.diverged[rows[0]] and not initial:
            raise ValueError(f"seed {seed} diverged; it has no final network")
        weights, biases = (self.initial, self.initial_biases) if initial else (self.final, self.final_biases)
        return Network([w[rows[0]].double() for w in weights], [b[rows[0]].double() for b in biases])

    def solved_networks(self) -> list[Network]:
        """Return the networks that the solved seeds ended as, in the order of ``seeds[solved]``.

        >>> from mathcircuits import FUNCTIONS
        >>> len(train(FUNCTIONS["identity"], seeds=range(100)).solved_networks())
        42
        """
        return [self.network(seed) for seed in self.seeds[self.solved]]

    def __str__(self) -> str:
        counts = [f"{n:,} {name}" for name, n in zip(*np.unique(self.outcome, return_counts=True), strict=True)]
        work = f"{len(self.seeds):,} seeds, {self.steps[-1]:,} steps"
        return f"{self.function.name} {self.widths}, {work}: {', '.join(counts)}"


def pytorch_init(seed: int, widths: tuple[int, ...], bias: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the weights and biases that ``torch.manual_seed(seed)`` and then ``nn.Linear`` layers would have.

    The weights have shapes (out, in) and the biases (out,), in float32. Without biases, theirs are zero and not drawn.
    Torch's global generator is left as it was.

    >>> pytorch_init(0, (1, 2, 1), bias=False)[0][0].ravel()
    tensor([-0.0075,  0.5364])
    """
    generator = torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for n_in, n_out in pairwise(widths):
        weight, bound = torch.empty(n_out, n_in, dtype=torch.float32), 1 / math.sqrt(n_in)
        weights.append(torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator))
        zeros = torch.zeros(n_out, dtype=torch.float32)
        biases.append(zeros.uniform_(-bound, bound, generator=generator) if bias else zeros)
    return weights, biases


def train(
    function: Function,
    *,
    seeds: Iterable[int],
    widths: tuple[int, ...] | None = None,
    steps: int = 500,
    batch_size: int = 1000,
    lr: float = 0.1,
    optimizer: str | Callable = "sgd",
    weight_decay: float = 0.0,
    bias: bool = False,
    init: str | Callable = "pytorch",
    batch_seed: int = 0,
    records: int = 100,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Runs:
    """Train one network a seed, all together, on mean squared error and fresh uniform batches.

    The defaults are the recipe of S. Osier (2022). All seeds see the same batches, so a seed's run depends on
    nothing but itself: alone or among a thousand it ends with the same weights.

    Args:
        seeds: of the initial weights, one network each.
        widths: (inputs, hidden units of each layer..., outputs); left out, those of ``function.widths``.
        optimizer: "sgd", "adam", "adamw", or a callable that makes a torch optimizer from
            ``(parameters, lr=..., weight_decay=...)`` and treats every entry alone.
        init: "pytorch", or a callable like ``pytorch_init``: (seed, widths, bias) -> (weights, biases).
        batch_seed: of the one numpy Generator that draws every batch.
        records: the loss is taken so many times, evenly over the steps, and at the start; the weights do not depend
            on it, the time does.
        dtype: of the training; weights are drawn in float32 as PyTorch does and then cast.
        progress: show a bar in an interactive session, after a second; an unattended run is silent.

    Returns:
        Runs, also after Ctrl-C: the networks of that moment, with a warning.

    Raises:
        TypeError: something other than a Function; seeds, widths, steps, records or a batch size that are not integers;
            rates that are no numbers.
        ValueError: no seeds, or one twice; widths that do not fit the function; numbers out of range; unknown names; a
            dtype other than float32 and float64; a device that is not there; an ``init`` that gives other shapes, NaN
            or infinity.

    >>> from mathcircuits import FUNCTIONS
    >>> print(train(FUNCTIONS["identity"], seeds=range(100)))
    identity (1, 2, 1), 100 seeds, 500 steps: 58 failed, 42 solved
    """
    checks.instance("the function", function, Function, wanted="a Function, such as FUNCTIONS['identity']")
    seeds, widths = check_seeds(seeds), check_widths(function, widths)
    counts = {"steps": steps, "batch_size": batch_size, "records": records}
    steps, batch_size, records = (checks.integer(what, n, at_least=1) for what, n in counts.items())
    lr, weight_decay = checks.number("lr", lr, above=0), checks.number("weight_decay", weight_decay, at_least=0)
    optimizer, init = named("optimizer", optimizer, OPTIMIZERS), named("init", init, {"pytorch": pytorch_init})
    bias, progress = checks.flag("bias", bias), checks.flag("progress", progress)
    batch_seed, device = checks.integer("batch_seed", batch_seed, at_least=0), _device(device)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype {checks.shown(dtype)} was given; wanted torch.float32 or torch.float64")
    drawn = draw_initial(init, seeds, widths, bias)
    parameters = [p.to(device, dtype) for p in drawn]
    initial, depth = [p.clone() for p in parameters], len(widths) - 1
    trained = parameters if bias else parameters[:depth]
    torch_optimizer = optimizer(trained, lr=float(lr), weight_decay=float(weight_decay))
    by_sector = depth == 2 and widths[0] <= 2 and widths[-1] == 1 and not bias
    # With two inputs it takes sums over pairs of units: not worth it for many units and few inputs.
    by_sector = by_sector and (widths[0] == 1 or batch_size > 8 * widths[1])
    groups = _groups(len(parameters[0]), 8 * widths[1] ** 2 if by_sector else batch_size * sum(widths[1:]) // 2)

    batches, room = np.random.default_rng(batch_seed), {}
    held_out = torch.from_numpy(function.grid(1000).T.copy()).to(device, dtype)  # (inputs, about 1,000)
    record_at = set(np.linspace(0, steps, min(steps, records) + 1).round())
    records, done = {0: _evaluate(function, parameters, held_out)}, 0
    try:
        for step in bar(range(1, steps + 1), function.name, progress=progress):
            x = torch.from_numpy(function.sample(batches, batch_size)).to(device, dtype)
            gradients = _sectors(x, function(*x.T)) if by_sector else _backpropagation(x, function(*x.T), bias, room)
            parts = [gradients([p[rows] for p in parameters]) for rows in groups]
            for parameter, *part in zip(trained, *parts, strict=False):
                parameter.grad = torch.cat(part)
            torch_optimizer.step()
            done = step
            if step in record_at:
                records[step] = _evaluate(function, parameters, held_out)
    except KeyboardInterrupt:
        warnings.warn(f"interrupted after {done:,} of {steps:,} steps; these are the runs so far", stacklevel=2)
        records[done] = _evaluate(function, parameters, held_out)  # of the weights as they were left
    rows = slice(len(seeds))  # without the double of a lone seed
    loss, dead = np.stack([*records.values()], 1)[rows], _dead(parameters, held_out)[rows]
    parts = initial[:depth], parameters[:depth], initial[depth:], parameters[depth:]
    tensors = (tuple(p[rows] for p in part) for part in parts)
    return Runs(function, widths, np.array(seeds), np.array([*records]), loss, *tensors, dead)


def check_seeds(seeds) -> tuple[int, ...]:
    """Let through distinct seeds, at least one."""
    seeds = checks.integers("seeds", seeds, at_least=0)
    if not seeds:
        raise ValueError("an empty list of seeds was given; wanted at least one")
    if len(set(seeds)) < len(seeds) or max(seeds) >= 2**63:
        raise ValueError("a seed was given twice or is too large; wanted distinct integers below 2**63")
    return seeds


def check_widths(function: Function, widths) -> tuple[int, ...]:
    """Let through the widths of a network that may be the function; those of the function itself for None."""
    widths = checks.integers("widths", function.widths if widths is None else widths, at_least=1)
    if len(widths) < 2 or (widths[0], widths[-1]) != (function.arity, function.widths[-1]):
        wanted = f"({function.arity}, ..., {function.widths[-1]})"
        raise ValueError(f"widths {widths} were given; {function.name} wants {wanted}")
    return widths


def _device(device) -> torch.device | str | None:
    """Let through a device that torch can compute on here."""
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError):
        raise ValueError(f"device {checks.shown(device)} was given; wanted one that is here, such as 'cpu'") from None
    return device


def named(what: str, value, names: dict[str, Callable]) -> Callable:
    """Let through a callable, or the one of that name."""
    found = names.get(value) if isinstance(value, str) else value
    if not callable(found):
        wanted = ", ".join(map(repr, names))
        raise ValueError(f"{what} {checks.shown(value)} was given; wanted {wanted} or a callable")
    return found


def check_task(function: Function, seeds, widths, init) -> tuple[tuple[int, ...], tuple[int, ...], Callable]:
    """Let through seeds, widths that fit the function, and a way to draw initial weights."""
    return check_seeds(seeds), check_widths(function, widths), named("init", init, {"pytorch": pytorch_init})


def draw_initial(init, seeds, widths, bias) -> list[torch.Tensor]:
    """Return the initial weights and then the biases of every layer, stacked over the seeds; a lone seed is doubled."""
    shapes = [*((n_out, n_in) for n_in, n_out in pairwise(widths)), *((n_out,) for n_out in widths[1:])]
    drawn = []
    for seed in seeds:
        weights, biases = init(int(seed), widths, bias)
        drawn.append([torch.as_tensor(t).detach() for t in (*weights, *biases)])
        given = [tuple(t.shape) for t in drawn[-1]]
        if given != shapes:
            raise ValueError(f"init gave shapes {given} for seed {seed}; wanted {shapes}")
    stacked, depth = [torch.stack(layer) for layer in zip(*drawn, strict=True)], len(widths) - 1
    wrong = [~t.isfinite() for t in stacked] + [t != 0 for t in stacked[depth:] if not bias]
    for seed, *at_fault in zip(seeds, *(t.flatten(1).any(1).tolist() for t in wrong), strict=True):
        if any(at_fault):
            raise ValueError(f"init gave NaN, infinity or unwanted biases for seed {seed}; wanted finite weights")
    # A product of one matrix may be rounded otherwise than one of several: a lone seed is trained beside its double.
    return [torch.cat([t, t]) for t in stacked] if len(seeds) == 1 else stacked


def bar(*args, progress: bool, **options) -> tqdm:
    """tqdm, for work of more than a second and for a reader: at a terminal, or in a kernel of a Jupyter server.

    (nbconvert and nbval start kernels of their own, and those are silent.)
    """
    reader = sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ
    return tqdm(*args, leave=False, delay=BAR_AFTER, disable=not (progress and reader), **options)


def _groups(n_seeds: int, entries: int) -> list[slice]:
    """Seeds in groups whose numbers, so many a seed, fit a core's cache: that, not arithmetic, bounds the speed."""
    size = max(1, 2**18 // entries)
    return [slice(*edges) for edges in pairwise(np.linspace(0, n_seeds, max(1, n_seeds // size) + 1).astype(int))]


def _forward(parameters, x) -> list[torch.Tensor]:
    """Every layer's values, (n_seeds, units, batch), the inputs first; x is (inputs, batch)."""
    layers, depth = [x.expand(len(parameters[0]), -1, -1)], len(parameters) // 2
    for w, b in zip(parameters[:depth], parameters[depth:], strict=True):
        if len(layers) > 1:
            layers[-1].clamp_(min=0)
        layers.append(torch.baddbmm(b[..., None], w, layers[-1]))
    return layers


def _evaluate(function, parameters, x) -> np.ndarray:
    """Return every seed's mean squared error on x, (inputs, batch), over all outputs."""
    y, losses = _values(function(*x)), []
    for rows in _groups(len(parameters[0]), x.shape[1] * sum(p.shape[1] for p in parameters) // 2):
        output = _forward([p[rows] for p in parameters], x)[-1]
        losses.append((output - y).square_().flatten(1).mean(1))
    return torch.cat(losses).double().nan_to_num(nan=math.inf, posinf=math.inf).cpu().numpy()


def _values(y) -> torch.Tensor:
    """Return the values of a function, (batch,) or a tuple of such, as (outputs, batch)."""
    return torch.stack(y) if isinstance(y, tuple) else y[None]


def _dead(parameters, x) -> np.ndarray:
    """Return for every seed whether some hidden layer of it is silent on all of x, (inputs, batch)."""
    dead = []
    for rows in _groups(len(parameters[0]), x.shape[1] * sum(p.shape[1] for p in parameters) // 2):
        *hidden, output = _forward([p[rows] for p in parameters], x)[1:]
        dead.append(torch.stack([*(h.amax((1, 2)) for h in hidden), torch.ones_like(output[:, 0, 0])]).amin(0) <= 0)
    return torch.cat(dead).cpu().numpy()


def _backpropagation(x, y, bias, room) -> Callable:
    """Return a function that gives, for weights and biases, their gradients of the mean squared error on (x, y).

    Zeros fill the batch up to a multiple of 16, so that every seed's numbers begin on a boundary of 64 bytes: sums
    over the batch that begin elsewhere are rounded in another order, and a seed would depend on its place. What is
    as large as a batch for every unit is written into ``room``, a dictionary that is kept from step to step: memory
    asked for anew costs more than the arithmetic. Without biases their gradients are left out.
    """
    fill = (0, -len(x) % 16)
    y = _values(y)
    scale = pad(torch.full_like(y, 2 / y.numel()), fill)
    x, y = pad(x.T, fill), pad(y, fill)

    def kept(what, layer, n_seeds, units) -> torch.Tensor:
        key, shape = (what, layer), (n_seeds, units, x.shape[1])
        if key not in room or room[key].shape[0] < n_seeds:
            room[key] = x.new_empty(shape)
        return room[key][:n_seeds]

    def gradients(parameters) -> list[torch.Tensor]:
        depth = len(parameters) // 2
        weights, biases = parameters[:depth], parameters[depth:]
        layers = [x.expand(len(weights[0]), -1, -1)]
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            if k:
                layers[-1].clamp_(min=0)
            layers.append(torch.baddbmm(b[..., None], w, layers[-1], out=kept("values", k, *w.shape[:2])))
        delta = layers.pop().sub_(y).mul_(scale)
        by_weights, by_biases = [], []
        for k in reversed(range(depth)):
            by_weights.insert(0, torch.bmm(delta, layers[k].mT))
            by_biases.insert(0, delta.sum(2) if bias else None)
            if k:
                delta = torch.bmm(weights[k].mT, delta, out=kept("deltas", k, len(layers[k]), layers[k].shape[1]))
                torch.ops.aten.threshold_backward.grad_input(delta, layers[k], 0, grad_input=delta)
        return by_weights + by_biases if bias else by_weights

    return gradients


def _angle(vectors) -> torch.Tensor:
    """An angle of vectors (..., 2) that needs no arc tangent: 0 to the right, 1 up, 2 to the left, -1 down.

    A half turn is 2 exactly, and no step can round differently from one machine to another.
    """
    return (1 - vectors[..., 0] / vectors.abs().sum(-1)).copysign(vectors[..., 1]).nan_to_num()


def _sectors(x, y) -> Callable:
    """The same for one hidden layer, no biases and at most two inputs, without visiting every input for every seed.

    A unit is active on a half-plane. With the batch sorted by angle that is a run of inputs, and so is where two
    units are both active. Sums over a run are differences of prefix sums, taken once a batch for all seeds: with
    M = Σ x xᵀ over the run that j and k share and C = Σ y x over j's own, unit j needs only Σ_k a_k M_jk w_k - C_j.
    """
    if x.shape[1] == 1:
        return _sides(x[:, 0], y)
    n, (angle, order) = len(x), _angle(x).sort()
    x, y = x[order], y[order]
    angle = torch.cat([angle, angle + 4])  # twice round, for runs that pass the end
    products = torch.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2, y * x[:, 0], y * x[:, 1]])
    prefix = pad(torch.cat([products, products], 1).cumsum(1), (1, 0))

    def gradients(parameters) -> list[torch.Tensor]:
        w, a = parameters[0], parameters[1][:, 0]
        first = (_angle(w) - 1).remainder(4)
        begin, end = torch.searchsorted(angle, first, right=True), torch.searchsorted(angle, first + 2)
        turns = n * ((first[:, :, None] - first[:, None]) / 4).round().long()  # those that bring k nearest to j
        low = torch.maximum(begin[:, :, None], begin[:, None] + turns)
        high = torch.minimum(end[:, :, None], end[:, None] + turns)
        xx, xy, yy = prefix[:3, high] - prefix[:3, low]  # M, each (n_seeds, j, k)
        moment = prefix[3:, end] - prefix[3:, begin]  # C, (2, n_seeds, units)
        w = w.movedim(-1, 0)
        out = (a * w)[:, :, None]  # a_k w_k, (2, n_seeds, 1, k)
        error = torch.stack([(xx * out[0] + xy * out[1]).sum(2), (xy * out[0] + yy * out[1]).sum(2)]) - moment
        error *= (w != 0).any(0)  # a unit at zero is never active
        error *= 2 / n
        return [(a * error).movedim(0, -1), (w * error).sum(0)[:, None]]

    return gradients


def _sides(x, y) -> Callable:
    """The same for one input, where there are two sectors: M and C of the inputs above zero and of those below."""
    sides = torch.stack([x.clamp(min=0), x.clamp(max=0)])
    m, c = 2 / len(x) * torch.stack([sides * x, sides * y]).sum(2)[..., None, None]  # each (2, 1, 1)

    def gradients(parameters) -> list[torch.Tensor]:
        w, a = parameters[0][..., 0], parameters[1][:, 0]
        active = torch.stack([w > 0, w < 0])  # (2, n_seeds, units)
        slope = (active * (a * w)).sum(2, keepdim=True)  # of the network, on either side
        error = (active * (m * slope - c)).sum(0)
        return [(a * error)[..., None], (w * error)[:, None]]

    return gradients
