"""A ReLU network as plain matrices, exact or float: the one object everything else here is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational, Real

import numpy as np
import torch

Names = tuple[tuple[str, ...], ...]


def _array(values, ndim: int, what: str) -> np.ndarray:
    """Return a read-only array: Fractions (dtype object) if every entry is rational, else float64."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    array = np.array(values, dtype=object)
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{what} has shape {array.shape}; wanted a non-empty array of {ndim} dimension(s)")
    for value in array.flat:
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise TypeError(f"{what} holds {value!r}; wanted integers, Fractions or floats")
        if not isinstance(value, Rational) and not np.isfinite(value):
            raise ValueError(f"{what} holds {value}; wanted finite numbers")
    if all(isinstance(value, Rational) for value in array.flat):
        flat = [Fraction(int(v)) if isinstance(v, np.integer) else Fraction(v) for v in array.flat]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    else:
        array = array.astype(np.float64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
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

    weights: Sequence
    biases: Sequence | None = None
    names: Names | None = field(default=None, repr=False)

    def __post_init__(self):
        if len(self.weights) == 0:
            raise ValueError("a network of no layers was given; wanted at least one matrix")
        weights = [_array(w, 2, f"matrix {k} of the network") for k, w in enumerate(self.weights, 1)]
        biases = [[0] * len(w) for w in weights] if self.biases is None else self.biases
        if len(biases) != len(weights):
            raise ValueError(f"{len(weights)} matrices and {len(biases)} biases were given; wanted as many of each")
        biases = [_array(b, 1, f"bias {k} of the network") for k, b in enumerate(biases, 1)]
        for k, (inner, outer) in enumerate(zip(weights, weights[1:], strict=False), 1):
            if len(inner) != outer.shape[1]:
                raise ValueError(f"matrix {k} gives {len(inner)} values but matrix {k + 1} takes {outer.shape[1]}")
        for k, (w, b) in enumerate(zip(weights, biases, strict=True), 1):
            if len(w) != len(b):
                raise ValueError(f"matrix {k} gives {len(w)} values but bias {k} has {len(b)}")
        if any(a.dtype == np.float64 for a in weights + biases):
            weights = [_array(w.astype(np.float64), 2, "") for w in weights]
            biases = [_array(b.astype(np.float64), 1, "") for b in biases]
        names = self.names if self.names is not None else [[""] * len(w) for w in weights[:-1]]
        names = tuple(tuple(layer) for layer in names)
        if tuple(map(len, names)) != tuple(map(len, weights[:-1])):
            raise ValueError(f"names for {tuple(map(len, names))} hidden units were given; "
                             f"the network has {tuple(map(len, weights[:-1]))}")  # fmt: skip
        for key, value in (("weights", tuple(weights)), ("biases", tuple(biases)), ("names", names)):
            object.__setattr__(self, key, value)

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
        return hash((self.widths, *(x for a in self.weights + self.biases for x in a.flat)))

    def __str__(self) -> str:
        """The network as equations, one a line."""
        lines, inputs = [], [f"x{i + 1}" for i in range(self.arity)] if self.arity > 1 else ["x"]
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            last = k == len(self.weights) - 1
            letter = "y" if last else "hgfedc"[k] if k < 6 else f"h{k}_"
            outputs = [f"{letter}{j + 1}" for j in range(len(w))] if len(w) > 1 or not last else ["y"]
            for name, row, bias in zip(outputs, w, b, strict=True):
                right = linear_formula(row, bias, inputs)
                lines.append(f"{name} = {right}" if last else f"{name} = relu({right})")
            inputs = outputs
        return "\n".join(lines)

    # --- what it computes ---------------------------------------------------------------------------

    def activations(self, *inputs) -> list[np.ndarray]:
        """Return the value of every node: the inputs, each hidden layer after its ReLU, the output.

        Inputs are one scalar, or one array of any common shape, for each input of the network. The
        values of a layer have shape (units, *shape). They are Fractions if network and inputs are exact.

        >>> [layer.tolist() for layer in Network([[[1], [-1]], [[1.0, -1.0]]]).activations(-5)]
        [[-5.0], [0.0, 5.0], [-5.0]]
        """
        if len(inputs) != self.arity:
            raise ValueError(f"{len(inputs)} inputs were given; the network takes {self.arity}")
        rational = all(isinstance(x, Rational) for x in inputs)
        if self.exact and rational:
            values = np.array([*map(Fraction, inputs), None], dtype=object)[:-1]
        else:
            values = np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in inputs)))
        kind, layers = values.dtype, [values]
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            b = b.astype(kind).reshape(-1, *[1] * (values.ndim - 1))
            values = np.tensordot(w.astype(kind), values, axes=1) + b
            if k < len(self.weights) - 1:
                values = np.maximum(values, Fraction(0) if kind == object else 0.0)
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
        joint = self.weights[0] @ inner.weights[-1]
        bias = self.weights[0] @ inner.biases[-1] + self.biases[0]
        return Network(
            (*inner.weights[:-1], joint, *self.weights[1:]),
            (*inner.biases[:-1], bias, *self.biases[1:]),
            inner.names + self.names,
        )

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

    def __add__(self, other: Network) -> Network:
        """Add the outputs of two networks that read the same inputs (their hidden units stand side by side).

        >>> print(Network([[[1]], [[1]]]) + Network([[[-1]], [[1]]]))
        h1 = relu(x)
        h2 = relu(-x)
        y = h1 + h2
        """
        if not isinstance(other, Network):
            return NotImplemented
        if (self.arity, self.widths[-1]) != (other.arity, other.widths[-1]):
            raise ValueError(f"networks of widths {self.widths} and {other.widths} were given; "
                             "to be added they need as many inputs and as many outputs")  # fmt: skip
        both = np.vstack([np.eye(self.arity, dtype=int)] * 2)
        total = np.hstack([np.eye(self.widths[-1], dtype=int)] * 2)
        return Network([total]) @ (self | other) @ Network([both])

    def __rmul__(self, factor) -> Network:
        """Multiply the output by a number."""
        if not isinstance(factor, Real):
            return NotImplemented
        w, b = self.weights[-1] * factor, self.biases[-1] * factor
        return Network((*self.weights[:-1], w), (*self.biases[:-1], b), self.names)

    def __neg__(self) -> Network:
        return -1 * self

    def __sub__(self, other: Network) -> Network:
        return self + -other if isinstance(other, Network) else NotImplemented

    def with_weight(self, layer: int, row: int, column: int, value) -> Network:
        """Return the same network with one weight changed (all three indices from 0).

        >>> Network([[[1]], [[1]]]).with_weight(0, 0, 0, Fraction(1, 2))(3)
        Fraction(3, 2)
        """
        weights = [w.copy() for w in self.weights]
        weights[layer][row, column] = value
        return Network(weights, self.biases, self.names)

    # --- to and from elsewhere ----------------------------------------------------------------------------

    def to_exact(self) -> Network:
        """Return the network whose every weight is the rational number that the float stands for."""
        convert = np.vectorize(Fraction, otypes=[object])
        return Network([convert(w) for w in self.weights], [convert(b) for b in self.biases], self.names)

    def to_float(self) -> Network:
        """Return the network in float64, each weight rounded to the nearest float."""
        return Network(
            [w.astype(np.float64) for w in self.weights],
            [b.astype(np.float64) for b in self.biases],
            self.names,
        )

    def to_torch(self, dtype: torch.dtype = torch.float64) -> torch.nn.Sequential:
        """Return a ``torch.nn.Sequential`` of Linear and ReLU that computes the same function.

        Layers whose every bias is zero are made without one if the whole network is bias-free.
        """
        layers = []
        for w, b in zip(self.weights, self.biases, strict=True):
            linear = torch.nn.Linear(w.shape[1], w.shape[0], bias=not self.bias_free, dtype=dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.astype(np.float64)))
                if not self.bias_free:
                    linear.bias.copy_(torch.from_numpy(b.astype(np.float64)))
            layers += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    @classmethod
    def from_torch(cls, module: torch.nn.Sequential) -> Network:
        """Return the network that a Sequential of Linear, ReLU, Linear, ..., Linear holds.

        >>> Network.from_torch(Network([[[1], [-1]], [[1, -1]]]).to_torch()).widths
        (1, 2, 1)
        """
        layers = list(module) if isinstance(module, torch.nn.Sequential) else []
        kinds = [torch.nn.Linear if k % 2 == 0 else torch.nn.ReLU for k in range(len(layers))]
        if len(layers) % 2 == 0 or not all(map(isinstance, layers, kinds)):
            found = ", ".join(type(layer).__name__ for layer in layers) or type(module).__name__
            raise TypeError(f"{found} was given; wanted a torch.nn.Sequential of Linear, ReLU, Linear, ..., Linear")
        linear = layers[::2]
        biases = [torch.zeros(m.out_features) if m.bias is None else m.bias for m in linear]
        return cls([m.weight.double() for m in linear], [b.double() for b in biases])


