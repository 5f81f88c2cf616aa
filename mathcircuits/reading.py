"""From weights to words: which feature is each hidden unit, which circuits do they make, which function is it.

Read off the weights, without data: only the network itself is evaluated, on the box. Units that are always or never on
there bend nothing. Canonical form, small fractions, the form of the function, a proof: each is
another module's; what is here is the order in which they are tried, how near is near enough, and the words.
"""

from __future__ import annotations

import html
import itertools
import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_

import numpy as np
import torch

from mathcircuits import checks
from mathcircuits.forms import FunctionForm, Kink, canonical, function_form, lines, merge_layers, snap
from mathcircuits.functions import FUNCTIONS, Function
from mathcircuits.naming import Circuit, Neuron, formula, listed, name_units, nearest, number, shortened, sum_of_inputs
from mathcircuits.network import Network
from mathcircuits.proof import Proof, prove_equal

ROUNDING = 1e-12  # errors below this are those of float64


@dataclass(frozen=True, eq=False)
class Reading:
    """What ``read`` found. Printed, it is a paragraph; in Jupyter, a table as well.

    Attributes:
        given: the network that was read, its units named.
        neurons: one record for each of its hidden units.
        circuits: what they do together, layer by layer.
        network: the small exact network that it comes down to, units named; None if it is near none.
        function: the name in FUNCTIONS of what ``network`` is proved to be, or None.
        proof: that proof, which is about ``network``; its claim says whether it holds for all real inputs or on the
            box. None if no function fits; one that says "undecided" if the time ran out.
        form: the canonical form of the function (of ``network`` if there is one, else as it was learned); None for
            more than one hidden layer or output.
        formula: what was read, in closed form (with three decimals if ``network`` is None).
        error: the largest difference on the box between the network given and what was read. For one hidden layer
            the crossings of the kinks are tried (if they are at most 20,000), so it is the largest there is; else it
            is the largest on a grid of about 2,000 inputs, corners included.
        converged: whether the network given is near a small exact one.
        box: (low, high) of each input.
    """

    given: Network
    neurons: tuple[Neuron, ...]
    circuits: tuple[Circuit, ...]
    network: Network | None
    function: str | None
    proof: Proof | None
    form: FunctionForm | None = field(repr=False)
    formula: str
    error: float
    converged: bool
    box: tuple[tuple, ...]

    def __str__(self) -> str:
        ends = [f"[{float(low):g}, {float(high):g}]" for low, high in self.box]
        where = ends[0] + (f"^{len(ends)}" if len(ends) > 1 else "") if len(set(ends)) == 1 else " × ".join(ends)
        words, read_as = [f"A network of widths {self.given.widths}."], shortened(self.formula)
        if self.error < ROUNDING:
            words.append(f"On {where} it is {read_as}{', up to rounding' if self.error else ''}.")
        else:
            words.append(f"It approximates {read_as}, with errors up to about {self.error:.1g} on {where}.")
        if self.proof:
            words.append(f"Proved: {self.proof.claim.replace('the network', 'this formula').replace('_', ' ')}.")
        elif self.proof is not None:
            words.append(f"That is {self.proof}.".replace("_", " "))
        elif self.converged:
            words.append("That is none of the functions in the library.")
        else:
            words.append("It has not converged, or is of another kind: it is near no network of small fractions.")
        if not self.function and self.form and 0 < len(self.form.kinks) <= 4:
            words.append(f"It bends {listed([_kink(kink) for kink in self.form.kinks])}.")
        for layer in range(1, len(self.given.weights)):
            found = [f"{c.name} ({_units_of(c)})" for c in self.circuits if c.layer == layer]
            words.append(f"Layer {layer}: {shortened('; '.join(found) or 'nothing that counts', 300)}.")
        return textwrap.fill(" ".join(words).replace("-", "−"), 96, break_long_words=False)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = ("layer", "unit", "what it is", "direction, bias", "scale", "distance")
        rows = [
            (n.layer, n.index, n.name, ", ".join(map(number, n.direction)), f"{n.scale:.3f}", f"{n.distance:.1e}")
            for n in self.neurons
        ]
        cells = ["".join(f"<td>{html.escape(str(v))}</td>" for v in row) for row in rows]
        table = "".join(f"<tr>{row}</tr>" for row in ["".join(f"<th>{v}</th>" for v in head), *cells])
        return f"<p>{html.escape(str(self))}</p><table>{table}</table>"


def read(
    network,
    *,
    box=(-1, 1),
    tolerances: Sequence[float] = (1e-3, 1e-2, 5e-2),
    nearness: float = 0.02,
    max_denominator: int = 4,
) -> Reading:
    """Read a ReLU network: name its units and circuits, reduce it, write it out, and prove what function it is.

    Args:
        network: a Network; a ``torch.nn.Sequential`` of Linear and ReLU; its ``state_dict``; a list of matrices
            of shapes (out, in); or (matrices, biases). A state_dict does not say what stands between its layers:
            ReLU is assumed.
        box: (low, high) of every input, or one pair for each; what is read holds there.
        tolerances: errors of the function on the box. Float networks are read at the first at which it can be done:
            what makes less difference is left out, and the exact network must come as near. Exact networks are
            read exactly. The last of the defaults is from measurement: trained networks of six functions with a loss
            below 1e-6 (SGD, Adam, weight decay, 2 to 32 units) had errors up to 0.02, noise of 1e-3 in all weights of
            networks widened to 32 units a layer gave up to 0.06, and of 1,200 random networks none came within 0.05 of
            a function of the library. (One input and few units are soon near small fractions by chance, however.)
        nearness: how far direction and coefficients of a unit may be from small fractions to be named by them. Of the
            smallest networks with such a loss no direction was farther than 0.004, with noise of 1e-3 than 0.005.
        max_denominator: of small fractions, in weights and in what is read.

    Raises:
        TypeError: something that is no such network; options that are no numbers.
        ValueError: matrices that do not fit together; an empty or unbounded box; numbers out of range.

    >>> from mathcircuits import circuits
    >>> reading = read(circuits.minimum_mirror().to_float())
    >>> reading.function, reading.formula
    ('minimum', 'x2 − relu(x2 − x1)')
    >>> [neuron.name for neuron in reading.neurons]
    ['greaterness of x2 over x1', 'positiveness of x2', 'negativeness of x2']
    """
    given = _network(network)
    box = tuple(tuple(map(_plainest, ends)) for ends in checks.box(box, given.arity))
    several = [tolerances] if np.ndim(tolerances) == 0 else tolerances
    tolerances = sorted(checks.number("the tolerance", t, at_least=0) for t in several)
    if not tolerances:
        raise ValueError("an empty list of tolerances was given; wanted at least one")
    nearness = checks.number("nearness", nearness, at_least=0)
    max_denominator = checks.integer("max_denominator", max_denominator, at_least=1)
    slack, exact, error = _reduced(given, box, tolerances, max_denominator)
    if exact is not None:
        found, (function, proof) = _named(exact, box), _identified(exact, box)
    else:
        found, function, proof = _in_decimals(given, box, slack), None, None
        error = _largest_error(given, found, box)
    form = function_form(found, tolerance=slack) if _one_layer(found) else None
    names, neurons, circuits = name_units(given, box, slack, 0 if given.exact else nearness, max_denominator)
    return Reading(
        given=Network(given.weights, given.biases, names),
        neurons=neurons,
        circuits=circuits,
        network=None if exact is None else found,
        function=function,
        proof=proof,
        form=form,
        formula=formula(found),
        error=error,
        converged=exact is not None,
        box=box,
    )


# --- what was given ---------------------------------------------------------------------------------------------------


def _plainest(end):
    """The same number as an int, else as a float, else as it is: numbers that are equal are written in one way."""
    return int(end) if end == int(end) else float(end) if end == float(end) else end


def _network(given) -> Network:
    if isinstance(given, Network):
        return given
    if isinstance(given, torch.nn.Module | Mapping):
        entries = given if isinstance(given, Mapping) else given.state_dict()
        if not all(isinstance(t, torch.Tensor | np.ndarray) for t in entries.values()):
            raise TypeError("a dictionary of other things than tensors was given; wanted a state_dict")
        if any(torch.as_tensor(t).is_complex() for t in entries.values()):
            raise TypeError("complex weights were given; wanted real ones")
        return _from_state(given) if isinstance(given, Mapping) else Network.from_torch(given)
    depth = _depth(given[0]) if isinstance(given, list | tuple) and len(given) else 0
    if depth == 3 and len(given) == 2:
        return Network(*given)
    if depth == 2 or isinstance(given, np.ndarray | torch.Tensor) and given.ndim == 3:
        return Network(given)
    hint = "; torch.load(file, weights_only=True) gives what a file holds" * isinstance(given, str | os.PathLike)
    raise TypeError(
        f"{type(given).__name__} was given; wanted a Network, a torch.nn.Sequential, its state_dict, a list of "
        f"matrices, or (matrices, biases){hint}"
    )


def _depth(value) -> int:
    if isinstance(value, list | tuple):
        return 1 + _depth(value[0]) if value else 1
    return np.ndim(value)


def _from_state(state: Mapping) -> Network:
    weights, biases = {}, {}
    for key, value in state.items():
        layer, _, kind = str(key).rpartition(".")
        if (kind, value.ndim) not in (("weight", 2), ("bias", 1)):
            raise ValueError(f"a state_dict with {key} of shape {tuple(value.shape)} was given; wanted Linear layers")
        (weights if kind == "weight" else biases)[layer] = torch.as_tensor(value).double()
    if not weights or not biases.keys() <= weights.keys():
        raise ValueError("a state_dict without weights was given; wanted Linear layers")
    return Network(weights.values(), [biases.get(k, torch.zeros(len(w))).double() for k, w in weights.items()])


# --- what it comes down to --------------------------------------------------------------------------------------------


def _one_layer(network: Network) -> bool:
    return len(network.weights) == 2 and network.widths[-1] == 1


def _reduced(given: Network, box, tolerances, max_denominator) -> tuple[float, Network | None, float]:
    """The tolerance at which it can be read, the exact network, and how far it is from the given one on the box."""
    if given.exact:
        return 0, _simplest(canonical(given), box), 0.0
    errors: dict[Network, float] = {}
    for slack in tolerances:
        for exact in _candidates(given, box, slack, max_denominator):
            errors[exact] = _largest_error(given, exact, box)
            if errors[exact] <= slack and _identified(exact, box)[0]:
                return slack, exact, errors[exact]
        nearest = min(errors, key=errors.get)
        if errors[nearest] <= slack:
            return slack, nearest, errors[nearest]
    return tolerances[0], None, math.inf


def _candidates(given: Network, box, slack, max_denominator) -> Iterator[Network]:
    """Exact networks that it may be: by rounding its own canonical form, and by rounding that of its function."""
    own = canonical(_levelled(given), tolerance=slack)
    yield _simplest(canonical(snap(own, max_denominator=max_denominator).network), box)
    if len(given.weights) == 2:
        rounded = []
        for output in _outputs(given):
            form = _sparse(output, box, slack)
            kinks = [Kink(nearest(k.normal, max_denominator), *nearest(k[1:], max_denominator)) for k in form.kinks]
            slope, constant = nearest(form.slope, max_denominator), *nearest([form.constant], max_denominator)
            rounded.append(FunctionForm(constant, slope, tuple(kinks)).to_network())
        yield _joined([function_form(output, box=box).to_network() for output in rounded])


def _outputs(network: Network) -> list[Network]:
    """Each output alone, of a network of one hidden layer."""
    (hidden, output), (shift, constant) = network.weights, network.biases
    return [Network([hidden, output[[i]]], [shift, constant[[i]]]) for i in range(len(output))]


def _joined(outputs: list[Network]) -> Network:
    """One network of several of one output each: they read the same inputs, and share what units they can."""
    same = Network([np.tile(np.eye(outputs[0].arity, dtype=int), (len(outputs), 1))])
    return canonical(reduce(or_, outputs) @ same, tolerance=0)


def _levelled(network: Network) -> Network:
    """The same network, outgoing weights at most 1: how much a unit counts is then in its incoming weights."""
    weights, biases = list(network.weights), list(network.biases)
    for k in reversed(range(len(weights) - 1)):
        size = abs(weights[k + 1]).max(axis=0)
        size = np.where(size == 0, 1, size)
        weights[k + 1], weights[k], biases[k] = weights[k + 1] / size, weights[k] * size[:, None], biases[k] * size
    return Network(weights, biases)


def _sparse(given: Network, box, slack) -> FunctionForm:
    """The form of its function with as few of its kinks as keep it within slack: in a wide network they cancel jointly.

    Fitted by least squares on a grid; the kink that is missed least is left out, for as long as the root mean
    squared error stays below a third of slack.
    """
    kinks, points, fixed = function_form(given, box=box).kinks, _grid(box), given.arity + 1
    bends = [np.maximum(points @ kink.normal - kink.offset, 0) for kink in kinks]
    columns, values = np.column_stack([np.ones(len(points)), points, *bends]), given.activations(*points.T)[-1][0]
    products, sums = columns.T @ columns / len(points), columns.T @ values / len(points)
    kept = np.arange(len(sums))
    while True:
        inverse = np.linalg.pinv(products[np.ix_(kept, kept)], hermitian=True)
        fit = inverse @ sums[kept]
        # What it adds to the mean squared error to leave one out.
        missed = (fit**2 / np.maximum(np.diag(inverse), 1e-300))[fixed:]
        error = np.mean((columns[:, kept] @ fit - values) ** 2)
        if not len(missed) or error + missed.min() > (slack / 3) ** 2:
            break
        kept = np.delete(kept, fixed + missed.argmin())
    constant, *slope = fit[:fixed].tolist()
    left = [kinks[k - fixed]._replace(bend=bend) for k, bend in zip(kept[fixed:], fit[fixed:].tolist(), strict=True)]
    return FunctionForm(constant, tuple(slope), tuple(left))


def _grid(box, n: int = 2000) -> np.ndarray:
    """About n inputs, shape (_, arity): evenly over the box, corners included; of over ten inputs, at random."""
    low, high = np.array(box, dtype=float).T
    if len(low) > 10:
        return np.random.default_rng(0).uniform(low, high, (n, len(low)))
    axes = [np.linspace(0, 1, round(n ** (1 / len(low))))] * len(low)
    return low + (high - low) * np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(low))


@lru_cache(maxsize=4096)
def _simplest(exact: Network, box) -> Network:
    """An equal network, on the box, without layers and units that are of no use there."""
    if len(exact.weights) > 2:
        exact = canonical(merge_layers(exact))
    if len(exact.weights) != 2:
        return exact
    forms = [function_form(output, box=box) for output in _outputs(exact)]
    bends = {kink[:2] for form in forms for kink in form.kinks}
    rows = np.column_stack([exact.weights[0], exact.biases[0]])
    # As it is, if it has no unit that is linear on the box, and no more lines than its functions need.
    direct = len(lines(rows, np.ones(len(rows)), 0)) <= len(bends) + len(forms)
    if direct and forms == [function_form(output) for output in _outputs(exact)]:
        return exact
    return _joined([form.to_network() for form in forms])


def _identified(exact: Network, box) -> tuple[str | None, Proof | None]:
    """The function of the library that an exact network is proved to be: on its domain, or else on the box."""
    return _proved(exact, box, tuple(FUNCTIONS.values()))


@lru_cache(maxsize=4096)  # thousands of trained networks come down to a few exact ones
def _proved(exact: Network, box, functions: tuple[Function, ...]) -> tuple[str | None, Proof | None]:
    alike = [f for f in functions if (f.arity, f.widths[-1]) == (exact.arity, exact.widths[-1])]
    real = [f for f in alike if _hull(f) is None]
    # What holds on few points or a small part is soon met by chance: functions of bits, say, are tried only if the box
    # is within [0, 1], and a function is tried on the box alone only if that holds all its usual inputs.
    partial = [f for f in alike if f not in real and _within(box, _hull(f))]
    usual = [f for f in real if _within([(f.low, f.high)] * f.arity, box)]
    inside, undecided = np.random.default_rng(0).uniform(*np.array(box, dtype=float).T, (20, exact.arity)), None
    for function, where in [(f, None) for f in real + partial] + [(f, box) for f in usual]:
        points = function.sample(np.random.default_rng(0), 20) if function in partial else inside
        if np.allclose(exact(*points.T), function(*points.T)):
            proof = prove_equal(exact, function, box=where)
            if proof:
                return function.name, proof
            undecided = proof if proof.status == "undecided" else undecided
    return None, undecided


def _hull(function: Function) -> list[tuple] | None:
    """The least box around the domain of a function, or None if that is all real inputs."""
    sets = function.domain
    return sets and [(min(low for low, _ in ends), max(high for _, high in ends)) for ends in sets]


def _within(inner, outer) -> bool:
    return all(a <= c and d <= b for (c, d), (a, b) in zip(inner, outer, strict=True))


@lru_cache(maxsize=4096)
def _named(exact: Network, box) -> Network:
    return Network(exact.weights, exact.biases, name_units(exact, box, 0, 0, 1)[0])


def _in_decimals(given: Network, box, slack) -> Network:
    if len(given.weights) != 2:
        return canonical(given)
    return _joined([_sparse(output, box, slack).to_network() for output in _outputs(given)])


def _largest_error(given: Network, other: Network, box) -> float:
    """Where the difference of two networks of one hidden layer is largest, as many kinks cross as there are inputs."""
    n, (low, high) = given.arity, np.array(box, dtype=float).T
    points = _grid(box)
    if len(given.weights) == len(other.weights) == 2:
        kinks = [np.column_stack([m.weights[0], m.biases[0]]).astype(float) for m in (given, other)]
        planes = np.vstack([*kinks, *(np.column_stack([np.eye(n), -end]) for end in (low, high))])
        if math.comb(len(planes), n) <= 20_000:
            chosen = planes[list(itertools.combinations(range(len(planes)), n))]
            chosen = chosen[abs(np.linalg.det(chosen[..., :-1])) > 1e-12]
            crossings = np.linalg.solve(chosen[..., :-1], -chosen[..., -1:])[..., 0]
            held = np.clip(crossings, low, high)  # those on a face of the box are beside it by a rounding error
            points = np.vstack([points, held[(abs(held - crossings) < 1e-9 * (high - low)).all(axis=1)]])
    return float(abs(given.activations(*points.T)[-1] - other.activations(*points.T)[-1]).max())


# --- words ---------------------------------------------------------------------------------------------------------


def _units_of(circuit: Circuit) -> str:
    return ("units " if len(circuit.units) > 1 else "unit ") + listed([str(unit) for unit in circuit.units])


def _kink(kink: Kink) -> str:
    return f"along {sum_of_inputs(kink.normal)} = {number(kink.offset)} (by {number(kink.bend)})"
