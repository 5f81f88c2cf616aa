"""Training every seed at once: one tensor program in which the leading axis of every tensor is the seed."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from mathcircuits.functions import Function
from mathcircuits.network import Network

SOLVED_BELOW = 1e-6  # mean squared error; notebook 01 shows how wide the gap around it is
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True, eq=False)
class Runs:
    """What ``train`` did, seed by seed. Axis 0 of everything is the seed.

    Attributes:
        function, widths: what was trained.
        seeds: (n_seeds,) integers, in the order given.
        steps: (n_records,) the numbers of steps after which the loss was taken; the last is the end.
        loss: (n_seeds, n_records) mean squared error on 1,000 inputs that were never trained on;
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
        names = np.where(self.solved, "solved", np.where(self.dead, "dead", "failed"))
        return np.where(self.diverged, "diverged", names)

    def network(self, seed: int, *, initial: bool = False) -> Network:
        """Return the network that a seed ended as (or began as), as floats.

        Raises:
            ValueError: a seed that was not trained, or whose run diverged.
        """
        rows = np.flatnonzero(self.seeds == seed)
        if len(rows) == 0:
            raise ValueError(f"seed {seed} was asked for; it is not among the {len(self.seeds)} seeds trained")
        if self.diverged[rows[0]] and not initial:
            raise ValueError(f"seed {seed} diverged; it has no final network")
        weights, biases = (self.initial, self.initial_biases) if initial else (self.final, self.final_biases)
        return Network([w[rows[0]].double() for w in weights], [b[rows[0]].double() for b in biases])

    def __str__(self) -> str:
        counts = [f"{n:,} {name}" for name, n in zip(*np.unique(self.outcome, return_counts=True), strict=True)]
        return f"{self.function.name} {self.widths}, {len(self.seeds):,} seeds, {self.steps[-1]:,} steps: {', '.join(counts)}"


