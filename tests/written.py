"""Definitions as a reader would write them, at random; what they mean, by an interpreter that shares nothing with ours.

The interpreter reads the text. Numbers meet numbers as Python says, so 1/3 is a float; whatever meets an input, or has
gone through an operation of ``m``, is exact from there on. A value is a pair: its value at a point, and its slope in a
direction, so that comparisons are decided just beside the point too. Where the next one turns, a piece ends.
"""

import ast
import math
import operator
from fractions import Fraction
from functools import reduce

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class Meaning:
    """A text, evaluated by itself."""

    def __init__(self, text):
        self.tree, self.turns = ast.parse(text, mode="eval").body, []

    def at(self, point, direction=None):
        """Return the value, or the values, at a point, each with its slope in a direction."""
        self.turns, direction = [], direction or [0] * len(point)
        self.inputs = {
            f"x{i + 1}": (Fraction(x), Fraction(d)) for i, (x, d) in enumerate(zip(point, direction, strict=True))
        }
        value = self.of(self.tree)
        return [pair(v) for v in value] if isinstance(value, list) else [pair(value)]

    def of(self, node):
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self.inputs[name]
            case ast.Tuple(parts):
                return [self.of(part) for part in parts]
            case ast.UnaryOp(ast.USub(), part):
                value = self.of(part)
                return (-value[0], -value[1]) if isinstance(value, tuple) else -value
            case ast.UnaryOp(ast.Invert(), part):
                return not self.of(part)
            case ast.BinOp(left, ast.BitAnd(), right):
                return all([self.of(left), self.of(right)])
            case ast.BinOp(left, ast.BitOr(), right):
                return any([self.of(left), self.of(right)])
            case ast.BinOp(left, kind, right):
                return self.joined(OPERATORS[type(kind)], self.of(left), self.of(right))
            case ast.Compare(left, [kind], [right]):
                return self.compared(type(kind).__name__, self.of(left), self.of(right))
            case ast.Call(ast.Name("F"), parts):
                return Fraction(*map(self.of, parts))
            case ast.Call(ast.Attribute(ast.Name("m"), name), parts):
                return self.operated(name, [self.of(part) for part in parts])
        raise AssertionError(ast.dump(node))

    def joined(self, operation, a, b):
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return operation(a, b)
        (a, slope_a), (b, slope_b) = pair(a), pair(b)
        if operation is operator.mul:
            return a * b, a * slope_b + b * slope_a
        if operation is operator.truediv:
            return a / b, slope_a / b
        return operation(a, b), operation(slope_a, slope_b)

    def compared(self, kind, a, b):
        value, slope = self.joined(operator.sub, pair(a), pair(b))
        if value * slope < 0:
            self.turns.append(-value / slope)
        sign = (value > 0) - (value < 0) or (slope > 0) - (slope < 0)
        return {"Lt": sign < 0, "LtE": sign <= 0, "Gt": sign > 0, "GtE": sign >= 0, "Eq": not sign, "NotEq": sign}[kind]

    def operated(self, name, parts):
        if name == "where":
            return pair(parts[1]) if parts[0] else pair(parts[2])
        parts = [pair(part) for part in parts]
        if name == "abs":
            return max(parts[0], (-parts[0][0], -parts[0][1])) if not self.compared("Eq", parts[0], 0) else (0, 0)
        self.compared("Lt", *parts)
        return {"minimum": min, "maximum": max}[name](parts)


def pair(value):
    return value if isinstance(value, tuple) else (Fraction(value), Fraction(0))


class Computed:
    """A network, evaluated in the same way."""

    def __init__(self, network):
        self.network = network.to_exact()

    def at(self, point, direction=None):
        self.turns, layers = [], list(zip(self.network.weights, self.network.biases, strict=True))
        values = [(Fraction(x), Fraction(d)) for x, d in zip(point, direction or [0] * len(point), strict=True)]
        for k, (w, b) in enumerate(layers):
            values = [
                tuple(sum(c * v[i] for c, v in zip(row, values, strict=True)) + (bias, 0)[i] for i in (0, 1))
                for row, bias in zip(w, b, strict=True)
            ]
            if k < len(layers) - 1:
                self.turns += [-value / slope for value, slope in values if value * slope < 0]
                values = [max(v, (0, 0)) for v in values]
        return values