def linear_formula(row, bias, inputs: Sequence[str]) -> str:
    """Write Σ row·inputs + bias as text, ones and zeros left out.

    >>> linear_formula([1, Fraction(-1, 2), 0], 0, ["a", "b", "c"])
    'a - 1/2 b'
    """
    terms = [(c, name) for c, name in zip(row, inputs, strict=True) if c != 0]
    terms += [(bias, "")] if bias != 0 or not terms else []
    text = ""
    for c, name in terms:
        size = f"{abs(c)}" if isinstance(c, Rational) else f"{abs(c):.3f}"
        part = name if abs(c) == 1 and name else f"{size} {name}".strip()
        text += f" {'-' if c < 0 else '+'} {part}" if text else f"{'-' if c < 0 else ''}{part}"
    return text


def _block_diagonal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    top = np.hstack([a, np.full((len(a), b.shape[1]), Fraction(0))])
    bottom = np.hstack([np.full((len(b), a.shape[1]), Fraction(0)), b])
    return np.vstack([top, bottom])


def _reconstructors(n: int) -> Network:
    """The identity of n values, two hidden units each: what a value needs to pass a ReLU layer unharmed."""
    hidden = [[s if i == j else 0 for i in range(n)] for j in range(n) for s in (1, -1)]
    output = [[s if i == j else 0 for i in range(n) for s in (1, -1)] for j in range(n)]
    return Network([hidden, output], names=[("positiveness", "negativeness") * n])
