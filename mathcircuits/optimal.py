"""Training that ends in the smallest network: begun wide, fitted, pruned to size, polished, freed of idle weights.

Nothing enters but values of the function. Fitting, repairing and polishing are damped Gauss-Newton steps (Levenberg
1944, Marquardt 1963). What to remove is chosen by one rule: what costs least loss if all the rest may make up for it
(Hassibi and Stork 1993, "Second order derivatives for network pruning: Optimal Brain Surgeon"). Notebook 12 says why
each part is there and what it buys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch.nn.functional import pad

from mathcircuits.functions import Function
from mathcircuits.training import Runs, _bar, _check, _dead, _draw, _evaluate, _values, pytorch_init

EXACT, REST = 1e-20, 1e-22  # mean squared errors: rounding and nothing else; not worth another step
FIT, REPAIR, POLISH = 24, 8, 96  # Gauss-Newton steps at full width, after each removal, and at the end
PATIENCE = 16  # steps in which the loss must halve, or the seed is at rest
GROUP = 32  # seeds computed together
Weights = list[torch.Tensor]  # one matrix a layer, (n_seeds, out, in), or in + 1 if its last column are the biases


def train_optimal(
    function: Function,
    *,
    seeds: Iterable[int],
    widths: tuple[int, ...] | None = None,
    wide: float = 2,
    decay: float = 1e-5,
    attempts: int = 200,
    n_inputs: int = 256,
    bias: bool = False,
    init: str | Callable = "pytorch",
    batch_seed: int = 0,
    progress: bool = True,
) -> Runs:
    """Train one network a seed so that it ends as small as wanted, and exact up to rounding.

    A network begins ``wide`` times as wide, and is fitted to values of the function. Then its units are removed one by
    one, each time the one that costs least, and the others repair the damage. At the widths wanted it is polished,
    without decay. If it is exact then, weights are set to zero in the same way, for as long as it stays exact; if it
    is not, the seed begins again from other weights.

    Args:
        seeds: of the initial weights; the first attempt begins as ``train`` would at that width.
        widths: those to end in; left out, ``function.widths``.
        wide: how many times as many units each hidden layer has at first, at least 1.
        decay: so many times the sum of the squared weights is added to the mean squared error, until the polish.
        attempts: at most so many for each seed, at least 1.
        n_inputs: so many inputs, rounded up to a multiple of 16, are drawn once and for all seeds; best more than a
            network has weights.
        bias, init, batch_seed, progress: as in ``train``; the inputs are drawn from ``batch_seed``.

    Returns:
        Runs of the best attempt of every seed. The ``initial`` networks are wide, the ``final`` ones have ``widths``.
        Losses are recorded at the start, fitted, pruned, and at the end.

    Raises:
        TypeError, ValueError: as ``train`` does; ``wide``, ``decay`` or ``attempts`` out of range.

    >>> from mathcircuits import FUNCTIONS, canonical, snap
    >>> runs = train_optimal(FUNCTIONS["absolute_value"], seeds=range(10))
    >>> print(runs)
    absolute_value (1, 2, 1), 10 seeds, 136 steps: 10 solved
    >>> {str(snap(canonical(runs.network(seed))).network) for seed in range(10)}
    {'h1 = relu(x)\\nh2 = relu(-x)\\ny = h1 + h2'}
    """
    if not isinstance(function, Function):
        raise TypeError(f"{function!r} was given as the function; wanted a Function, such as FUNCTIONS['identity']")
    for name, value, least in (("wide", wide, 1), ("decay", decay, 0), ("attempts", attempts, 1)):
        if not least <= value < math.inf:
            raise ValueError(f"{name} {value} was given; wanted a finite number, at least {least}")
    seeds, widths = tuple(seeds), tuple(function.widths if widths is None else widths)
    _check(function, seeds, widths, attempts, n_inputs, 1.0, decay, "sgd", init, torch.float64)
    begin = (widths[0], *(math.ceil(wide * n) for n in widths[1:-1]), widths[-1])
    n_inputs = -(-n_inputs // 16) * 16  # every row then begins on a boundary of 64 bytes: see training._backpropagation
    x = torch.from_numpy(function.sample(np.random.default_rng(batch_seed), n_inputs).T.copy())
    y, held_out = _values(function(*x)).flatten(), torch.from_numpy(function.grid(1000).T.copy())
    best, todo, init = [], np.arange(len(seeds)), pytorch_init if init == "pytorch" else init
    with _bar(total=len(seeds), desc=function.name, progress=progress) as bar:
        for attempt in range(attempts):
            drawn = _draw(init, [_name(seeds[row], attempt) for row in todo], begin, bias)
            stages = _attempt(drawn, widths, x, y, decay, bias)
            losses = [torch.from_numpy(_evaluate(function, parameters, held_out)) for parameters in stages]
            new = [torch.stack(losses, 1), *stages[0], *stages[-1]]
            new = [t[: len(todo)] for t in new]  # without the double of a lone seed
            best = best or [t.clone() for t in new]
            better = (new[0][:, -1] < best[0][todo, -1]).numpy()
            for t, latest in zip(best, new, strict=True):
                t[todo[better]] = latest[better]
            n_before, todo = len(todo), todo[(best[0][todo, -1] >= EXACT).numpy()]
            bar.update(n_before - len(todo))
            if len(todo) == 0:
                break
    loss, depth = best[0].numpy(), len(widths) - 1
    initial, initial_biases, final, final_biases = (tuple(best[1 + depth * k :][:depth]) for k in range(4))
    steps = np.cumsum([0, FIT, REPAIR * (sum(begin) - sum(widths)), POLISH])  # at most
    dead = _dead([*final, *final_biases], held_out)
    return Runs(function, widths, np.array(seeds), steps, loss, initial, final, initial_biases, final_biases, dead)


def _name(seed, attempt: int) -> int:
    """The seed that an attempt draws from; torch's generator reads 32 bits of it, and attempt 0 is the seed itself."""
    return int(np.random.SeedSequence([int(seed), attempt]).generate_state(1)[0]) if attempt else int(seed)


def _attempt(drawn: list[torch.Tensor], widths, x, y, decay, bias) -> list[list[torch.Tensor]]:
    """Return the weights and then the biases of every seed: at the start, fitted, pruned, and at the end."""
    depth, done = len(widths) - 1, []
    matrices = [
        torch.cat([w, b[..., None]], 2) if bias else w for w, b in zip(drawn[:depth], drawn[depth:], strict=True)
    ]
    for rows in np.array_split(np.arange(len(drawn[0])), -(-len(drawn[0]) // GROUP)):
        start = [w[rows].double() for w in matrices]
        weights = fitted = _descend(start, x, y, FIT, decay)
        while (sizes := [w.shape[1] for w in weights]) != [*widths[1:]]:
            layer = max(range(depth - 1), key=lambda k: sizes[k] / widths[k + 1])
            weights = _descend(_prune(weights, x, layer, decay), x, y, REPAIR, decay)
        done.append([start, fitted, weights, _simplify(_descend(weights, x, y, POLISH), x, y)])
    stages = [[torch.cat(layer) for layer in zip(*stage, strict=True)] for stage in zip(*done, strict=True)]
    if bias:
        return [[w[..., :-1] for w in stage] + [w[..., -1] for w in stage] for stage in stages]
    return [stage + [torch.zeros_like(w[..., 0]) for w in stage] for stage in stages]


def _prune(weights: Weights, x, layer: int, decay: float) -> Weights:
    """Remove from a hidden layer of every seed the unit that costs least."""
    units, n_in = weights[layer].shape[1:]
    places = _unflatten(torch.arange(_flatten(weights).shape[1])[None], weights)
    incoming, outgoing = places[layer][0], places[layer + 1][0, :, :units].T
    parameters, unit = _remove(weights, x, decay, torch.cat([incoming, outgoing], 1), zeroed=slice(n_in, None))
    weights = _unflatten(parameters, weights)
    columns = weights[layer + 1].shape[2]  # one more than units if the last are biases
    kept = torch.arange(columns - 1).expand(len(unit), -1)
    kept = kept + (kept >= unit[:, None])
    weights[layer] = weights[layer].gather(1, kept[:, : units - 1, None].expand(-1, -1, n_in))
    weights[layer + 1] = weights[layer + 1].gather(2, kept[:, None].expand(-1, weights[layer + 1].shape[1], -1))
    return weights


def _simplify(weights: Weights, x, y) -> Weights:
    """Set weights to zero, the cheapest first, for as long as the network stays exact; leave it if it is not exact."""
    rows = (_loss(weights, x, y) < EXACT).nonzero()[:, 0]
    rows = rows.repeat(2) if len(rows) == 1 else rows  # as in _draw: never a product of one matrix alone
    part = [w[rows] for w in weights]
    single = torch.arange(_flatten(part).shape[1])[:, None]
    free = torch.ones(len(rows), len(single), dtype=torch.bool)
    untried, before = free, None
    while untried.any():
        parameters, chosen = _remove(part, x, 0.0, single, slice(None), free, untried)
        fewer = free.scatter(1, chosen[:, None], False)
        trial = _descend(_unflatten(parameters * fewer, part), x, y, REPAIR, free=fewer)
        works = (_loss(trial, x, y) < EXACT) & untried.any(1)
        part = [torch.where(works[:, None, None], new, old) for new, old in zip(trial, part, strict=True)]
        free, untried = torch.where(works[:, None], fewer, free), untried & fewer
        if not untried.any() and (before is None or (free != before).any()):
            untried = before = free  # what was needed may not be so any more
    return _write([w.clone() for w in weights], rows, part)


def _remove(weights: Weights, x, decay, candidates, zeroed: slice, free=None, allowed=None):
    """Return the parameters without the candidate that costs least, and which it was, for every seed.

    A change d of the parameters at a minimum with Hessian H costs d·Hd / 2. Of all changes that are as wanted, e, at
    the parameters of a candidate, the cheapest is H⁻¹B⁻¹e, with B their block of H⁻¹, and costs e·B⁻¹e / 2.

    Args:
        candidates: (n_candidates, n) the parameters of each: those in the slice ``zeroed`` become zero, others stay.
        free: (n_seeds, n_parameters) False where a parameter is zero and stays it. allowed: (n_seeds, n_candidates).
    """
    parameters, (_, jacobian) = _flatten(weights), _linearized(weights, x)
    hessian = _hessian(jacobian, free)
    mean = hessian.diagonal(dim1=1, dim2=2).mean(1, keepdim=True)
    inverse = _inverse(_raised(hessian, decay + 1e-6 * mean + 1e-12))
    wanted = torch.zeros(len(parameters), *candidates.shape, dtype=parameters.dtype)
    wanted[..., zeroed] = -parameters[:, candidates[:, zeroed]]
    block = inverse[:, candidates[:, :, None], candidates[:, None, :]]
    force = (_inverse(block) @ wanted[..., None])[..., 0]
    cost = (force * wanted).sum(2).nan_to_num(nan=math.inf)
    chosen = (cost if allowed is None else cost.where(allowed, math.inf)).argmin(1)
    every = torch.arange(len(chosen))
    columns = inverse.gather(2, candidates[chosen][:, None].expand(-1, inverse.shape[1], -1))
    return parameters + (columns @ force[every, chosen, :, None])[..., 0], chosen


def _descend(weights: Weights, x, y, steps: int, decay: float = 0.0, free=None) -> Weights:
    """Take damped Gauss-Newton steps on mean (f - y)² + decay Σ w², full batch, and only those that go down.

    A seed at rest stays as it is. Once half of them are, they are left out of the computation; but never all but one,
    for a product of one matrix is rounded otherwise.
    """
    result, going = [w.clone() for w in weights], torch.arange(len(weights[0]))
    state = _state(weights, x, y, decay)
    mark, since = state[0], torch.zeros(len(going))
    damping, moving = torch.full((len(going), 1), 1e-3, dtype=y.dtype), mark > REST
    for _ in range(steps):
        if not moving.any():
            break
        if 2 <= moving.sum() <= len(moving) / 2:
            _write(result, going, _unflatten(state[1], weights))
            state, free = [t[moving] for t in state], free if free is None else free[moving]
            going, mark, since, damping, moving = (t[moving] for t in (going, mark, since, damping, moving))
        loss, parameters, residual, jacobian = state
        hessian = _hessian(jacobian, free)
        mean = hessian.diagonal(dim1=1, dim2=2).mean(1, keepdim=True)
        slope = (jacobian @ residual[..., None])[..., 0] / len(y) + decay * parameters
        slope = slope if free is None else slope * free
        step, failed = _solve(_raised(hessian, decay + damping * mean + 1e-14), slope)
        new = _state(_unflatten(parameters - step, weights), x, y, decay)
        down = (new[0] < loss) & (failed == 0) & moving
        state = [torch.where(down.view(-1, *[1] * (t.ndim - 1)), t, old) for t, old in zip(new, state, strict=True)]
        damping = torch.where(down[:, None], damping / 3, damping * 10).clamp(1e-12, 1e9)
        halved = state[0] < mark / 2
        mark, since = torch.where(halved, state[0], mark), torch.where(halved, 0, since + 1)
        moving = moving & (state[0] > REST) & (since < PATIENCE)
    return _write(result, going, _unflatten(state[1], weights))


def _write(weights: Weights, rows, new: Weights) -> Weights:
    for w, values in zip(weights, new, strict=True):
        w[rows] = values
    return weights


def _state(weights, x, y, decay) -> list[torch.Tensor]:
    """The loss with decay, the parameters, the residuals and the Jacobian, of every seed."""
    parameters, (output, jacobian) = _flatten(weights), _linearized(weights, x)
    residual = output - y
    return [residual.square().mean(1) + decay * parameters.square().sum(1), parameters, residual, jacobian]


def _loss(weights, x, y) -> torch.Tensor:
    return (_layers(weights, x)[-1].flatten(1) - y).square().mean(1)


def _layers(weights: Weights, x) -> list[torch.Tensor]:
    """Return what each layer reads, (n_seeds, in, batch), with a last 1 where it has biases, and the output."""
    layers = [x.expand(len(weights[0]), -1, -1)]
    for w in weights:
        read = layers[-1].clamp(min=0) if len(layers) > 1 else layers[-1]
        layers[-1] = torch.cat([read, torch.ones_like(read[:, :1])], 1) if w.shape[2] > read.shape[1] else read
        layers.append(w @ layers[-1])
    return layers


def _linearized(weights: Weights, x) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs, one after the other, and their derivatives by all parameters.

    The shapes are (n_seeds, outputs × batch) and (n_seeds, parameters, outputs × batch).
    """
    *layers, output = _layers(weights, x)
    n_outputs, batch = output.shape[1:]
    delta = torch.eye(n_outputs, dtype=x.dtype).repeat_interleave(batch, 1).expand(len(output), -1, -1)
    parts = []
    for w, read, before in zip(weights[::-1], layers[::-1], [*weights[-2::-1], None], strict=True):
        read = read.repeat(1, 1, n_outputs)
        parts.insert(0, (delta[:, :, None] * read[:, None]).flatten(1, 2))
        if before is not None:
            units = before.shape[1]
            delta = (w[..., :units].mT @ delta) * (read[:, :units] > 0)
    return output.flatten(1), torch.cat(parts, 1)


def _hessian(jacobian, free=None) -> torch.Tensor:
    """Half the Hessian of the mean squared error as Gauss and Newton have it; a parameter not free is on its own."""
    if free is None:
        return jacobian @ jacobian.mT / jacobian.shape[2]
    jacobian = jacobian * free[..., None]
    return _raised(jacobian @ jacobian.mT / jacobian.shape[2], (~free).to(jacobian.dtype))


def _raised(matrices, diagonal) -> torch.Tensor:
    return matrices + torch.diag_embed(diagonal.expand(-1, matrices.shape[1]))


def _solve(matrices, vectors) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the positive definite matrices take to the vectors, and where there is none (not 0)."""
    factor, failed = torch.linalg.cholesky_ex(_filled(matrices))
    n = vectors.shape[1]
    return torch.cholesky_solve(pad(vectors, (0, -n % 8))[..., None], factor)[:, :n, 0], failed


def _inverse(matrices) -> torch.Tensor:
    n = matrices.shape[-1]
    return torch.linalg.inv_ex(_filled(matrices))[0][..., :n, :n]


def _filled(matrices) -> torch.Tensor:
    """Fill up with the identity to a multiple of 8 rows, so that every matrix begins on a boundary of 64 bytes.

    LAPACK rounds otherwise where a matrix begins elsewhere: with an odd number of rows every second one would, and a
    seed would depend on its place.
    """
    fill = -matrices.shape[-1] % 8
    filled = pad(matrices, (0, fill, 0, fill))
    filled.diagonal(dim1=-2, dim2=-1)[..., matrices.shape[-1] :] = 1
    return filled


def _flatten(weights: Weights) -> torch.Tensor:
    return torch.cat([w.flatten(1) for w in weights], 1)


def _unflatten(parameters, like: Weights) -> Weights:
    shapes = [w.shape[1:] for w in like]
    parts = parameters.split([s.numel() for s in shapes], 1)
    return [p.reshape(-1, *s) for p, s in zip(parts, shapes, strict=True)]
