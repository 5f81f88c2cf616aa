"""A ReLU network as plain matrices, exact or float: the one object everything else here is about."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from numbers import Rational, Real

import numpy as np
import torch

from mathcircuits import checks

Names = tuple[tuple[str, ...], ...]

# From numpy's integers to Python's first: theirs overflow, inside a Fraction too.
to_fractions = np.vectorize(lambda v: Fraction(v.item() if isinstance(v, np.generic) else v), otypes=[object])


def _listed(what: str, value, wanted: str) -> Iterable:
    """Let through a list, as ``checks.listed`` does. Networks are made by the thousand, and a sentence takes time."""
    if isinstance(value, list | tuple):
        return value
    return checks.listed(f"{what} {checks.shown(value)} were given; wanted {wanted}", value)


def _entries(values, ndim: int, what: str) -> np.ndarray:
    """Return a new array (dtype object) of finite real numbers, whatever holds them."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    if np.ma.is_masked(values) or isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        raise TypeError(f"{what} is {checks.shown(values)}; wanted numbers, none of them masked, and no times")
    wanted = "rows of equal length" if ndim == 2 else "a list of numbers"
    try:
        array = np.array(values, dtype=object)
    except ValueError:  # arrays of unlike shapes
        raise ValueError(f"{what} is {checks.shown(values)}; wanted {wanted}, not empty") from None
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{what} has shape {array.shape}; wanted {wanted}, not empty")
    for where, value in np.ndenumerate(array):
        array[where] = number = checks.plain(value)
        if number is None:
            raise TypeError(f"{what} holds {checks.shown(value)}; wanted integers, Fractions or floats")
        if not abs(number) < math.inf:
            raise ValueError(f"{what} holds {number}; wanted finite numbers")
    return array