def walk(things, point, direction, low=-math.inf, high=math.inf):
    """Walk along a line, from low to high (in multiples of the direction); on every piece all things are linear.

    Yields, where a piece begins, which way (1 or -1) and how far it is, and of each thing the values there and just
    after it, which are None at the end.
    """
    start = low if low > -math.inf else high if high < math.inf else Fraction(0)
    for way, end in ((1, high), (-1, low)):
        at = Fraction(start)
        while True:
            place = [p + at * d for p, d in zip(point, direction, strict=True)]
            here, after = [thing.at(place) for thing in things], None
            if at != end:
                after = [thing.at(place, [way * d for d in direction]) for thing in things]
            yield way, at, here, after
            step = min((turn for thing in things for turn in thing.turns), default=math.inf)
            if at == end or step == abs(end) == math.inf:
                break
            at = end if step >= abs(end - at) else at + way * step


def equal(left, right, point=(0,), direction=(1,), low=-math.inf, high=math.inf):
    """Decide whether two things are equal on all of a line."""
    return all(
        here[0] == here[1] and (after is None or after[0] == after[1])
        for _, _, here, after in walk([left, right], point, direction, low, high)
    )


def continuous(thing, low=-math.inf, high=math.inf):
    """Tell whether a thing of one input and one value is so: its values are the limits from both sides."""
    last = None
    for way, at, [[(value, _)]], after in walk([thing], (0,), (1,), low, high):
        if last and last[0] == way and last[2] + last[3] * abs(at - last[1]) != value:
            return False
        if after and after[0][0][0] != value:
            return False
        last = after and (way, at, *after[0][0])
    return True


def as_network(rng, thing, low=-math.inf, high=math.inf):
    """Return weights and biases that equal a continuous thing of one input: units in any order, direction and scale."""
    bends, slope, first, start = [], None, None, None
    for way, at, here, after in walk([thing], (0,), (1,), low, high):
        if start is None:
            start, value = at, here[0][0][0]
        if way == -1 and at == start:
            slope = first
        if after is not None:
            new = way * after[0][0][1]
            if slope is not None and new != slope:
                bends.append((at, way * (new - slope)))
            slope, first = new, new if first is None else first
    slope = slope or 0  # a box may be a point
    constant = value - slope * start - sum(bend * max(start - at, 0) for at, bend in bends)
    units = []
    for at, bend in bends:
        if rng.random() < 0.5:  # relu(z) = relu(-z) + z
            units.append((1, -at, bend))
        else:
            units.append((-1, at, bend))
            slope, constant = slope + bend, constant - bend * at
    units += [(1, 0, slope), (-1, 0, -slope)] if slope or not units else []
    sizes = [Fraction(int(size), 3) for size in rng.integers(1, 9, size=len(units))]
    units = [units[k] for k in rng.permutation(len(units))]
    weights = [[w * c] for (w, _, _), c in zip(units, sizes, strict=True)]
    biases = [b * c for (_, b, _), c in zip(units, sizes, strict=True)]
    return [weights, [[a / c for (_, _, a), c in zip(units, sizes, strict=True)]]], [biases, [constant]]


def as_trees(network):
    """Return the outputs of an exact network as trees."""

    def number(c):
        return f"F({c.numerator},{c.denominator})"

    values = [f"x{i + 1}" for i in range(network.arity)]
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        if k:
            values = [("maximum", v, "0") for v in values]
        rows = [[("*", number(c), v) for c, v in zip(row, values, strict=True)] for row in w]
        values = [reduce(lambda a, b: ("+", a, b), row, number(bias)) for row, bias in zip(rows, b, strict=True)]
    return values


# --- random texts -----------------------------------------------------------------------------------------------------

NUMBERS = "0 1 2 3 -1 -2 .1 .5 .25 1.5 -.7 1e-3 1/3 2/3 -7/4 F(1,3) F(-5,2) m.abs(-3) m.minimum(2,5) m.where(3>2,1,2)"
DIVISORS = "2 3 -4 .5 .1 1.5 F(2,3) m.abs(-3)"
COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]
FLAT = ["+", "+", "-", "*", "*", "/", "negative", "abs"]  # those that make no where


