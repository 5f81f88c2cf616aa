"""Networks, functions and runs as pictures. Sign is colour, magnitude is width; nothing here computes a result."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle
from matplotlib.textpath import TextPath

from mathcircuits import checks
from mathcircuits.figures import INK, MUTED, NEGATIVE, PAPER, POSITIVE, SIGNS
from mathcircuits.network import Network, node_names

if TYPE_CHECKING:
    from mathcircuits.reading import Reading

# A diagram is laid out in ems (1 = the size of its labels), so that it looks the same at any size.
EM = 12.0  # points, where the page is wide enough
PAGE = 13.3  # inches: no figure is wider than a slide
CAPTION = 0.92  # ems, the size of the names of units
OFF = "#E3E5E8"  # the inside of a unit that is off
FLOOR = 1e-32  # float64 has no smaller losses worth telling apart
BOLD = FontProperties(weight="bold")


def draw_network(
    network: Network | Reading,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    scale: float | None = None,
    captions: bool = True,
    labels: bool = True,
) -> Axes:
    """Draw a network from left to right: inputs, hidden units (the ReLU bend in each), outputs.

    Every weight stands on its edge; positive is blue, negative orange, zero dotted without a number. Weights that
    would print as 0.000 count as zero. A bias that is not zero stands at its node. Where the weights of a layer cannot
    all stand without overlap, that layer has none.

    Args:
        network: of any widths; ``network.names`` are the captions. Of a Reading, the network that was read, its
            units captioned with what they are.
        ax: where to draw; left out, a new figure of the right size.
        scale: the size of a weight that is drawn in full width; left out, that of the largest.
        captions, labels: whether to write the names of units; the weights and biases.

    Raises:
        TypeError: something other than a Network or a Reading. ValueError: a scale that is not a positive number.

    >>> draw_network(Network([[[1], [-1]], [[1, -1]]]), title="identity").get_title()
    'identity'
    """
    network = _checked(getattr(network, "given", network), ax, title)  # the one that a Reading is of
    scale = _largest(network) if scale is None else checks.number("the scale", scale, above=0)
    captions, labels = checks.flag("captions", captions), checks.flag("labels", labels)
    diagram = _Diagram([network])
    ax = ax or diagram.panels(1, header=title is not None)[0]
    places = diagram.place([network]) if labels else {}
    diagram.draw(ax, network, places, float(scale), title=title, captions=captions, biases=labels)
    return ax


def draw_activations(network: Network, *points, sums: bool = False) -> Figure:
    """Draw the network at work: one panel a point, the value of every node in it.

    Hidden units that are off (their value is 0) are grey, and the edges that carry nothing are faded.

    Args:
        points: inputs, one number each for a network of one input, else tuples of arity numbers.
        sums: whether to divide each hidden unit: the sum that comes in on the left, its value after ReLU on the right.

    Raises:
        TypeError: something other than a Network; points that are no numbers.
        ValueError: no points, or one of another arity; NaN or infinity.

    >>> len(draw_activations(Network([[[1], [-1]], [[1, -1]]]), 3, -5).axes)
    2
    """
    _checked(network)
    points = [(p,) if np.ndim(p) == 0 else p for p in points]
    points = [tuple(checks.number("the input", x) for x in point) for point in points]
    if not points:
        raise ValueError("no points were given; wanted one or more")
    values = [network.activations(*point) for point in points]
    diagram = _Diagram([network], aside=1.6)
    axes, places = diagram.panels(len(points), header=True), diagram.place([network])
    for ax, point, layers in zip(axes, points, values, strict=True):
        names = _node_names(network.widths, 0)
        title = ",  ".join(f"{n}$\\,=\\,${_text(v)}" for n, v in zip(names, point, strict=True))
        before = [w @ v + b for w, b, v in zip(network.weights, network.biases, layers, strict=False)]
        diagram.draw(ax, network, places, _largest(network), title=title, values=layers, sums=before if sums else None)
    return axes[0].figure


def draw_comparison(
    learned: Network,
    canonical: Network,
    theory: Network,
    *,
    title: str | None = None,
    gaps: Sequence[float] | None = None,
) -> Figure:
    """Draw a network as it was learned, in canonical form, and as derived: one geometry, one scale.

    Args:
        gaps: from each layer to the next, in sizes of the type; left out, 12 or more. Smaller gaps leave a figure
            that is as wide as a page larger type.

    Raises:
        TypeError: something other than Networks.
        ValueError: networks of unlike numbers of inputs, layers or outputs; gaps that are not one positive number for
            each step from layer to layer.

    >>> net = Network([[[1], [-1]], [[1, -1]]])
    >>> [ax.get_title() for ax in draw_comparison(net.to_float(), net.to_float(), net).axes]
    ['learned', 'learned, canonical form', 'theory']
    """
    networks = {"learned": learned, "learned, canonical form": canonical, "theory": theory}
    for network in networks.values():
        _checked(network, title=title)
    widths = [n.widths for n in networks.values()]
    if len({(w[0], len(w), w[-1]) for w in widths}) > 1:
        raise ValueError(f"networks of widths {widths} were given; wanted as many inputs, layers and outputs in each")
    steps = len(theory.weights)
    if gaps is not None and (len(gaps) != steps or min(gaps) <= 0):
        raise ValueError(f"gaps {gaps} were given; wanted a positive number for each of the {steps} weight matrices")
    frame = _Diagram([*networks.values()], gaps=gaps)
    axes = frame.panels(3, header=True, suptitle=title)
    for ax, (name, network) in zip(axes, networks.items(), strict=True):
        diagram = _Diagram([network], frame=frame)
        alike = [n for n in networks.values() if n.widths == network.widths]
        places = diagram.place(alike)
        diagram.draw(ax, network, places, max(map(_largest, networks.values())), title=name)
    return axes[0].figure


def draw_weights(*networks: Network, titles: Sequence[str] | None = None) -> Figure:
    """Draw the weight matrices as heatmaps, one row of panels a network, one colour scale for all.

    Each matrix has shape (out, in): a row is a unit and what it reads.

    Raises:
        TypeError: something other than Networks.
        ValueError: no networks, networks of unlike depth, or another number of titles than of networks.

    >>> len(draw_weights(Network([[[1], [-1]], [[1, -1]]])).axes)
    2
    """
    depths = {len(_checked(n).weights) for n in networks}
    if len(depths) != 1 or (titles is not None and len(titles) != len(networks)):
        raise ValueError(
            f"{len(networks)} networks of {depths or 'no'} matrices and {len(titles or ())} titles were given; "
            "wanted networks of equal depth, one title each"
        )
    across = [max(n.widths[k] for n in networks) for k in range(*depths)]
    down = [max(n.widths[1:]) for n in networks]
    limit = max(map(_largest, networks))
    fig, axes = plt.subplots(
        len(networks),
        len(across),
        figsize=(0.75 * sum(across) + 0.9 * len(across), 0.6 * sum(down) + 0.9 * len(down)),
        gridspec_kw={"width_ratios": across, "height_ratios": down, "hspace": 0.4, "wspace": 0.4},
        squeeze=False,
    )
    for i, network in enumerate(networks):
        for k, (ax, w) in enumerate(zip(axes[i], network.weights, strict=True)):
            box = ax.get_position()  # a cell is as large in every panel
            height, width = box.height * len(w) / down[i], box.width * w.shape[1] / across[k]
            ax.set_position((box.x0, box.y1 - height, width, height))
            sns.heatmap(
                w.astype(float),
                ax=ax,
                cmap=SIGNS,
                vmin=-limit,
                vmax=limit,
                cbar=False,
                linewidths=1,
                linecolor=INK,
                annot=np.array([[_text(v) for v in row] for row in w]),
                fmt="",
                annot_kws={"size": 11},
                xticklabels=_node_names(network.widths, k),
                yticklabels=_node_names(network.widths, k + 1),
            )
            ax.tick_params(length=0, labelsize=13, labelrotation=0, labelbottom=False, labeltop=True)
        axes[i][0].set_title(titles[i] if titles else "", loc="left")
    return fig


def draw_function(
    f: Callable, *, ax: Axes | None = None, low: float = -1, high: float = 1, network: Network | None = None
) -> Axes:
    """Draw a function of one input as its graph, of two as level lines; the network lies beneath, wide and pale.

    Args:
        f: a ``Function``, a ``Network``, or anything that has ``arity`` and takes and gives arrays.
        low, high: the range of each input.
        network: what should be the same function.

    Raises:
        TypeError: something that is no function; a network that is no Network; ends that are no numbers.
        ValueError: other than one or two inputs; a network of another arity; more than one output; an empty range.

    >>> from mathcircuits import FUNCTIONS
    >>> draw_function(FUNCTIONS["absolute_value"]).get_xlabel()
    '$x$'
    """
    if not (callable(f) and isinstance(getattr(f, "arity", None), int)):
        raise TypeError(f"the function {checks.shown(f)} was given; wanted a Function, or a callable that has an arity")
    drawn = [f] if network is None else [_checked(network), f]
    ((low, high),) = checks.box((low, high), 1)
    if f.arity not in (1, 2) or any(g.arity != f.arity for g in drawn):
        raise ValueError(f"inputs {[g.arity for g in drawn]} were given; wanted one or two, the same for both")
    grid = np.linspace(low, high, 401 if f.arity == 1 else 161)
    inputs = np.meshgrid(*[grid] * f.arity)
    values = [np.asarray(g(*inputs), dtype=float) for g in drawn]
    if any(v.shape != inputs[0].shape for v in values):
        raise ValueError("a function of several outputs was given; wanted one output")
    ax = ax or plt.subplots(figsize=(6, 4.5) if f.arity == 1 else (5.5, 5.5))[1]
    styles = [(MUTED, 8, 0.45, "network"), (INK, 1.6, None, "function")][-len(drawn) :]
    if f.arity == 1:
        ax.axhline(0, color=MUTED, linewidth=0.8, zorder=0)
        ax.axvline(0, color=MUTED, linewidth=0.8, zorder=0)
        for v, (colour, width, alpha, name) in zip(values, styles, strict=True):
            ax.plot(grid, v, color=colour, linewidth=width, alpha=alpha, label=name)
        ax.set(xlabel="$x$", ylabel="$y$", xlim=(low, high))
        if network is not None:
            ax.legend(loc="best", handlelength=1.6)
        return ax
    limit = np.abs(values[-1]).max() or 1.0
    ax.contourf(*inputs, values[-1], levels=np.linspace(-limit, limit, 41), cmap=SIGNS, alpha=0.75)
    levels = np.linspace(-limit, limit, 9)[1:-1]
    for v, (colour, width, alpha, _) in zip(values, styles, strict=True):
        lines = ax.contour(*inputs, v, levels=levels, linestyles="solid", colors=colour, linewidths=width, alpha=alpha)
    ax.clabel(lines, fmt=lambda v: f"{v:g}".replace("-", "−"), fontsize=11)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    ax.locator_params(nbins=5)
    return ax


def draw_directions(network: Network, *, ax: Axes | None = None, reach: float = 1.5, slope: float = 1) -> Axes:
    """Draw the units of a network of two inputs and one hidden layer as arrows, from the origin along (w1, w2).

    An arrow is as long as its unit counts, |a| times the length of w, and has the colour of the sign of a, its
    outgoing weight. A unit that hardly counts is a dot.

    Args:
        reach: both axes go from -reach to reach.
        slope: of the grey line through the origin that the directions are to be compared with.

    Raises:
        TypeError: something other than a Network. ValueError: networks of other inputs, depth or outputs; a reach that
            is not positive.

    >>> draw_directions(Network([[[1, -1]], [[-1]]])).get_xlabel()
    '$w_1\\\\,|a|$'
    """
    _checked(network, ax)
    reach, slope = float(checks.number("the reach", reach, above=0)), float(checks.number("the slope", slope))
    if (network.arity, len(network.weights), network.widths[-1]) != (2, 2, 1):
        raise ValueError(f"a network of widths {network.widths} was given; wanted (2, ..., 1) with one hidden layer")
    ax = ax or plt.subplots(figsize=(4.5, 4.5))[1]
    ax.axline((0, 0), slope=slope, color=MUTED, linewidth=1, zorder=0)
    for w, a in zip(network.weights[0], network.weights[1][0], strict=True):
        tip = (w * abs(a)).astype(float)
        length = np.hypot(*tip) / reach
        if length < 0.05:
            ax.plot(*tip, "o", color=_colour(a), markersize=5)
        else:
            style = {"arrowstyle": "-|>", "color": _colour(a), "linewidth": 3, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", tip, (0, 0), arrowprops=style | {"mutation_scale": min(18, 60 * length)})
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel=r"$w_1\,|a|$", ylabel=r"$w_2\,|a|$")
    return ax


def draw_runs(runs, *, ax: Axes | None = None) -> Axes:
    """Draw the loss of every seed over training, on a log axis: solved runs in ink, failed ones dashed and grey.

    Args:
        runs: has ``steps`` (n_records,), ``loss`` (n_seeds, n_records; inf or NaN where a run diverged) and
            ``solved`` (n_seeds,) of bool; ``dead``, likewise, may be left out.

    Raises:
        TypeError: something that has no such losses. ValueError: losses of another shape.

    >>> from types import SimpleNamespace
    >>> runs = SimpleNamespace(steps=[0, 1], loss=[[1, 0.1], [1, 0.9]], solved=[True, False])
    >>> [text.get_text() for text in draw_runs(runs).get_legend().get_texts()]
    ['1 solved', 'median of solved', '1 failed']
    """
    if not all(hasattr(runs, name) for name in ("steps", "loss", "solved")):
        raise TypeError(f"the runs {checks.shown(runs)} were given; wanted Runs, as train returns them")
    steps, solved = np.asarray(runs.steps), np.asarray(runs.solved, dtype=bool)
    loss = np.asarray(runs.loss, dtype=float)
    if loss.shape != (len(solved), len(steps)):
        raise ValueError(f"losses of shape {loss.shape} were given for {len(solved)} seeds and {len(steps)} records")
    ax = ax or plt.subplots(figsize=(8, 4.5))[1]
    loss = np.where(np.isfinite(loss), np.maximum(loss, FLOOR), np.nan)
    counts = {"diverged": np.isnan(loss[:, -1]).sum(), "dead": np.sum(~solved & getattr(runs, "dead", False))}
    also = ", ".join(f"{n:,} {word}" for word, n in counts.items() if n)
    styles = {
        "solved": {"color": INK, "alpha": np.clip(25 / max(solved.sum(), 1), 0.12, 0.7), "linestyle": "-"},
        "failed": {"color": MUTED, "alpha": 0.8, "linestyle": (0, (4, 2))},
    }
    for word, chosen in {"solved": solved, "failed": ~solved}.items():
        curves = [np.column_stack([steps, row]) for row in loss[chosen]]
        ax.add_collection(LineCollection(curves, linewidth=1, rasterized=True, **styles[word]))
        if curves:
            label = f"{len(curves):,} {word}" + (f" ({also})" if also and word == "failed" else "")
            ax.plot([], [], label=label, **styles[word] | {"alpha": 1})
        if curves and word == "solved":
            ax.plot(steps, np.median(loss[chosen], axis=0), color=INK, linewidth=3.5, label="median of solved")
    ax.set_yscale("log")
    ax.autoscale_view()
    ax.set(xlabel="step", ylabel="loss (mean squared error)", xlim=(steps[0], steps[-1]))
    ax.legend(ncol=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, columnspacing=1.6, handlelength=1.4)
    return ax


def _checked(network, ax=None, title=None) -> Network:
    """Let through a network, axes and a title; the last two may be left out."""
    checks.instance("ax", ax, Axes, type(None), wanted="axes of matplotlib")
    checks.instance("the title", title, str, type(None), wanted="a string")
    return checks.instance("the network", network, Network, wanted="a Network")


# --- the layout of a diagram ------------------------------------------------------------------------------


class _Diagram:
    """Where everything stands, in ems. Depends on widths alone, so networks of equal widths share one geometry."""

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        frame: _Diagram | None = None,
        aside: float = 0.0,
        gaps: Sequence[float] | None = None,
    ):
        self.widths = tuple(map(max, zip(*(n.widths for n in networks), strict=True)))
        pairs = zip(self.widths, self.widths[1:], strict=False)
        gaps = [np.clip(12 + 0.3 * (a * b - 6), 12, 16) for a, b in pairs] if gaps is None else gaps
        self.columns = frame.columns if frame else np.cumsum([0, *gaps])
        self.pitch = frame.pitch if frame else min(6.4, 40 / max(self.widths))
        self.radius = min(1.5, 0.4 * self.pitch)
        self.nodes = [
            np.column_stack([np.full(n, x), self.pitch * ((n - 1) / 2 - np.arange(n))])
            for n, x in zip(self.widths, self.columns, strict=True)
        ]
        alike = [n for n in networks if n.widths == self.widths]
        edges = [abs(y) + size[1] / 2 for n in alike for (_, y), _, size in self.captions(n)]
        side = self.radius + 0.4 + aside
        top = max(max(p[0, 1] for p in self.nodes) + self.radius + 1.9, *edges, 0)
        self.box = frame.box if frame else (-side, self.columns[-1] + side, -top, top)

    def panels(self, n: int, *, header: bool, suptitle: str | None = None) -> list[Axes]:
        """Make a figure of n equal panels, at most three in a row."""
        width, height = self.box[1] - self.box[0], self.box[3] - self.box[2]
        columns = min(n, 3)
        rows = -(-n // columns)
        head, top, gutter = 2.4 * header, 2.6 * (suptitle is not None), 2.0
        across, down = columns * width + (columns - 1) * gutter, rows * (height + head) + top
        em = min(EM / 72, PAGE / across)
        fig = plt.figure(figsize=(across * em, down * em))
        if suptitle is not None:
            fig.suptitle(suptitle, size=1.4 * em * 72, y=1 - 0.5 * top / down, va="center")
        corners = [(i % columns * (width + gutter), top + (i // columns + 1) * (height + head)) for i in range(n)]
        return [fig.add_axes((x / across, 1 - y / down, width / across, height / down)) for x, y in corners]

    def captions(self, network: Network) -> Iterable[tuple[np.ndarray, str, tuple[float, float]]]:
        """Centre, text and size of each caption: outside of its node, above in the upper half, else below."""
        for points, names in zip(self.nodes[1:-1], network.names, strict=True):
            for point, name in zip(points, names, strict=True):
                if name and self.pitch > 4.5:
                    text = textwrap.fill(name, 12, break_long_words=False)
                    size = _size(text, CAPTION)
                    away = self.radius + 0.3 + size[1] / 2
                    yield point + (0, away if point[1] > 1e-9 else -away), text, size

    def place(self, networks: Sequence[Network]) -> dict[tuple[int, int, int], tuple[float, float, float]]:
        """For each edge (layer, row, column) where its weight stands, for all networks alike, and how large."""
        places = {}
        for k in range(len(self.widths) - 1):
            texts: dict[tuple[int, int], str] = {}
            for network in networks:
                for edge, w in np.ndenumerate(network.weights[k]):
                    if not _is_zero(w):
                        texts[edge] = max(texts.get(edge, ""), _text(w), key=len)
            taken = [(*centre, *size) for n in networks for centre, _, size in self.captions(n)]
            taken += [(*p, 2 * self.radius, 2 * self.radius) for p in [*self.nodes[k], *self.nodes[k + 1]]]
            lines = {
                (i, j): (self.nodes[k][j], self.nodes[k + 1][i])
                for i, j in np.ndindex(self.widths[k + 1], self.widths[k])
            }
            for em in (1.0, 0.85, 0.72) if 0 < len(texts) <= 40 else ():
                centres = _stand(lines, {edge: _size(t, em) for edge, t in texts.items()}, np.array(taken))
                if centres is not None:
                    places |= {(k, *edge): (*c, em) for edge, c in zip(texts, centres, strict=True)}
                    break
        return places

    def draw(
        self, ax, network, places, scale, *, title=None, captions=True, biases=True, values=None, sums=None
    ) -> None:
        ax.set(xlim=self.box[:2], ylim=self.box[2:], aspect="equal")
        ax.axis("off")
        ax.apply_aspect()
        em = 72 * ax.get_window_extent().width / ax.get_figure(root=True).dpi / (self.box[1] - self.box[0])
        if title:
            ax.set_title(title, fontsize=1.2 * em, color=INK, pad=0.5 * em)

        def write(x, y, text, size=1.0, ha="center", va="center_baseline", **style):
            ax.text(x, y, text, **{"size": size * em, "color": INK, "ha": ha, "va": va, "zorder": 5} | style)

        patch = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"}
        for k, w in enumerate(network.weights):
            for (i, j), weight in np.ndenumerate(w):
                (x, y), zero = np.array([self.nodes[k][j], self.nodes[k + 1][i]]).T, _is_zero(weight)
                idle = values is not None and values[k][j] == 0
                thick = 0.1 if zero else max(0.4 * min(1.0, abs(float(weight)) / scale), 0.06)
                style = {"linestyle": (0, (1, 2.2)), "dash_capstyle": "round"} if zero else {"solid_capstyle": "butt"}
                colour = _pale(_colour(weight)) if idle else _colour(weight)
                ax.plot(x, y, color=colour, linewidth=thick * em, zorder=1.2 - 0.1 * idle - 0.2 * zero, **style)
                if (k, i, j) in places and not zero:
                    px, py, size = places[k, i, j]
                    write(px, py, _text(weight), size, color=colour, weight="bold", bbox=patch, zorder=3)
        for k, points in enumerate(self.nodes):
            hidden = 0 < k < len(self.nodes) - 1
            for i, (x, y) in enumerate(points):
                off = hidden and values is not None and values[k][i] == 0
                style = {"facecolor": OFF if off else PAPER, "edgecolor": MUTED if off else INK}
                ax.add_patch(Circle((x, y), self.radius, linewidth=0.11 * em, zorder=4, **style))
                name = _node_names(self.widths, k)[i]
                if hidden and sums is not None:
                    ax.plot(
                        (x, x), (y - self.radius, y + self.radius), color=style["edgecolor"], lw=0.11 * em, zorder=5
                    )
                    halves = _text(sums[k - 1][i]), _text(values[k][i])
                    room = min(0.95, 0.95 * self.radius / max(_size(text, 1.0)[0] for text in halves))
                    for side, text in zip((-1, 1), halves, strict=True):
                        write(x + side * 0.48 * self.radius, y, text, room)
                elif values is not None or not hidden:
                    text = name if values is None else _text(values[k][i])
                    write(x, y, text, min(1.15, 1.7 * self.radius / _size(text, 1.0)[0]))
                else:
                    bend = np.array([[-0.62, -0.28], [0.02, -0.28], [0.52, 0.42]]) * self.radius + (x, y)
                    ax.plot(*bend.T, color=INK, linewidth=0.16 * em, solid_joinstyle="round", zorder=5)
                if values is not None and not hidden:
                    side = -1 if k == 0 else 1
                    write(x + side * (self.radius + 0.5), y, name, 1.15, ha="right" if k == 0 else "left")
                if biases and k > 0 and not _is_zero(bias := network.biases[k - 1][i]):
                    away = (self.radius + 0.8) * (-1 if y > 1e-9 and hidden else 1)
                    sign = "" if bias < 0 else "+"
                    write(x, y + away, sign + _text(bias), color=_colour(bias), weight="bold", bbox=patch, zorder=3)
        for (x, y), text, _ in self.captions(network) if captions else ():
            write(x, y, text, CAPTION, va="center", bbox=patch, zorder=2.5, linespacing=1.0)


def _stand(lines: dict, sizes: dict, taken: np.ndarray) -> np.ndarray | None:
    """Find where labels stand on their edges without overlap: centres (n, 2), or None if none was found.

    Args: every edge's two ends; the size of each label, by its edge; rectangles not to touch (x, y, width, height).
    Each label in turn moves to where it is best given the others (no overlap, few edges covered, near the middle),
    until none moves.
    """
    ts = np.linspace(0.12, 0.88, 77)
    ends, size = np.array([lines[edge] for edge in sizes]), np.array([*sizes.values()])
    centres = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * ts[:, None]  # (labels, places, 2)
    every = np.array([*lines.values()])
    along = every[:, :1] + (every[:, 1:] - every[:, :1]) * np.linspace(0, 1, 120)[:, None]  # (edges, points, 2)
    cost = np.tile(2 * np.abs(ts - 0.5), (len(size), 1))
    for i, (places, s) in enumerate(zip(centres, size, strict=True)):
        cost[i] += (2 * np.abs(along - places[:, None, None]) < s + 0.4).all(-1).any(-1).sum(-1)
        cost[i] += 1000 * (2 * np.abs(places[:, None] - taken[:, :2]) < s + taken[:, 2:] + 0.1).all(-1).any(-1)

    def overlaps(i: int, at: np.ndarray) -> np.ndarray:
        others = np.delete(np.arange(len(size)), i)
        gap = 2 * np.abs(centres[i][:, None] - centres[others, at[others]])
        return (gap < size[i] + size[others] + 0.15).all(-1).sum(-1)

    found = {}
    for start in (38, 24, 52, 10, 66):
        at = np.full(len(size), start)
        for _ in range(40):
            before = at.copy()
            for i in range(len(size)):
                at[i] = np.argmin(cost[i] + 100 * overlaps(i, at))
            if (at == before).all():
                break
        own = np.arange(len(size)), at
        found[cost[own].sum() + 1000 * sum(overlaps(i, at)[at[i]] for i in range(len(size)))] = centres[own]
    return found[min(found)] if min(found) < 1000 else None


# --- words and colours ------------------------------------------------------------------------------------


def _text(value) -> str:
    """Exact numbers in full, floats with three decimals, true minus signs.

    >>> _text(Fraction(-1, 2)), _text(-1.1)
    ('−1/2', '−1.100')
    """
    exact = str(Fraction(value)) if isinstance(value, int | Fraction) else ""
    return (exact if 0 < len(exact) < 9 else f"{float(value):.3f}").replace("-", "−")


def _is_zero(value) -> bool:
    return _text(value).strip("−") in ("0", "0.000")


def _colour(value) -> str:
    return MUTED if _is_zero(value) else POSITIVE if value > 0 else NEGATIVE


def _pale(colour: str) -> str:
    return sns.light_palette(colour, 10).as_hex()[3]


def _largest(network: Network) -> float:
    return max(float(np.abs(w.astype(float)).max()) for w in network.weights) or 1.0


@cache  # as the same few words are measured hundreds of times
def _size(text: str, em: float) -> tuple[float, float]:
    """Width and height of a bold text, with a little room around it."""
    lines = text.split("\n")
    width = max(TextPath((0, 0), line, size=1, prop=BOLD).get_extents().width for line in lines)
    return em * (width + 0.4), em * (1.15 * len(lines) + 0.1)


def _node_names(widths: Sequence[int], k: int) -> list[str]:
    return [f"${name[0]}_{{{name[1:]}}}$" if name[1:] else f"${name}$" for name in node_names(widths)[k]]


# --- what is built from what ------------------------------------------------------------------------------


def draw_parts(parts: Mapping[str, Collection[str]], rows: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw what is built from what, as a table: a row for each thing, a column for each part of any of them.

    A dot stands where the row names the part itself, a ring where it is inside another part. The columns are in the
    order of ``parts``. A thing that is a part of others, too, has a row and a column.

    Args:
        parts: for every name, the names of what it is made from directly; an empty collection ends the line.
        rows: the names to draw, from top to bottom.

    Raises:
        ValueError: a name that is no key of ``parts``; things that are built from each other in a circle.

    >>> ax = draw_parts({"a": [], "b": ["a"], "c": ["b"]}, ["b", "c"])
    >>> [label.get_text() for label in ax.get_xticklabels()], [label.get_text() for label in ax.get_yticklabels()]
    (['a', 'b'], ['b', 'c'])
    """
    if missing := {name for names in (rows, *parts.values()) for name in names} - parts.keys():
        raise ValueError(f"{sorted(missing)} were named; wanted keys of the parts")
    inside = {name: set(parts[name]) for name in rows}  # of each row, all parts at any depth
    for _ in range(len(parts)):
        inside = {name: found.union(*(parts[part] for part in found)) for name, found in inside.items()}
    if circle := sorted(name for name, found in inside.items() if name in found):
        raise ValueError(f"{circle} were given as parts of themselves; wanted what is built from something else")
    columns = [part for part in parts if any(part in found for found in inside.values())]
    ax = ax or plt.subplots(figsize=(2.6 + 0.42 * len(columns), 1.9 + 0.31 * len(rows)))[1]
    for y, name in enumerate(rows):
        ax.axhline(y, color=OFF, linewidth=1, zorder=0)
        for x, part in enumerate(columns):
            if part in inside[name]:
                fill = INK if part in parts[name] else PAPER
                ax.plot(x, y, "o", color=INK, markerfacecolor=fill, markersize=9, markeredgewidth=1.3, clip_on=False)
    for x in range(len(columns)):
        ax.axvline(x, color=OFF, linewidth=1, zorder=0)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0, pad=6, labelsize=13, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax
