"""From weights to words: which feature is each hidden unit, which circuits do they make, which function is it.

Read off the weights, without data: only the network itself is evaluated, on the box. Units that are always or never on
there bend nothing. Canonical form, small fractions, the form of the function, a proof: each is
another module's; what is here is the order in which they are tried, how near is near enough, and the words.
"""

from __future__ import annotations

import html
import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, reduce
from operator import or_

import numpy as np

from mathcircuits import checks
from mathcircuits import circuits as hand_made
from mathcircuits.certificates import prove_close
from mathcircuits.forms import FunctionForm, Kink, canonical, function_form, lines, merge_layers, snap, spread
from mathcircuits.functions import FUNCTIONS, Function
from mathcircuits.naming import (
    LARGEST,
    Circuit,
    Neuron,
    formula,
    listed,
    name_units,
    nearest,
    number,
    shortened,
    sum_of_inputs,
)
from mathcircuits.network import Network
from mathcircuits.proof import Proof, prove_equal

ROUNDING = 1e-12  # errors below this are those of float64
FINISHED = 2e-3  # the root mean squared error at which training is taken to have arrived
NEAR = 0.05  # kinks of a noisy circuit are as near to those of the circuit, or bend no more
UNITS = 48  # hidden units of a deep network up to which its exact bound is looked for
CELLS = 500  # for the exact bound of a deep network