@dataclass(frozen=True, eq=False, init=False)
class Network:
    """A ReLU network: one matrix and one bias vector a layer, ReLU after every layer but the last.

    Args:
        weights: one matrix a layer, shape (out, in) as in ``torch.nn.Linear``. Integers and Fractions
            make an exact network (every entry a ``Fraction``), floats one in float64.
        biases: one vector a layer, shape (out,); left out, all are zero.
        names: for each hidden layer the names of its units; left out, the units have none ("").

    Raises:
        ValueError: shapes that do not fit, NaN or infinity. TypeError: entries that are not real numbers.

    >>> relu_difference = Network([[[1, -1]], [[1]]])
    >>> relu_difference(5, 3), relu_difference.widths
    (Fraction(2, 1), (2, 1, 1))
    >>> print(relu_difference)
    h1 = relu(x1 - x2)
    y = h1
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    names: Names = field(repr=False)

    def __init__(self, weights: Iterable, biases: Iterable | None = None, names: Iterable | None = None):
        given = _listed("the weights", weights, "a list of matrices")
        matrices = [_entries(w, 2, f"matrix {k}") for k, w in enumerate(given, 1)]
        if not matrices:
            raise ValueError("a network of no layers was given; wanted at least one matrix")
        for k, (inner, outer) in enumerate(pairwise(matrices), 1):
            if len(inner) != outer.shape[1]:
                raise ValueError(f"matrix {k} gives {len(inner)} values but matrix {k + 1} takes {outer.shape[1]}")
        sizes = [len(w) for w in matrices]
        biases = [[0] * n for n in sizes] if biases is None else biases
        given = _listed("the biases", biases, "a list of vectors")
        vectors = [_entries(b, 1, f"bias {k}") for k, b in enumerate(given, 1)]
        names = [[""] * n for n in sizes[:-1]] if names is None else names
        wanted = "a list of names for each hidden layer"
        layers = tuple(tuple(_listed("the names", layer, wanted)) for layer in _listed("the names", names, wanted))
        if not all(isinstance(name, str) for layer in layers for name in layer):
            raise TypeError(f"the names {checks.shown(names)} were given; wanted {wanted}")
        for what, lists, counts in (("biases", vectors, sizes), ("names", layers, sizes[:-1])):
            if [len(one) for one in lists] != counts:
                raise ValueError(f"{what} for {[len(one) for one in lists]} units were given; wanted {counts}")
        exact = all(isinstance(value, Rational) for a in matrices + vectors for value in a.flat)
        arrays = [to_fractions(a) if exact else a.astype(np.float64) for a in matrices + vectors]
        for array in arrays:
            array.flags.writeable = False
        object.__setattr__(self, "weights", tuple(arrays[: len(matrices)]))
        object.__setattr__(self, "biases", tuple(arrays[len(matrices) :]))
        object.__setattr__(self, "names", layers)

    # --- what it is -------------------------------------------------------------------------------

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of inputs, of units in each hidden layer, and of outputs."""
        return (self.weights[0].shape[1], *(len(w) for w in self.weights))

    @property
    def arity(self) -> int:
        """Number of inputs."""
        return self.widths[0]

    @property
    def exact(self) -> bool:
        """True if every weight and bias is a Fraction."""
        return self.weights[0].dtype == object

    @property
    def bias_free(self) -> bool:
        """True if every bias is zero."""
        return all((b == 0).all() for b in self.biases)

    def __eq__(self, other) -> bool:
        """Same widths, weights and biases. Names do not count, so ``==`` tells networks, not functions."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.widths == other.widths and all(
            (a == b).all() for a, b in zip(self.weights + self.biases, other.weights + other.biases, strict=True)
        )

    def __hash__(self) -> int:
        """Equal networks have equal hashes: a network may be a key, or counted."""
        return hash((self.widths, *(x for a in self.weights + self.biases for x in a.flat)))

    def __str__(self) -> str:
        """The network as equations, one a line."""
        lines, names = [], node_names(self.widths)
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            for name, row, bias in zip(names[k + 1], w, b, strict=True):
                right = linear_formula(row, bias, names[k])
                lines.append(f"{name} = {right}" if k == len(self.weights) - 1 else f"{name} = relu({right})")
        return "\n".join(lines)

    # --- what it computes ---------------------------------------------------------------------------

    def activations(self, *inputs) -> list[np.ndarray]:
        """Return the value of every node: the inputs, each hidden layer after its ReLU, the output.

        Inputs are one scalar, or one array of any common shape, for each input of the network. The
        values of a layer have shape (units, *shape). They are Fractions if the network is exact and the
        inputs are integers or Fractions; floats and arrays give float64.

        Raises:
            TypeError: inputs that are not numbers.
            ValueError: a number of inputs that is not the arity; arrays whose shapes do not go together.

        >>> [layer.tolist() for layer in Network([[[1], [-1]], [[1.0, -1.0]]]).activations(-5)]
        [[-5.0], [0.0, 5.0], [-5.0]]
        """
        given = checks.inputs("the network", inputs, self.arity, exact=self.exact)
        exact = isinstance(given[0], Fraction)
        values, zero = (np.array(given, dtype=object), Fraction(0)) if exact else (np.stack(given), 0.0)
        layers = [values]
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = np.tensordot(w.astype(values.dtype), values, axes=1)
            values += b.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
            if k < len(self.weights) - 1:
                values = np.maximum(values, zero)
            layers.append(values)
        return layers

    def __call__(self, *inputs):
        """Return the output: a scalar (or array) for one output, a tuple of them for several."""
        outputs = self.activations(*inputs)[-1]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    # --- algebra: small circuits make larger ones -------------------------------------------------------

    def __matmul__(self, inner: Network) -> Network:
        """Compose: ``outer @ inner`` computes outer(inner(x)); no layer is added.

        The last affine map of ``inner`` and the first of ``outer`` multiply out into one.

        >>> (Network([[[1], [-1]], [[1, -1]]]) @ Network([[[1, -1]]])).widths  # identity of x1 - x2
        (2, 2, 1)
        """
        if not isinstance(inner, Network):
            return NotImplemented
        if inner.widths[-1] != self.arity:
            raise ValueError(f"the inner network has {inner.widths[-1]} outputs, the outer one takes {self.arity}")
        weights = (*inner.weights[:-1], self.weights[0] @ inner.weights[-1], *self.weights[1:])
        bias = self.weights[0] @ inner.biases[-1] + self.biases[0]
        return Network(weights, (*inner.biases[:-1], bias, *self.biases[1:]), inner.names + self.names)

    def __or__(self, right: Network) -> Network:
        """Set two networks side by side on separate inputs; the shallower is padded with identity circuits.

        >>> relu = Network([[[1]], [[1]]])
        >>> (relu | relu)(3, -5)
        (Fraction(3, 1), Fraction(0, 1))
        """
        if not isinstance(right, Network):
            return NotImplemented
        left = self
        while len(left.weights) < len(right.weights):
            left = _reconstructors(left.widths[-1]) @ left
        while len(right.weights) < len(left.weights):
            right = _reconstructors(right.widths[-1]) @ right
        return Network(
            [_block_diagonal(a, b) for a, b in zip(left.weights, right.weights, strict=True)],
            [np.concatenate(pair) for pair in zip(left.biases, right.biases, strict=True)],
            [a + b for a, b in zip(left.names, right.names, strict=True)],
        )

    def __and__(self, right: Network) -> Network:
        """Give two networks the same inputs: the outputs of both, side by side.

        >>> relu = Network([[[1]], [[1]]])
        >>> (relu & -relu)(3)
        (Fraction(3, 1), Fraction(-3, 1))
        """
        if not isinstance(right, Network):
            return NotImplemented
        if self.arity != right.arity:
            raise ValueError(f"networks of widths {self.widths} and {right.widths} were given; wanted as many inputs")
        return (self | right) @ Network([np.tile(np.eye(self.arity, dtype=int), (2, 1))])

    def __add__(self, other: Network | Real) -> Network:
        """Add the outputs of two networks that read the same inputs (hidden units side by side), or a number to each.

        >>> print(Network([[[1]], [[1]]]) + Network([[[-1]], [[1]]]) - 2)
        h1 = relu(x)
        h2 = relu(-x)
        y = h1 + h2 - 2
        """
        if isinstance(other, Real):
            return Network(self.weights, (*self.biases[:-1], self.biases[-1] + other), self.names)
        if not isinstance(other, Network):
            return NotImplemented
        if (self.arity, self.widths[-1]) != (other.arity, other.widths[-1]):
            both = f"{self.widths} and {other.widths}"
            raise ValueError(f"networks of widths {both} were given; wanted as many inputs and as many outputs")
        return Network([np.tile(np.eye(self.widths[-1], dtype=int), (1, 2))]) @ (self & other)

    __radd__ = __add__

    def __rmul__(self, factor: Real) -> Network:
        """Multiply the output by a number.

        >>> (Fraction(1, 2) * Network([[[1]], [[1]]]))(3)
        Fraction(3, 2)
        """
        if not isinstance(factor, Real):
            return NotImplemented
        w, b = self.weights[-1] * factor, self.biases[-1] * factor
        return Network((*self.weights[:-1], w), (*self.biases[:-1], b), self.names)

    def __neg__(self) -> Network:
        """Turn the sign of the output."""
        return -1 * self

    def __sub__(self, other: Network | Real) -> Network:
        """Subtract the outputs of a network that reads the same inputs, or a number from each."""
        return self + -other if isinstance(other, Network | Real) else NotImplemented

    def __rsub__(self, other: Real) -> Network:
        """Subtract each output from a number.

        >>> (1 - Network([[[1]], [[1]]]))(3)
        Fraction(-2, 1)
        """
        return -self + other

    def with_weight(self, layer: int, row: int, column: int, value) -> Network:
        """Return the same network with one weight changed (all three indices from 0).

        Raises:
            TypeError, ValueError: indices that are not those of a weight; a value that is no finite number.

        >>> Network([[[1]], [[1]]]).with_weight(0, 0, 0, Fraction(1, 2))(3)
        Fraction(3, 2)
        """
        layer = checks.integer("layer", layer, at_least=0, at_most=len(self.weights) - 1)
        rows, columns = self.weights[layer].shape
        row = checks.integer("row", row, at_least=0, at_most=rows - 1)
        column = checks.integer("column", column, at_least=0, at_most=columns - 1)
        weights = [w.astype(object) for w in self.weights]
        weights[layer][row, column] = value
        return Network(weights, self.biases, self.names)

    # --- to and from elsewhere ----------------------------------------------------------------------------

    def map_weights(self, change: Callable[[Real], Real]) -> Network:
        """Return the network with ``change(value)`` in place of every weight and bias.

        >>> print(Network([[[0.9], [-1.2]], [[1.1, -0.8]]]).map_weights(round))
        h1 = relu(x)
        h2 = relu(-x)
        y = h1 - h2
        """
        checks.instance("the change", change, Callable, wanted="a function of a number")
        each = np.vectorize(change, otypes=[object])
        return Network([each(w) for w in self.weights], [each(b) for b in self.biases], self.names)

    def to_exact(self) -> Network:
        """Return the network whose every weight is the rational number that the float stands for.

        >>> Network([[[0.5]], [[1.0]]]).to_exact()(3)
        Fraction(3, 2)
        """
        return self.map_weights(Fraction)

    def to_float(self) -> Network:
        """Return the network in float64, each weight rounded to the nearest float.

        >>> Network([[[1]], [[Fraction(1, 4)]]]).to_float()(3).item()
        0.75
        """
        return self.map_weights(float)

    def to_torch(self, dtype: torch.dtype = torch.float64) -> torch.nn.Sequential:
        """Return a ``torch.nn.Sequential`` of Linear and ReLU that computes the same function.

        The layers have no biases if the network is bias-free.

        Raises:
            TypeError: a dtype that holds no fractions.

        >>> Network([[[1], [-1]], [[1, -1]]]).to_torch()
        Sequential(
          (0): Linear(in_features=1, out_features=2, bias=False)
          (1): ReLU()
          (2): Linear(in_features=2, out_features=1, bias=False)
        )
        """
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise TypeError(f"the dtype {checks.shown(dtype)} was given; wanted torch.float64 or another of floats")
        layers, bias = [], not self.bias_free
        for w, b in zip(self.weights, self.biases, strict=True):
            # skip_init: a fresh Linear would draw from torch's global random numbers.
            linear = torch.nn.utils.skip_init(torch.nn.Linear, w.shape[1], w.shape[0], bias=bias, dtype=dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.astype(np.float64)))
                if bias:
                    linear.bias.copy_(torch.from_numpy(b.astype(np.float64)))
            layers += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    @classmethod
    def from_torch(cls, given) -> Network:
        """Return the network that something holds, in float64 (exact if it is lists of integers and Fractions).

        Args:
            given: a ``torch.nn.Sequential`` of Linear, ReLU, Linear, ..., Linear; a ``state_dict`` (it does not say
                what stands between its layers: ReLU is assumed); a list of matrices; or (matrices, biases).

        Raises:
            TypeError, ValueError: anything else.

        >>> module = Network([[[1], [-1]], [[1, -1]]]).to_torch()
        >>> Network.from_torch(module).widths, Network.from_torch(module.state_dict()).widths
        ((1, 2, 1), (1, 2, 1))
        """
        if isinstance(given, Mapping):
            return cls(*_from_state(given))
        depth = _depth(given[0]) if isinstance(given, list | tuple) and len(given) else 0
        if depth == 3 and len(given) == 2:
            return cls(*given)
        if depth == 2 or isinstance(given, np.ndarray | torch.Tensor) and given.ndim == 3:
            return cls(given)
        layers = list(given) if isinstance(given, torch.nn.Sequential) else []
        kinds = [torch.nn.Linear if k % 2 == 0 else torch.nn.ReLU for k in range(len(layers))]
        if len(layers) % 2 == 0 or not all(map(isinstance, layers, kinds)):
            found = ", ".join(type(layer).__name__ for layer in layers) or type(given).__name__
            wanted = "a torch.nn.Sequential of Linear, ReLU, Linear, ..., Linear, its state_dict, a list of matrices, "
            wanted += "or (matrices, biases)"
            path = isinstance(given, str | os.PathLike)
            hint = "; torch.load(file, weights_only=True) gives what a file holds" * path
            raise TypeError(f"{found} was given; wanted {wanted}{hint}")
        biases = [torch.zeros(m.out_features) if m.bias is None else m.bias for m in layers[::2]]
        if any(m.weight.is_complex() for m in layers[::2]):
            raise TypeError("complex weights were given; wanted real ones")
        return cls([m.weight.double() for m in layers[::2]], [b.double() for b in biases])


def _depth(value) -> int:
    if isinstance(value, list | tuple):
        return 1 + _depth(value[0]) if value else 1
    return np.ndim(value)


def _from_state(state: Mapping) -> tuple[list, list]:
    if not all(isinstance(t, torch.Tensor | np.ndarray) for t in state.values()):
        raise TypeError("a dictionary of other things than tensors was given; wanted a state_dict")
    weights, biases = {}, {}
    for key, value in state.items():
        layer, _, kind = str(key).rpartition(".")
        if torch.as_tensor(value).is_complex():
            raise TypeError("complex weights were given; wanted real ones")
        if (kind, value.ndim) not in (("weight", 2), ("bias", 1)):
            raise ValueError(f"a state_dict with {key} of shape {tuple(value.shape)} was given; wanted Linear layers")
        (weights if kind == "weight" else biases)[layer] = torch.as_tensor(value).double()
    if not weights or not biases.keys() <= weights.keys():
        raise ValueError("a state_dict without weights was given; wanted Linear layers")
    return list(weights.values()), [biases.get(k, torch.zeros(len(w))).double() for k, w in weights.items()]


def node_names(widths: Sequence[int]) -> list[list[str]]:
    """The name of every node in equations: x1, x2, ..., then h1, ... and g1, ... in the hidden layers, and y1, ...

    A single input is x, a single output y. After a the letters begin again with h.

    >>> node_names((2, 3, 1, 1))
    [['x1', 'x2'], ['h1', 'h2', 'h3'], ['g1'], ['y']]
    """
    letters = ["x", *("hgfedcba"[k % 8] for k in range(len(widths) - 2)), "y"]
    return [
        [f"{letter}{i + 1}" for i in range(n)] if n > 1 or letter not in "xy" else [letter]
        for letter, n in zip(letters, widths, strict=True)
    ]


def linear_formula(row, bias, inputs: Sequence[str]) -> str:
    """Write Σ row·inputs + bias as text: floats with three decimals, without ones and what would print as zero.

    >>> linear_formula([1, Fraction(-1, 2), 0], 0, ["a", "b", "c"])
    'a - 1/2 b'
    >>> linear_formula([1e-5, -0.99999], 0, ["a", "b"])
    '-1.000 b'
    """
    terms = [(c, f"{abs(c)}" if isinstance(c, Rational) else f"{abs(c):.3f}", name)
             for c, name in zip((*row, bias), (*inputs, ""), strict=True)]  # fmt: skip
    text = ""
    for c, size, name in [term for term in terms if term[1] not in ("0", "0.000")] or terms[-1:]:
        part = name if abs(c) == 1 and name else f"{size} {name}".strip()
        text += f" {'-' if c < 0 else '+'} {part}" if text else f"{'-' if c < 0 else ''}{part}"
    return text


def _block_diagonal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    above, below = (len(a), b.shape[1]), (len(b), a.shape[1])
    return np.block([[a, np.zeros(above, dtype=int)], [np.zeros(below, dtype=int), b]])


def _reconstructors(n: int) -> Network:
    """The identity of n values, two hidden units each: what a value needs to pass a ReLU layer unharmed."""
    each = np.eye(n, dtype=int)
    weights = [np.kron(each, [[1], [-1]]), np.kron(each, [[1, -1]])]
    return Network(weights, names=[("positiveness", "negativeness") * n])
