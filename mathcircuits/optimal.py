"""Training that ends in the smallest network it finds: begun wide, fitted, pruned, polished, freed of idle weights.

What enters are values of the function, and the widths to end in where they are given. Left out, they are searched for.
Fitting, repairing and polishing are damped Gauss-Newton steps (Levenberg 1944, Marquardt 1963). What to remove is
chosen by one rule: what costs least loss if all the rest may make up for it (Hassibi and Stork 1993, "Second order
derivatives for network pruning: Optimal Brain Surgeon"). Notebook 12 measures what each part buys.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise, product
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad

from mathcircuits.checks import flag, instance, integer, number
from mathcircuits.forms import canonical, snap
from mathcircuits.functions import Function
from mathcircuits.network import Network
from mathcircuits.proof import Proof, prove_equal
from mathcircuits.training import Runs, bar, check_task, draw_initial

EXACT, REST = 1e-20, 1e-22  # mean squared errors: rounding and nothing else; not worth another step
PATIENCE = 16  # steps in which the loss must halve, or the seed is at rest
GROUP = 32  # seeds computed together
GROWTH = (2, 4, 6, 8, 12)  # units of every hidden layer that a search for the widths begins with
NEAR, DENOMINATOR = 1e-6, 64  # a network is rounded to fractions only if they are so near, and as small as that
Weights = list[torch.Tensor]  # one matrix a layer, (n_seeds, out, in), or in + 1 if its last column are the biases


@dataclass(frozen=True)
class Recipe:
    """The stages of ``train_optimal`` and their sizes. A stage is left out by its 0, 1 or False.

    Args:
        wide: how many times as many units each hidden layer has at first as in the end, at least 1.
        decay: so many times the sum of the squared weights is added to the mean squared error, until the polish.
        fit: Gauss-Newton steps at the width of the beginning, at most.
        prune: which unit is removed, "cheapest" or "first"; with "cheapest" all others make up for it at once.
        repair: steps after each unit that is removed, and after each weight that is set to zero, at most.
        polish: steps at the width of the end, without decay, at most.
        simplify: whether weights of an exact network are set to zero, one by one, for as long as it stays exact.
        attempts: so many initial weights are tried for each seed, at most, until one attempt ends exact.

    Raises:
        TypeError, ValueError: what is no number, or out of range; another word for ``prune``.

    >>> Recipe(attempts=1)
    Recipe(wide=2, decay=1e-05, fit=24, prune='cheapest', repair=8, polish=96, simplify=True, attempts=1)
    """

    wide: float = 2
    decay: float = 1e-5
    fit: int = 24
    prune: str = "cheapest"
    repair: int = 8
    polish: int = 96
    simplify: bool = True
    attempts: int = 200

    def __post_init__(self):
        number("wide", self.wide, at_least=1)
        number("decay", self.decay, at_least=0)
        for name in ("fit", "repair", "polish"):
            integer(name, getattr(self, name), at_least=0)
        integer("attempts", self.attempts, at_least=1)
        flag("simplify", self.simplify)
        if self.prune not in ("cheapest", "first"):
            raise ValueError(f"prune {self.prune!r} was given; wanted 'cheapest' or 'first'")


class Tried(NamedTuple):
    """Widths that a search has tried, in how many attempts, and how many of these ended exact."""

    widths: tuple[int, ...]
    attempts: int
    exact: int


@dataclass(frozen=True, eq=False)
class OptimalRuns(Runs):
    """What ``train_optimal`` did, seed by seed, in the best attempt of each.

    The attributes of ``Runs``, with these differences and additions:

    Attributes:
        widths: those that were given, or found.
        steps: (4,) the most steps of any seed until its losses were taken: at the start, fitted, pruned, at the end.
            A step is one evaluation of the derivatives on all inputs.
        initial, final: the first are wide, the last have ``widths``.
        attempts: (n_seeds,) how many were made.
        evaluations: (n_seeds,) inputs at which derivatives were evaluated, in all attempts; a plain run of 1,000 steps
            on batches of 32 has 32,000. The search for the widths is not included.
        tried: what the search for the widths tried, in order; empty if they were given.
    """

    attempts: np.ndarray = field(repr=False)
    evaluations: np.ndarray = field(repr=False)
    tried: tuple[Tried, ...] = field(repr=False)

    @property
    def exact(self) -> np.ndarray:
        """(n_seeds,) True where the final loss is below 1e-20: exact up to rounding, on the inputs tried."""
        return self.loss[:, -1] < EXACT

    @cached_property
    def rounded(self) -> list[Network | None]:
        """One a seed: its network in canonical form and rounded, or None if no small fractions are within 1e-6."""
        forms = [snap(canonical(self.network(s), tolerance=NEAR), max_denominator=DENOMINATOR) for s in self.seeds]
        return [form.network if form.distance < NEAR else None for form in forms]

    def proofs(self) -> list[Proof | None]:
        """Decide for every seed whether its rounded network is the function, on its whole domain; None if it has none.

        Exact on the inputs tried is not exact everywhere: a unit may bend outside of the range of the inputs.

        >>> from mathcircuits import FUNCTIONS
        >>> runs = train_optimal(FUNCTIONS["absolute_value"], seeds=range(3))
        >>> {str(proof) for proof in runs.proofs()}
        {'proved: the network equals absolute_value for all real inputs'}
        """
        decided = {network: prove_equal(network, self.function) for network in set(self.rounded) - {None}}
        return [decided.get(network) for network in self.rounded]

    def report(self) -> str:
        """Say what was found, of how many seeds it is proved, and whether it is known to be smallest.

        >>> from mathcircuits import FUNCTIONS
        >>> print(train_optimal(FUNCTIONS["minimum"], seeds=range(10)).report())
        minimum (2, 3, 1), 10 seeds, 10 attempts: 10 exact on the inputs tried
        10 of 10 proved for all real inputs; 2 different networks
        No network of one hidden layer computes it with fewer than 3 units.
        """
        proofs, where = self.proofs(), "for all real inputs" if self.function.domain is None else "on the whole domain"
        proved = {network for network, proof in zip(self.rounded, proofs, strict=True) if proof}
        lines = [str(self), f"{sum(map(bool, proofs))} of {len(proofs)} proved {where}"]
        lines[1] += f"; {len(proved)} different network{'s' * (len(proved) != 1)}" * bool(proved)
        exact = Counter(getattr(proof, "status", None) for proof, yes in zip(proofs, self.exact, strict=True) if yes)
        if exact["refuted"]:
            lines.append(f"{exact['refuted']} exact on the inputs tried, but not {where}")
        if exact[None]:
            lines.append(f"{exact[None]} exact on the inputs tried, but near no small fractions: nothing is proved")
        smallest = min(proved, key=lambda network: sum(network.widths), default=None)
        if smallest is not None and len(smallest.widths) == 3 and self.function.domain is None:
            fewest = fewest_units(smallest)
            units = f"{fewest} unit{'s' * (fewest != 1)}"
            lines.append(f"No network of one hidden layer computes it with fewer than {units}.")
        elif self.tried:
            fewer = [t for t in self.tried if t.exact == 0 and sum(t.widths) == sum(self.widths) - 1]
            lines += [f"With {t.widths} none of {t.attempts} attempts was exact." for t in fewer]
        return "\n".join(lines)

    def __str__(self) -> str:
        counts = Counter(net.widths for net, exact in zip(self.rounded, self.exact, strict=True) if exact and net)
        text = f"{self.function.name} {self.widths}, {len(self.seeds):,} seeds, {self.attempts.sum():,} attempts: "
        text += f"{self.exact.sum():,} exact on the inputs tried"
        if set(counts) <= {self.widths}:
            return text
        return f"{text}, of them {', '.join(f'{n:,} of widths {w}' for w, n in counts.most_common())}"


def train_optimal(
    function: Function,
    *,
    seeds: Iterable[int],
    widths: tuple[int, ...] | None = None,
    recipe: Recipe | None = None,
    n_inputs: int = 256,
    bias: bool = False,
    init: str | Callable = "pytorch",
    batch_seed: int = 0,
    progress: bool = True,
) -> OptimalRuns:
    """Train one network a seed so that it ends exact, up to rounding, in as few units as are found.

    A network begins ``recipe.wide`` times as wide as it is to end, and is fitted to values of the function. Then its
    units are removed one by one, each time the one that costs least, and the others repair the damage. At the widths
    wanted it is polished, without decay. If it is exact then, weights are set to zero in the same way, for as long as
    it stays exact; if it is not, the seed begins again from other weights.

    Where no widths are given, they are searched for first, with initial weights of their own: one hidden layer, then
    two, then three, of 2, 4, 6, 8 and 12 units each, until one of 32 attempts ends exact (networks that begin with
    more weights than there are inputs are left out). Counted are the units that this network has in canonical form.
    Then each layer in turn gets one unit fewer, until ``recipe.attempts`` attempts with one fewer in any layer have
    failed, or until one hidden layer has the ``fewest_units`` that its function allows on all real inputs.

    Args:
        seeds: of the initial weights; the first attempt begins as ``train`` would at that width.
        widths: those to end in, (inputs, hidden units of each layer..., outputs); left out, they are searched for.
        recipe: the stages and their sizes; left out, ``Recipe()``.
        n_inputs: so many inputs, rounded up to a multiple of 16, are drawn once and for all seeds; best more than a
            network has weights.
        bias, init, batch_seed, progress: as in ``train``; the inputs are drawn from ``batch_seed``.

    Returns:
        OptimalRuns of the best attempt of every seed.

    Raises:
        TypeError, ValueError: as ``train`` does; a function that needs biases and gets none; no widths found.

    >>> from mathcircuits import FUNCTIONS, canonical, snap
    >>> runs = train_optimal(FUNCTIONS["absolute_value"], seeds=range(10))
    >>> print(runs)
    absolute_value (1, 2, 1), 10 seeds, 16 attempts: 10 exact on the inputs tried
    >>> {str(network) for network in runs.rounded}
    {'h1 = relu(x)\\nh2 = relu(-x)\\ny = h1 + h2'}
    """
    instance("the function", function, Function, wanted="a Function, such as FUNCTIONS['identity']")
    recipe = instance("the recipe", Recipe() if recipe is None else recipe, Recipe)
    searched = widths is None
    seeds, widths, init = check_task(function, seeds, widths, init)
    bias = flag("bias", bias)
    # Every row then begins on a boundary of 64 bytes: see training._backpropagation.
    n_inputs = -(-integer("n_inputs", n_inputs, at_least=1) // 16) * 16
    x = torch.from_numpy(function.sample(np.random.default_rng(batch_seed), n_inputs).T.copy())
    if not bias:
        _check_homogeneous(function, x.numpy())
    task = _Task(function, *_with_values(function, x), *_with_values(function, function.grid(1000).T), bias, init)
    tried = []
    if searched:
        with bar(desc=f"{function.name}: widths", progress=progress) as searching:
            widths = _search(task, recipe, tried, searching.update)
    todo, best = np.arange(len(seeds)), None
    attempts, evaluations = np.zeros(len(seeds), dtype=int), np.zeros(len(seeds), dtype=int)
    with bar(total=len(seeds), desc=function.name, progress=progress) as finished:
        for attempt in range(recipe.attempts):
            new = _attempt(task, [stream(seeds[row], attempt) for row in todo], widths, recipe)
            attempts[todo] += 1
            evaluations[todo] += n_inputs * new[1][:, -1].numpy()
            best = best or [t.clone() for t in new]
            better = (new[0][:, -1] < best[0][todo, -1]).numpy()
            for t, latest in zip(best, new, strict=True):
                t[todo[better]] = latest[better]
            finished.update(len(todo))
            todo = todo[(best[0][todo, -1] >= EXACT).numpy()]
            finished.update(-len(todo))
            if len(todo) == 0:
                break
    loss, steps, depth = best[0].numpy(), best[1].amax(0).numpy(), len(widths) - 1
    initial, initial_biases, final, final_biases = (tuple(best[2 + depth * k :][:depth]) for k in range(4))
    parts = (initial, final, initial_biases, final_biases, best[-1].numpy())
    runs = function, widths, np.array(seeds), steps, loss, *parts
    return OptimalRuns(*runs, attempts, evaluations, tuple(tried))


class _Task(NamedTuple):
    """What is trained, on inputs (inputs, batch) with values (outputs × batch,), and judged on those held out."""

    function: Function
    x: torch.Tensor
    y: torch.Tensor
    held_out: torch.Tensor
    values: torch.Tensor
    bias: bool
    init: str | Callable


def _with_values(function: Function, x) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.as_tensor(x).contiguous()
    y = function(*x)
    return x, torch.cat(y) if isinstance(y, tuple) else y


def _check_homogeneous(function: Function, x: np.ndarray) -> None:
    """Refuse what no network without biases can be: such a network has half the value at half the input."""
    half = x[:, _inside(function, x / 2)] / 2
    values = np.atleast_2d(function(*half)), np.atleast_2d(function(*(2 * half)))
    wrong = (abs(2 * values[0] - values[1]) > 1e-9 * (1 + abs(values[1]))).any(0)
    if wrong.any():
        at = wrong.argmax()
        point, value, twice = ([round(v, 4) for v in t[:, at].tolist()] for t in (half, *values))
        raise ValueError(
            f"bias=False was given, but {function.name} needs biases: from {point} to twice that its value goes from "
            f"{value} to {twice}, and that of a network without biases doubles"
        )


def _inside(function: Function, x: np.ndarray) -> np.ndarray:
    """Where inputs (inputs, batch) are in the range and in the domain of a function."""
    domain = function.domain or [((-math.inf, math.inf),)] * function.arity
    sets = [np.any([(a <= v) & (v <= b) for a, b in intervals], axis=0) for v, intervals in zip(x, domain, strict=True)]
    return np.all([*sets, *((function.low <= v) & (v <= function.high) for v in x)], axis=0)


def _search(task: _Task, recipe: Recipe, tried: list[Tried], progress: Callable) -> tuple[int, ...]:
    """Return the smallest widths found, and append to ``tried`` what was tried. See ``train_optimal``."""
    n_in, n_out = len(task.x), len(task.y) // task.x.shape[1]

    def smallest(widths, attempts) -> Network | None:
        """The smallest exact network, in canonical form, of the first group of attempts that has one."""
        for begin in range(0, attempts, GROUP):
            names = [stream(k, 0, 0, 1) for k in range(begin, min(begin + GROUP, attempts))]
            loss, _, *ends, _ = _attempt(task, names, widths, recipe)
            weights, biases = ends[len(ends) // 2 : -len(ends) // 4], ends[-len(ends) // 4 :]  # the final ones
            exact = (loss[:, -1] < EXACT).nonzero()[:, 0].tolist()
            networks = [Network([w[k] for w in weights], [b[k] for b in biases]) for k in exact]
            progress()
            if networks:
                break
        tried.append(Tried(widths, begin + len(names), len(networks)))
        return min((canonical(n, tolerance=NEAR) for n in networks), key=lambda n: sum(n.widths), default=None)

    for depth, units in product((1, 2, 3), GROWTH):
        widths = (n_in, *[units] * depth, n_out)
        begin = _begin(widths, recipe.wide)
        if sum((a + task.bias) * b for a, b in pairwise(begin)) > len(task.y):
            continue
        if found := smallest(widths, GROUP):
            break
    else:
        raise ValueError(
            f"{task.function.name} was given without widths, and none were found: no network was exact among "
            f"{GROUP} attempts each with {', '.join(str(t.widths) for t in tried)}"
        )
    while not _proved_smallest(found, task.function):
        hidden = sorted(range(1, len(found.widths) - 1), key=lambda k: -found.widths[k])
        fewer = [tuple(n - (k == layer) for k, n in enumerate(found.widths)) for layer in hidden]
        smaller = next(filter(None, (smallest(w, recipe.attempts) for w in fewer if min(w) > 0)), None)
        if smaller is None:
            break
        found = smaller
    return found.widths


def _proved_smallest(network: Network, function: Function) -> bool:
    """Whether it is proved that no network of one hidden layer is the function in fewer units."""
    if len(network.widths) != 3 or function.domain is not None:
        return False
    rounded, distance = snap(network, max_denominator=DENOMINATOR)
    return distance < NEAR and bool(prove_equal(rounded, function)) and fewest_units(rounded) == network.widths[1]


def stream(*numbers: int) -> int:
    """Return the seed that the attempt of a seed draws its initial weights from; attempt 0 draws from the seed itself.

    torch's generator reads 32 bits of it.

    >>> stream(7, 0), stream(7, 1), stream(8, 1)
    (7, 369571992, 3990686019)
    """
    if numbers[1:] == (0,):
        return int(numbers[0])
    return int(np.random.SeedSequence([int(n) for n in numbers]).generate_state(1)[0])


def _begin(widths: tuple[int, ...], wide: float) -> tuple[int, ...]:
    return (widths[0], *(math.ceil(wide * n) for n in widths[1:-1]), widths[-1])


def _attempt(task: _Task, names: list[int], widths: tuple[int, ...], recipe: Recipe) -> list[torch.Tensor]:
    """Draw and train one network a name.

    Returns the losses and the steps so far, (n_seeds, 4), the initial weights and biases, the final weights and biases,
    a tensor a layer, and whether a hidden layer is silent.
    """
    drawn, depth, done = draw_initial(task.init, names, _begin(widths, recipe.wide), task.bias), len(widths) - 1, []
    matrices = [w.double() for w in drawn[:depth]]
    if task.bias:
        matrices = [torch.cat([w, b.double()[..., None]], 2) for w, b in zip(matrices, drawn[depth:], strict=True)]
    for rows in np.array_split(np.arange(len(drawn[0])), -(-len(drawn[0]) // GROUP)):
        start, steps = [w[rows] for w in matrices], torch.zeros(len(rows), dtype=torch.int64)
        stages, counts = [start], [steps.clone()]
        weights = _descend(start, task.x, task.y, recipe.fit, recipe.decay, steps)
        stages, counts = [*stages, weights], [*counts, steps.clone()]
        while (sizes := [w.shape[1] for w in weights]) != [*widths[1:]]:
            layer = max(range(depth - 1), key=lambda k: sizes[k] / widths[k + 1])
            weights = _prune(weights, task.x, layer, recipe, steps)
            weights = _descend(weights, task.x, task.y, recipe.repair, recipe.decay, steps)
        stages, counts = [*stages, weights], [*counts, steps.clone()]
        weights = _descend(weights, task.x, task.y, recipe.polish, 0.0, steps)
        weights = _simplify(weights, task.x, task.y, recipe.repair, steps) if recipe.simplify else weights
        stages, counts = [*stages, weights], [*counts, steps]
        layers = [_layers(stage, task.held_out) for stage in stages]
        losses = [(values[-1].flatten(1) - task.values).square().mean(1) for values in layers]
        active = [h.amax((1, 2)) for h in layers[-1][1:-1]]
        silent = torch.stack([*active, torch.ones(len(rows))]).amin(0) <= 0
        ends = [t for stage in (start, weights) for t in _split(stage, task.bias)]
        done.append([torch.stack(losses, 1), torch.stack(counts, 1), *ends, silent])
    return [torch.cat(parts)[: len(names)] for parts in zip(*done, strict=True)]  # without the double of a lone seed


def _split(weights: Weights, bias: bool) -> list[torch.Tensor]:
    """The weights and then the biases of every layer."""
    if bias:
        return [w[..., :-1] for w in weights] + [w[..., -1] for w in weights]
    return weights + [torch.zeros_like(w[..., 0]) for w in weights]


def _prune(weights: Weights, x, layer: int, recipe: Recipe, steps) -> Weights:
    """Remove from a hidden layer of every seed the unit that costs least, or the first."""
    units, n_in = weights[layer].shape[1:]
    if recipe.prune == "first":
        weights = [*weights]
        weights[layer], weights[layer + 1] = weights[layer][:, 1:], weights[layer + 1][..., 1:]
        return weights
    places = _unflatten(torch.arange(_flatten(weights).shape[1])[None], weights)
    incoming, outgoing = places[layer][0], places[layer + 1][0, :, :units].T
    steps += 1
    parameters, unit = _remove(weights, x, recipe.decay, torch.cat([incoming, outgoing], 1), zeroed=slice(n_in, None))
    weights = _unflatten(parameters, weights)
    columns = weights[layer + 1].shape[2]  # one more than units if the last are biases
    kept = torch.arange(columns - 1).expand(len(unit), -1)
    kept = kept + (kept >= unit[:, None])
    weights[layer] = weights[layer].gather(1, kept[:, : units - 1, None].expand(-1, -1, n_in))
    weights[layer + 1] = weights[layer + 1].gather(2, kept[:, None].expand(-1, weights[layer + 1].shape[1], -1))
    return weights


def _simplify(weights: Weights, x, y, repair: int, steps) -> Weights:
    """Set weights to zero, the cheapest first, for as long as the network stays exact; leave it if it is not exact."""
    rows = (_loss(weights, x, y) < EXACT).nonzero()[:, 0]
    rows = rows.repeat(2) if len(rows) == 1 else rows  # as in draw_initial: never a product of one matrix alone
    part, counted = [w[rows] for w in weights], steps[rows]
    single = torch.arange(_flatten(part).shape[1])[:, None]
    free = torch.ones(len(rows), len(single), dtype=torch.bool)
    untried = before = free
    while untried.any():
        active, made = untried.any(1), torch.ones_like(counted)  # one for what the removal evaluates
        parameters, chosen = _remove(part, x, 0.0, single, slice(None), free, untried)
        fewer = free.scatter(1, chosen[:, None], False)
        trial = _descend(_unflatten(parameters * fewer, part), x, y, repair, 0.0, made, fewer)
        counted += made * active
        works = (_loss(trial, x, y) < EXACT) & active
        part = [torch.where(works[:, None, None], new, old) for new, old in zip(trial, part, strict=True)]
        free, untried = torch.where(works[:, None], fewer, free), untried & fewer
        again = ~untried.any(1) & (free != before).any(1)  # what was needed may not be so any more
        untried, before = (torch.where(again[:, None], free, old) for old in (untried, before))
    steps[rows] = counted
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


def _descend(weights: Weights, x, y, most: int, decay: float, steps, free=None) -> Weights:
    """Take damped Gauss-Newton steps on mean (f - y)² + decay Σ w², full batch, and only those that go down.

    The steps of every seed, ``most`` at most, are added to ``steps``. A seed at rest stays as it is. Once half of them
    are, they are left out of the computation; but never all but one, for a product of one matrix is rounded otherwise.
    """
    result, going = [w.clone() for w in weights], torch.arange(len(weights[0]))
    state = _state(weights, x, y, decay)
    mark, since = state[0], torch.zeros(len(going))
    damping, moving = torch.full((len(going), 1), 1e-3, dtype=y.dtype), mark > REST
    for _ in range(most):
        if not moving.any():
            break
        steps[going] += moving
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


def fewest_units(network: Network) -> int:
    """Return the fewest units of one hidden layer that compute, on all real inputs, what this exact network computes.

    The function bends along K planes, by κ_k at n_k · x = t_k, and each plane needs a unit, which faces one of two
    ways: κ relu(-z) = κ relu(z) - κ z. What is missing then is a linear map. Units on both sides of plane k make any
    multiple of n_k · x, for one unit more; whatever is left takes two units for each dimension of its rank. (For one
    output: Dereich and Kassing 2021, "On minimal representations of shallow ReLU networks". Notebook A1 proves it.)

    Raises:
        TypeError: what is no network, or one of floats. ValueError: more or fewer hidden layers.

    >>> from mathcircuits import circuits
    >>> doubled = 2 * circuits.minimum() + circuits.addition()
    >>> doubled.widths, fewest_units(doubled), fewest_units(circuits.minimum() - circuits.minimum_mirror())
    ((2, 5, 1), 3, 0)
    """
    planes, rest, _ = planes_of(network)
    both, turned = smallest_choice(planes, rest)
    left = rest + sum(np.outer(planes[k][2], planes[k][0]) for k in turned)
    free = [planes[k][0] for k in both]
    return len(planes) + len(both) + 2 * (_rank([*left, *free]) - _rank(free))


def planes_of(network: Network) -> tuple[list[tuple[np.ndarray, Fraction, np.ndarray]], np.ndarray, np.ndarray]:
    """Return what an exact network of one hidden layer computes: where it bends, and what is affine besides.

    It is Σ bend · relu(normal · x + offset) + rest · x + constant: the triples (normal, offset, bend), the matrix rest
    and the vector constant. Normals are distinct, each with a first entry of 1.
    """
    instance("the network", network, Network)
    if not network.exact:
        raise TypeError("a float network was given; wanted an exact one (snap it first)")
    if len(network.weights) != 2:
        raise ValueError(f"a network of widths {network.widths} was given; wanted one hidden layer")
    bends, rest = {}, Fraction(0) * network.weights[1] @ network.weights[0]
    constant = network.biases[1] + Fraction(0)
    for row, offset, column in zip(network.weights[0], network.biases[0], network.weights[1].T, strict=True):
        first = next((v for v in row if v), None)
        if first is None:  # the unit is constant
            constant = constant + column * max(offset, 0)
            continue
        plane = (*(row / first), offset / first)
        bends[plane] = bends.get(plane, 0) + abs(first) * column
        if first < 0:  # relu(-z) = relu(z) - z
            rest, constant = rest + np.outer(column, row), constant + column * offset
    planes = [(np.array(plane[:-1]), plane[-1], bend) for plane, bend in bends.items() if bend.any()]
    return planes, rest, constant


def smallest_choice(planes: list, rest: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which planes have units on both sides in a smallest network, and which a unit on the other side.

    >>> from mathcircuits import circuits
    >>> smallest_choice(*planes_of(circuits.absolute_value())[:2])
    ((0,), ())
    """
    fewest, best = 2 * _rank(rest), ((), ())
    for doubled in range(len(planes) + 1):
        if doubled and doubled >= fewest:
            break
        for both in combinations(range(len(planes)), doubled):
            free = [planes[k][0] for k in both]
            others = [k for k in range(len(planes)) if k not in both]
            for turns in product((False, True), repeat=len(others)):
                turned = tuple(k for k, turn in zip(others, turns, strict=True) if turn)
                left = rest + sum(np.outer(planes[k][2], planes[k][0]) for k in turned)
                units = doubled + 2 * (_rank([*left, *free]) - _rank(free))
                if units < fewest:
                    fewest, best = units, (both, turned)
    return best


def _rank(rows: Iterable[np.ndarray]) -> int:
    """Of a matrix of Fractions, by elimination."""
    rows, rank = list(rows), 0
    while rows:
        row = rows.pop()
        pivots = np.flatnonzero(row)
        if len(pivots):
            rank += 1
            rows = [other - other[pivots[0]] / row[pivots[0]] * row for other in rows]
    return rank