@dataclass(frozen=True, eq=False)
class Reading:
    """What ``read`` found. Printed, it is a paragraph; in Jupyter, a table as well.

    Attributes:
        given: the network that was read, its units named.
        neurons: one record for each of its hidden units.
        circuits: what they do together, layer by layer.
        network: the small exact network that it comes down to, units named; None if it is near none.
        function: the name of the function that ``network`` is proved to be, or None.
        proof: that proof, which is about ``network``; its claim says where it holds: for all real inputs, on the
            box, or on bits. None if no function fits; one that says "undecided" if the time ran out.
        form: the canonical form of the function (of ``network`` if there is one, else as it was learned); None for
            more than one hidden layer or output.
        formula: what was read, in closed form: in decimals if ``network`` is None, and cut if it is long.
        error: the largest difference that was found on the box between the network given and what was read.
        bounded: whether there is no larger one: always so for one hidden layer (up to rounding, if there are at most
            20,000 crossings of kinks); for more if the cells of ``prove_close`` were enough. Else it is the largest
            of about 2,000 inputs, corners included.
        pieces: how many linear pieces it has on the box at least: so many were met on those inputs.
        by: "weights" if the units themselves come down to ``network``; "function" if only what they compute does, so
            that the circuit inside may be another. None if there is no ``network``.
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
    bounded: bool
    pieces: int
    by: str | None
    box: tuple[tuple, ...]

    def __str__(self) -> str:
        ends = [f"[{float(low):g}, {float(high):g}]" for low, high in self.box]
        where = ends[0] + (f"^{len(ends)}" if len(ends) > 1 else "") if len(set(ends)) == 1 else " × ".join(ends)
        words, read_as = [f"A network of widths {self.given.widths}."], shortened(self.formula)
        deep = len(self.given.weights) > 2
        if not read_as:
            words.append(f"On {where} it has at least {self.pieces} linear pieces: too many to write down.")
        elif self.error < ROUNDING:
            words.append(f"On {where} it is {read_as}{', up to rounding' if self.error else ''}.")
        else:
            proved = " (a proved bound)" * (deep and self.bounded)
            words.append(f"It approximates {read_as}, with errors up to about {self.error:.1g}{proved} on {where}.")
        if self.proof:
            words.append(f"Proved: {self.proof.claim.replace('the network', 'this formula').replace('_', ' ')}.")
        elif self.proof is not None:
            words.append(f"That is {self.proof}.".replace("_", " "))
        elif self.network is not None:
            words.append("That is none of the functions in the library.")
        elif read_as:
            words.append("It is near no network of small fractions.")
        if not self.function and self.form and 0 < len(self.form.kinks) <= 4:
            words.append(f"It bends {listed([_kink(kink) for kink in self.form.kinks])}.")
        if self.by == "function" and deep:
            words.append("That is its function; its circuit is not one of ours.")
        else:
            for layer in range(1, len(self.given.weights)):
                words.append(f"Layer {layer}: {self._layer(layer)}.")
        return textwrap.fill(" ".join(words).replace("-", "−"), 96, break_long_words=False)

    __repr__ = __str__

    def _layer(self, layer: int) -> str:
        found = [f"{c.name} ({_units_of(c)})" for c in self.circuits if c.layer == layer]
        if len(found) <= 8:
            return shortened("; ".join(found) or "nothing that counts", 300)
        kinds = [n.kind if n.kind in ("dead", "always on") else "bend" for n in self.neurons if n.layer == layer]
        counts = [(kinds.count(kind), kind.replace("dead", "never on")) for kind in ("bend", "always on", "dead")]
        return f"{len(kinds)} units: {listed([f'{n} {kind}' for n, kind in counts if n])}"

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
    function: Function | None = None,
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
        function: one of your own, to be looked for before those of the library.
        box: (low, high) of every input, or one pair for each; what is read holds there.
        tolerances: errors of the function on the box. Float networks are read at the first at which it can be done:
            what makes less difference is left out, and the exact network must come as near. It must also be within
            what the network's own numbers scatter: 0.98 \\|x\\|, learned to a thousandth, is not \\|x\\|. Exact
            networks are read exactly. The last of the defaults is from measurement: networks of six functions with
            a loss below 1e-6 (SGD, Adam, weight decay, 2 to 32 units) had errors up to 0.02, noise of 1e-3 in all
            weights of networks widened to 32 units a layer gave up to 0.06, and of 1,200 random networks none came
            within 0.05 of a function of the library. (One input and few units are soon near small fractions by chance,
            however.)
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
    given = network if isinstance(network, Network) else Network.from_torch(network)
    box = tuple(tuple(map(_plainest, ends)) for ends in checks.box(box, given.arity))
    several = [tolerances] if np.ndim(tolerances) == 0 else tolerances
    tolerances = sorted(checks.number("the tolerance", t, at_least=0) for t in several)
    if not tolerances:
        raise ValueError("an empty list of tolerances was given; wanted at least one")
    nearness = checks.number("nearness", nearness, at_least=0)
    max_denominator = checks.integer("max_denominator", max_denominator, at_least=1)
    library = tuple(FUNCTIONS.values())
    if function is not None:
        library = (checks.instance("the function", function, Function), *library)
    slack, exact, error, by = _reduced(given, box, tolerances, max_denominator, library)
    pieces = _pieces(given, _grid(box))
    bounded, known, proof = len(given.weights) <= 2 or given.exact, None, None
    if exact is not None:
        found, (known, proof) = _named(exact, box), _identified(exact, box, library)
        if known and not bounded and given.widths[-1] == 1:
            target = next(f for f in library if f.name == known)
            if target.domain is None and sum(given.widths[1:-1]) <= UNITS:
                close = prove_close(given, target, box, cells=CELLS)
                bounded, error = close.verdict != "undecided", max(error, _above(close.bound))
    else:
        found, error = _in_decimals(given, box, slack), 0.0
        error = math.inf if found is None else _largest_error(given, found, box)
    form = function_form(found, tolerance=slack) if found is not None and _one_layer(found) else None
    names, neurons, circuits = name_units(given, box, slack, 0 if given.exact else nearness, max_denominator)
    return Reading(
        given=Network(given.weights, given.biases, names),
        neurons=neurons,
        circuits=circuits,
        network=None if exact is None else found,
        function=known,
        proof=proof,
        form=form,
        formula="" if found is None else formula(found),
        error=error,
        bounded=bounded,
        pieces=pieces,
        by=by,
        box=box,
    )


def _plainest(end):
    """The same number as an int, else as a float, else as it is: numbers that are equal are written in one way."""
    return int(end) if end == int(end) else float(end) if end == float(end) else end


def _above(bound) -> float:
    """The least float that is no smaller."""
    return float(bound) if float(bound) >= bound else math.nextafter(float(bound), math.inf)


# --- what it comes down to --------------------------------------------------------------------------------------------


def _one_layer(network: Network) -> bool:
    return len(network.weights) == 2 and network.widths[-1] == 1


def _reduced(given: Network, box, tolerances, max_denominator, library) -> tuple:
    """The tolerance at which it can be read, the exact network, its distance on the box, and what shows it."""
    if given.exact:
        return 0, _simplest(canonical(given), box), 0.0, "weights"
    for slack in tolerances:
        near = []
        for exact, by in _candidates(given, box, slack, max_denominator, library):
            error = _largest_error(given, exact, box)
            if error <= slack and _precise(given, exact, box, _tidy(given, exact, box, slack, by)):
                if _identified(exact, box, library)[0]:
                    return slack, exact, error, by
                near.append((error, slack, exact, by))
        if near:
            error, slack, exact, by = min(near, key=lambda found: found[0])
            return slack, exact, error, by
    return tolerances[0], None, math.inf, None


def _candidates(given: Network, box, slack, max_denominator, library) -> Iterator[tuple[Network, str]]:
    """Exact networks that it may be: by rounding its own canonical form, and by rounding that of its function."""
    own = canonical(_levelled(given), tolerance=slack)
    yield _simplest(canonical(snap(own, max_denominator=max_denominator).network), box), "weights"
    forms = [_sparse(given, box, slack, k) for k in range(given.widths[-1])]
    rounded = []
    for form, _ in forms:
        kinks = [Kink(nearest(k.normal, max_denominator), *nearest(k[1:], max_denominator)) for k in form.kinks]
        slope, constant = nearest(form.slope, max_denominator), *nearest([form.constant], max_denominator)
        rounded.append(FunctionForm(constant, slope, tuple(kinks)).to_network())
    yield _joined([function_form(output, box=box).to_network() for output in rounded]), "function"
    if len(given.weights) > 2:
        for function in library:
            if (function.arity, function.widths[-1]) == (given.arity, given.widths[-1]) and len(function.widths) > 3:
                if made := getattr(hand_made, function.name, None):
                    yield made(), "function"
    decimals = [_decimals(form, error, max_denominator) for form, error in forms]
    if all(decimals):
        yield _joined([function_form(form.to_network(), box=box).to_network() for form in decimals]), "function"


def _decimals(form: FunctionForm, error: float, max_denominator: int) -> FunctionForm | None:
    """Every number as the simplest fraction within its error: a small denominator, else two decimals; or None."""

    def simplest(value):
        if error > 2e-3:
            return None
        for denominator in [*range(1, max_denominator + 1), 5, 10, 20, 25, 50, 100]:
            fraction = Fraction(round(value * denominator), denominator)
            if abs(value - fraction) <= error:
                return fraction
        return None

    numbers = [[simplest(v) for v in part] for part in ((form.constant,), form.slope)]
    kinks = [([simplest(v) for v in k.normal], simplest(k.offset), simplest(k.bend)) for k in form.kinks]
    if any(v is None for v in itertools.chain(*numbers, *(n for n, *_ in kinks), *(k[1:] for k in kinks))):
        return None
    return FunctionForm(numbers[0][0], tuple(numbers[1]), tuple(Kink(tuple(n), t, b) for n, t, b in kinks))


def _tidy(given: Network, exact: Network, box, slack, by: str) -> bool:
    """Whether it is the exact network's circuit with noise, not one of other kinks that cancel jointly."""
    if not _one_layer(given) or not _one_layer(exact):
        return by == "weights"
    kinks = [np.array([*kink.normal, kink.offset], dtype=float) for kink in function_form(exact, box=box).kinks]
    own = function_form(given, box=box, tolerance=slack).kinks
    others = [k for k in own if not any(abs(np.array([*k.normal, k.offset]) - e).max() <= NEAR for e in kinks)]
    return all(abs(kink.bend) <= NEAR for kink in others)