def one_of(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def random_term(rng, arity, depth, kinds=(*FLAT, "minimum", "maximum", "where", "where")):
    """Return a term as a tree: an operation and its parts. A number or an input is a text."""

    def term(depth):
        if depth == 0 or rng.random() < 0.1:
            return f"x{rng.integers(arity) + 1}" if rng.random() < 0.6 else one_of(rng, NUMBERS.split())
        kind = one_of(rng, kinds)
        if kind == "*":
            parts = (one_of(rng, NUMBERS.split()), term(depth - 1))
            return (kind, *(parts if rng.random() < 0.5 else parts[::-1]))
        if kind == "/":
            return (kind, term(depth - 1), one_of(rng, DIVISORS.split()))
        if kind == "where":
            return (kind, comparison(depth - 1), term(depth - 1), term(depth - 1))
        return (kind, *(term(depth - 1) for _ in range(1 if kind in ("negative", "abs") else 2)))

    def comparison(depth):
        kind = one_of(rng, [*COMPARISONS, "&", "|", "~"] if depth else COMPARISONS)
        if kind in ("&", "|"):
            return (kind, comparison(depth - 1), comparison(depth - 1))
        if kind == "~":
            return (kind, comparison(depth - 1))
        left, right = term(depth), term(depth)
        return (kind, left if exact(left) or exact(right) else f"x{rng.integers(arity) + 1}", right)

    return term(depth)


def text(tree):
    if isinstance(tree, str):
        return tree if tree[0] in "mxF0123456789." and "/" not in tree else f"({tree})"
    kind, *parts = tree[0], *map(text, tree[1:])
    if kind in ("negative", "~"):
        return f"({'-' if kind == 'negative' else kind}{parts[0]})"
    return f"({parts[0]} {kind} {parts[1]})" if not kind.isalpha() else f"m.{kind}({', '.join(parts)})"


def exact(tree):
    """Tell whether it goes through an input or an operation of m, so that floats in it are rounded no more."""
    return any(sign in text(tree) for sign in ("x", "m."))


def rewritten(rng, tree):
    """Return another tree that means the same."""
    if isinstance(tree, str):
        return tree
    kind, *parts = tree[0], *(rewritten(rng, part) for part in tree[1:])
    a, b = (*parts, None)[:2]
    choices = [(kind, *parts)]
    if kind == "+":
        choices += [("+", b, a), ("-", a, ("negative", b))]
    elif kind == "-":
        choices += [("+", a, ("*", "-1", b)), ("negative", ("-", b, a))]
    elif kind == "*":
        choices += [("*", b, a), ("negative", ("*", ("negative", a), b))]
    elif kind == "/" and exact(a) and "m" not in b:
        choices += [("*", f"(1/F({b}))", a)]
    elif kind == "abs":
        choices += [("maximum", a, ("negative", a)), ("where", ("<", a, "0"), ("negative", a), a)]
    elif kind == "where":
        choices += [("where", ("~", a), parts[2], b)]
    elif kind in ("minimum", "maximum"):
        other, sign, less = ("maximum", "-", "<=") if kind == "minimum" else ("minimum", "+", ">")
        choices += [
            (kind, b, a),
            ("negative", (other, ("negative", a), ("negative", b))),
            ("where", (less, a, b), a, b),
        ]
        if exact(a) or exact(b):
            choices += [("/", (sign, ("+", a, b), ("abs", ("-", a, b))), "2")]
    elif kind in COMPARISONS:
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(kind, kind)
        choices += [(turned, b, a)]
    elif kind in ("&", "|"):
        choices += [(kind, b, a), ("~", ("|" if kind == "&" else "&", ("~", a), ("~", b)))]
    return one_of(rng, choices)


def changed(rng, tree):
    """Return the tree with one thing changed: a number, an operation or a comparison. It may mean the same."""
    if isinstance(tree, str):
        return one_of(rng, NUMBERS.split())
    for group in (COMPARISONS, ["minimum", "maximum"], ["+", "-"], ["&", "|"]):
        if tree[0] in group and rng.random() < 0.3:
            return (one_of(rng, [kind for kind in group if kind != tree[0]]), *tree[1:])
    k = one_of(rng, [k for k in range(1, len(tree)) if not (tree[0] == "/" and k == 2)])
    if tree[0] == "*" and isinstance(tree[k], str) and "x" in tree[k]:
        return tree
    new = (*tree[:k], changed(rng, tree[k]), *tree[k + 1 :])
    # Python compares numbers by itself, and ~ of what it gives is an integer.
    return tree if tree[0] in COMPARISONS and not exact(new) else new