def pytorch_init(seed: int, widths: tuple[int, ...], bias: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the weights and biases that ``torch.manual_seed(seed)`` and then ``nn.Linear`` layers would have.

    >>> pytorch_init(0, (1, 2, 1), bias=False)[0][0].ravel()
    tensor([-0.0075,  0.5364])
    """
    generator = torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        weights.append(torch.nn.init.kaiming_uniform_(torch.empty(n_out, n_in), a=math.sqrt(5), generator=generator))
        bound = 1 / math.sqrt(n_in)
        drawn = torch.empty(n_out).uniform_(-bound, bound, generator=generator) if bias else torch.zeros(n_out)
        biases.append(drawn)
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
    init: Callable | str = "pytorch",
    batch_seed: int = 0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Runs:
    """Train one network a seed, all together, on mean squared error and fresh uniform batches.

    The defaults are the recipe of S. Osier (2022). All seeds see the same batches, so a seed's run depends on
    nothing but itself: alone or among a thousand it ends with the same weights.

    Args:
        seeds: of the initial weights, one network each.
        widths: (inputs, hidden units of each layer..., 1); left out, those of ``function.widths``.
        optimizer: "sgd", "adam", "adamw", or a callable that makes a torch optimizer from
            ``(parameters, lr=..., weight_decay=...)`` and treats every entry alone.
        init: "pytorch", or a callable like ``pytorch_init``: (seed, widths, bias) -> (weights, biases).
        batch_seed: of the one numpy Generator that draws every batch.
        progress: show a bar in an interactive session; an unattended run is silent.

    Returns:
        Runs, also after Ctrl-C: what was reached by then, with a warning.

    Raises:
        ValueError, TypeError: no seeds, widths that do not fit the function, unknown names, steps < 1.

    >>> from mathcircuits import FUNCTIONS
    >>> print(train(FUNCTIONS["identity"], seeds=range(100)))
    identity (1, 2, 1), 100 seeds, 500 steps: 58 failed, 42 solved
    """
    seeds = np.array([*seeds], dtype=np.int64)
    widths = tuple(function.widths if widths is None else widths)
    _check(function, seeds, widths, steps, batch_size, lr, weight_decay, optimizer, init)
    draw = pytorch_init if init == "pytorch" else init
    drawn = [draw(int(seed), widths, bias) for seed in seeds]
    kind = {"dtype": dtype, "device": device}
    weights = [torch.stack(layer).to(**kind) for layer in zip(*(w for w, _ in drawn), strict=True)]
    biases = [torch.stack(layer).to(**kind) for layer in zip(*(b for _, b in drawn), strict=True)]
    initial, initial_biases = tuple(w.clone() for w in weights), tuple(b.clone() for b in biases)
    make = OPTIMIZERS.get(optimizer, optimizer)
    torch_optimizer = make(weights + biases if bias else weights, lr=lr, weight_decay=weight_decay)
    by_sector = len(widths) == 3 and widths[0] <= 2 and not bias

    batches = np.random.default_rng(batch_seed)
    held_out = function.sample(np.random.default_rng([batch_seed, 1]), 1000)
    held_out = torch.from_numpy(held_out).to(**kind)
    record_at = np.unique(np.linspace(0, steps, min(steps, 100) + 1).round().astype(int))
    losses, recorded = [_loss(function, weights, biases, held_out)], [0]
    bar = tqdm(range(1, steps + 1), desc=function.name, leave=False, disable=not (progress and _interactive()))
    try:
        for step in bar:
            x = torch.from_numpy(function.sample(batches, batch_size)).to(**kind)
            y = function(*x.T)
            if by_sector:
                gradients = _sector_gradients(weights, x, y)
            else:
                gradients = _gradients(weights, biases, x, y, bias)
            for parameter, gradient in zip(weights + biases if bias else weights, gradients, strict=True):
                parameter.grad = gradient
            torch_optimizer.step()
            if step in record_at:
                losses.append(_loss(function, weights, biases, held_out))
                recorded.append(step)
    except KeyboardInterrupt:
        warnings.warn(f"interrupted after {recorded[-1]:,} of {steps:,} steps; these are the runs so far", stacklevel=2)
    loss = torch.stack(losses, 1).double().cpu().numpy()
    loss = np.where(np.isfinite(loss), loss, np.inf)
    final, final_biases = tuple(w.detach() for w in weights), tuple(b.detach() for b in biases)
    alive = [(_forward(weights, biases, held_out)[k] > 0).flatten(1).any(1) for k in range(1, len(weights))]
    dead = ~torch.stack(alive).all(0).cpu().numpy()
    return Runs(function, widths, seeds, np.array(recorded), loss, initial, final, initial_biases, final_biases, dead)


def _check(function, seeds, widths, steps, batch_size, lr, weight_decay, optimizer, init):
    if not isinstance(function, Function):
        raise TypeError(f"{function!r} was given as the function; wanted a Function, such as FUNCTIONS['identity']")
    if len(seeds) == 0:
        raise ValueError("an empty list of seeds was given; wanted at least one")
    if len(np.unique(seeds)) < len(seeds) or (seeds < 0).any():
        raise ValueError("a seed was given twice or is negative; wanted distinct non-negative integers")
    if len(widths) < 2 or min(widths) < 1 or widths[0] != function.arity or widths[-1] != 1:
        raise ValueError(f"widths {widths} were given; {function.name} wants ({function.arity}, ..., 1)")
    if steps < 1 or batch_size < 1:
        raise ValueError(f"{steps} steps of {batch_size} inputs were asked for; wanted at least one of each")
    if not (0 < lr < math.inf and 0 <= weight_decay < math.inf):
        raise ValueError(f"lr {lr} and weight_decay {weight_decay} were given; wanted finite numbers, lr positive")
    if not callable(optimizer) and optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer {optimizer!r} was given; wanted one of {', '.join(OPTIMIZERS)} or a callable")
    if not callable(init) and init != "pytorch":
        raise ValueError(f"init {init!r} was given; wanted 'pytorch' or a callable")


def _interactive() -> bool:
    """A terminal, or a kernel that a Jupyter server started for a reader (nbconvert and nbval start their own)."""
    return sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ


def _forward(weights, biases, x) -> list[torch.Tensor]:
    """Every layer's values, (n_seeds, units, batch), the inputs first."""
    z = biases[0][..., None].expand(-1, -1, len(x))
    for i, column in enumerate(x.T):  # entry by entry: a matrix product may round by the number of seeds
        z = torch.addcmul(z, weights[0][..., i, None], column)
    layers = [x.T.expand(len(z), -1, -1), z]
    for w, b in zip(weights[1:], biases[1:], strict=True):
        layers.append(torch.baddbmm(b[..., None], w, layers[-1].clamp_(min=0)))
    return layers


def _groups(weights, batch_size: int) -> list[slice]:
    """Seeds in groups whose activations fit a core's cache: that, not arithmetic, bounds the speed."""
    group = max(1, 2**17 // (batch_size * sum(w.shape[1] for w in weights)))
    return [slice(start, start + group) for start in range(0, len(weights[0]), group)]


def _loss(function, weights, biases, x) -> torch.Tensor:
    y, parts = function(*x.T), []
    for rows in _groups(weights, len(x)):
        output = _forward([w[rows] for w in weights], [b[rows] for b in biases], x)[-1]
        parts.append((output[:, 0] - y).square().mean(1))
    return torch.cat(parts)


def _gradients(weights, biases, x, y, bias) -> list[torch.Tensor]:
    """Gradients of the mean squared error by every weight (and bias), for any depth, by backpropagation."""
    gradients = [torch.empty_like(p) for p in (weights + biases if bias else weights)]
    for rows in _groups(weights, len(x)):
        w = [p[rows] for p in weights]
        layers = _forward(w, [b[rows] for b in biases], x)
        delta = layers[-1].sub_(y).mul_(2 / len(x))
        for k in reversed(range(len(w))):
            torch.bmm(delta, layers[k].mT, out=gradients[k][rows])
            if bias:
                gradients[len(w) + k][rows] = delta.sum(2)
            if k > 0:
                delta = torch.bmm(w[k].mT, delta).mul_(layers[k] > 0)
    return gradients


def _sector_gradients(weights, x, y) -> list[torch.Tensor]:
    """The same gradients for one hidden layer, no biases and at most two inputs, without visiting every input.

    A unit is active on a half-plane. With the batch sorted by angle that is a run of inputs, and so is where two
    units are both active. Sums over a run are differences of prefix sums, taken once a batch for all seeds: with
    M = Σ x xᵀ over a run and C = Σ y x, unit j needs only Σ_k a_k M_jk w_k - C_j.
    """
    w, a, n = weights[0], weights[1][:, 0], len(x)
    if w.shape[2] == 1:
        w, x = (torch.cat([t, torch.zeros_like(t)], -1) for t in (w, x))
    angle, order = torch.atan2(x[:, 1], x[:, 0]).sort()
    x, y = x[order], y[order]
    angle = torch.cat([angle, angle + 2 * math.pi])
    products = torch.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2, y * x[:, 0], y * x[:, 1]])
    prefix = torch.nn.functional.pad(torch.cat([products, products], 1).cumsum(1), (1, 0))

    first = torch.atan2(w[..., 1], w[..., 0]).nan_to_num() - math.pi / 2
    first = torch.where(first < -math.pi, first + 2 * math.pi, first)
    begin, end = torch.searchsorted(angle, first), torch.searchsorted(angle, first + math.pi)
    moment = prefix[3:, end] - prefix[3:, begin]  # C, (2, n_seeds, units)
    later = first[:, None, :] >= first[:, :, None]  # does k begin after j? (n_seeds, j, k)
    ahead = (first[:, None, :] - first[:, :, None]).remainder(2 * math.pi) < math.pi
    from_k = begin[:, None, :] + n * ~later
    from_j = begin[:, :, None] + n * later
    low = torch.where(ahead, from_k, from_j)
    high = torch.where(ahead, end[:, :, None], end[:, None, :])
    xx, xy, yy = prefix[:3, high] - prefix[:3, low]
    outgoing = a[:, None, :] * w.permute(2, 0, 1)[:, :, None, :]  # a_k w_k, (2, n_seeds, 1, k)
    error = torch.stack([(xx * outgoing[0] + xy * outgoing[1]).sum(2), (xy * outgoing[0] + yy * outgoing[1]).sum(2)])
    error = (2 / n) * (error - moment) * (w != 0).any(2)
    by_w, by_a = (a * error).permute(1, 2, 0), (w.permute(2, 0, 1) * error).sum(0)
    return [by_w[..., : weights[0].shape[2]].contiguous(), by_a[:, None]]