def _precise(given: Network, exact: Network, box, tidy: bool) -> bool:
    """Whether the network differs from the exact one by no more than its own numbers scatter.

    What is smaller than FINISHED is taken for training that has stopped. What is larger is compared with the changes
    that alter *one* number of the exact function: its scale, its constant, a slope, a shift, or one number of one of
    its linear pieces. If one of them explains the difference, the network is precisely another function. Scatter is
    spread over all numbers, and the more there are, the less one explains. The limits are measured. Of 600 circuits
    without biases and noise of up to 1e-3 in all weights, one number shrank the difference by 4.4 at most, or by 39 if
    the function has two numbers only. Of trained networks, near misses that are half learned begin at 1.3.
    """
    points = _grid(box)
    gradients, constants, values = _affine(exact, points)
    rest = given.activations(*points.T)[-1].T - values
    base = points if given.bias_free else np.column_stack([np.ones(len(points)), points])
    for k in range(rest.shape[1]):
        size = math.sqrt(np.mean(rest[:, k] ** 2))
        if size <= FINISHED:
            continue
        piece = np.unique(np.column_stack([gradients[:, k], constants[:, k]]).round(9), axis=0, return_inverse=True)[1]
        inside = piece.ravel()[:, None] == np.arange(piece.max() + 1)
        single = (inside[:, :, None] * base[:, None, :]).reshape(len(points), -1)
        columns = np.column_stack([values[:, k], base, *([] if given.bias_free else gradients[:, k].T), single])
        columns = columns[:, (columns != 0).any(axis=0)]
        explained = ((columns.T @ rest[:, k]) ** 2 / (columns**2).sum(axis=0)).max() / len(points)
        left = math.sqrt(max(size**2 - explained, 0))
        limit = 1.25 if not (tidy and given.bias_free) else 40 if single.shape[1] == 2 else 4.5
        if size > limit * left:
            return False
    return True


def _affine(network: Network, points: np.ndarray) -> tuple[np.ndarray, ...]:
    """Gradient (n, outputs, inputs), constant (n, outputs) and value (n, outputs) of the linear piece at each point."""
    network = network.to_float()
    layers = network.activations(*points.T)
    gradient = np.broadcast_to(network.weights[-1], (len(points), *network.weights[-1].shape))
    for weights, values in zip(network.weights[-2::-1], layers[-2:0:-1], strict=True):
        gradient = (gradient * (values.T > 0)[:, None, :]) @ weights
    values = layers[-1].T
    return gradient, values - np.einsum("noi,ni->no", gradient, points), values


def _pieces(network: Network, points: np.ndarray) -> int:
    layers = network.to_float().activations(*points.T)[1:-1]
    return len(np.unique(np.packbits(np.vstack(layers) > 0, axis=0), axis=1).T) if layers else 1


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


def _sparse(given: Network, box, slack, output: int) -> tuple[FunctionForm, float]:
    """The form of its function with as few kinks as keep it within slack, and about how far off its numbers are.

    In a wide network kinks cancel jointly. Fitted by least squares on a grid; the kink that is missed least is left
    out, for as long as the root mean squared error stays below a third of slack.
    """
    points, fixed = _grid(box), given.arity + 1
    kinks = _kinks(given, box, output, points)
    bends = [np.maximum(points @ np.array(kink.normal, float) - float(kink.offset), 0) for kink in kinks]
    columns = np.column_stack([np.ones(len(points)), points, *bends])
    values = given.activations(*points.T)[-1][output]
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
    return FunctionForm(constant, tuple(slope), tuple(left)), 10 * math.sqrt(error) + 1e-6


def _kinks(given: Network, box, output: int, points: np.ndarray) -> list[Kink]:
    """Where it may bend: of one hidden layer the kinks of its units; of more, between the largest linear pieces."""
    if len(given.weights) == 2:
        return list(function_form(_outputs(given)[output], box=box).kinks)
    gradients, constants, _ = _affine(given, points)
    maps, large = np.column_stack([gradients[:, output], constants[:, output]]), []
    left = maps
    while len(large) < 8 and len(left) > 0.02 * len(maps):
        close = (abs(left[:, None] - left[None, :: max(1, len(left) // 100)]).max(axis=2) < 0.1).sum(axis=0)
        middle = left[:: max(1, len(left) // 100)][close.argmax()]
        same = abs(left - middle).max(axis=1) < 0.1
        large.append(left[same].mean(axis=0))
        left = left[~same]
    found = {}
    for a, b in itertools.combinations(large, 2):
        row = a - b
        top = row[np.argmax(abs(row[:-1]))]
        if abs(top) > 0.1:
            *normal, shift = row / top
            for ends in (nearest(normal, 4), [Fraction(round(100 * v), 100) for v in normal]):
                for shift in {Fraction(round(20 * row[-1] / top), 20), Fraction(round(100 * row[-1] / top), 100)}:
                    below, above = spread(np.array([*map(float, ends), float(shift)]), box)
                    if below < 0 < above:
                        found.setdefault((tuple(ends), -shift), Kink(tuple(ends), -shift, 1))
    return list(found.values())


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


def _identified(exact: Network, box, library) -> tuple[str | None, Proof | None]:
    """The function of the library that an exact network is proved to be: on its domain, or else on the box."""
    return _proved(exact, box, library)


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


def _in_decimals(given: Network, box, slack) -> Network | None:
    """What it computes in decimals; None if that has too many pieces."""
    if len(given.weights) > 2 and sum(given.widths[1:-1]) > LARGEST:
        return None
    if len(given.weights) != 2:
        return canonical(given)
    return _joined([_sparse(given, box, slack, k)[0].to_network() for k in range(given.widths[-1])])


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
