"""Networks, functions and runs as pictures. Sign is colour, magnitude is width; nothing here computes a result."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Real

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle
from matplotlib.textpath import TextPath

from mathcircuits.figures import INK, MUTED, NEGATIVE, PAPER, POSITIVE, SIGNS
from mathcircuits.network import Network

# A diagram is laid out in ems (1 = the size of its labels), so that it looks the same at any size.
EM = 12.0  # points, where the page is wide enough
PAGE = 13.3  # inches: no figure is wider than a slide
FLOOR = 1e-32  # float64 has no smaller losses worth telling apart


def draw_network(network: Network, *, ax: Axes | None = None, title: str | None = None, scale: float | None = None,
                 captions: bool = True, labels: bool = True, nodes: Sequence[Sequence[str]] | None = None) -> Axes:  # fmt: skip
    """Draw a network from left to right: inputs, hidden units (the ReLU bend in each), outputs.

    Every weight stands on its edge; positive is blue, negative orange, zero dotted without a number. Weights that
    would print as 0.000 count as zero. Where the numbers of a layer cannot all stand without overlap, that layer has none.

    Args:
        network: of any widths; ``network.names`` are the captions.
        ax: where to draw; left out, a new figure of the right size.
        scale: the size of a weight that is drawn in full width; left out, that of the largest.
        captions, labels: whether to write the names of units, the weights and biases.
        nodes: what to write into each node, one list of texts a layer (inputs and outputs are layers too).

    Raises:
        ValueError: ``nodes`` of another shape than ``network.widths``.

    >>> draw_network(Network([[[1], [-1]], [[1, -1]]]), title="identity").get_title()
    'identity'
    """
    if nodes is not None and tuple(map(len, nodes)) != network.widths:
        raise ValueError(f"texts for {tuple(map(len, nodes))} nodes were given; the network has {network.widths}")
    diagram = _Diagram(network.widths, aside=nodes is not None)
    if ax is None:
        (ax,) = diagram.panels(1, header=title is not None)
    places = diagram.place(network) if labels else {}
    diagram.draw(ax, network, places, scale or _largest(network), captions=captions, nodes=nodes)
    diagram.title(ax, title)
    return ax


def draw_activations(network: Network, *points) -> Figure:
    """Draw the network at work: one panel a point, the value of every node in it.

    Hidden units that are off (their value is 0) are grey, and the edges that carry nothing are faded.

    Args:
        points: inputs, one number each for a network of one input, else tuples of arity numbers.

    >>> len(draw_activations(Network([[[1], [-1]], [[1, -1]]]), 3, -5).axes)
    2
    """
    points = [(p,) if isinstance(p, Real) else tuple(p) for p in points]
    if not points:
        raise ValueError("no points were given; wanted one or more")
    diagram = _Diagram(network.widths, aside=True)
    axes, places = diagram.panels(len(points), header=True), diagram.place(network)
    for ax, point in zip(axes, points, strict=True):
        values = network.activations(*point)
        nodes = [[_text(v) for v in layer] for layer in values]
        diagram.draw(ax, network, places, _largest(network), nodes=nodes, values=values)
        names = _node_names(network.widths, 0)
        title = [f"{n}$\\,=\\,${_text(v)}" for n, v in zip(names, point, strict=True)]
        diagram.title(ax, ",  ".join(title))
    return axes[0].figure


def draw_comparison(learned: Network, canonical: Network, theory: Network, *, title: str | None = None) -> Figure:
    """Draw a network as it was learned, in canonical form, and as derived: one geometry, one scale.

    Raises:
        ValueError: networks of unlike numbers of inputs, layers or outputs.

    >>> net = Network([[[1], [-1]], [[1, -1]]])
    >>> [ax.get_title() for ax in draw_comparison(net.to_float(), net.to_float(), net).axes]
    ['learned', 'learned, canonical form', 'theory']
    """
    networks = learned, canonical, theory
    if len({(n.arity, len(n.weights), n.widths[-1]) for n in networks}) > 1:
        widths = ", ".join(str(n.widths) for n in networks)
        raise ValueError(f"networks of widths {widths} were given; wanted as many inputs, layers and outputs in each")
    diagram = _Diagram(tuple(map(max, zip(*(n.widths for n in networks), strict=True))))
    axes = diagram.panels(3, header=True, suptitle=title)
    shared = diagram.place(*networks) if len({n.widths for n in networks}) == 1 else {}
    for ax, network, name in zip(axes, networks, ("learned", "learned, canonical form", "theory"), strict=True):
        own = _Diagram(network.widths, like=diagram)
        places = own.place(network)
        places = {k: shared.get(k) or places[k] for k in places}
        own.draw(ax, network, places, max(map(_largest, networks)), box=diagram.box)
        diagram.title(ax, name)
    return axes[0].figure


def draw_weights(*networks: Network, titles: Sequence[str] | None = None) -> Figure:
    """Draw the weight matrices as heatmaps, one row of panels a network, one colour scale for all.

    Each matrix has shape (out, in): a row is a unit and what it reads.

    >>> len(draw_weights(Network([[[1], [-1]], [[1, -1]]])).axes)
    2
    """
    if not networks or (titles is not None and len(titles) != len(networks)):
        raise ValueError(
            f"{len(networks)} networks and {len(titles or ())} titles were given; wanted one title a network"
        )
    limit = max(map(_largest, networks))
    columns = max(len(n.weights) for n in networks)
    across = [max(n.widths[k] for n in networks if k < len(n.weights)) for k in range(columns)]
    down = [max(n.widths[1:]) for n in networks]
    cell = min(0.62, PAGE / (sum(across) + 1.5 * columns))
    size = cell * (sum(across) + 1.5 * columns), cell * (sum(down) + 2.2 * len(down))
    fig = plt.figure(figsize=size)
    for i, network in enumerate(networks):
        for k, w in enumerate(network.weights):
            left, top = sum(across[:k]) + 1.5 * k + 1.2, sum(down[:i]) + 2.2 * i + 1.2
            box = (
                left * cell / size[0],
                1 - (top + len(w)) * cell / size[1],
                w.shape[1] * cell / size[0],
                len(w) * cell / size[1],
            )
            ax = fig.add_axes(box)
            read, made = _node_names(network.widths, k), _node_names(network.widths, k + 1)
            text = np.array([[_text(v) for v in row] for row in w])
            sns.heatmap(w.astype(float), ax=ax, cmap=SIGNS, vmin=-limit, vmax=limit, cbar=False, linewidths=1, linecolor=INK,
                        annot=text, fmt="", annot_kws={"size": 12}, xticklabels=read, yticklabels=made)  # fmt: skip
            ax.tick_params(length=0, labelsize=13, labelrotation=0, labelbottom=False, labeltop=True)
            if titles and k == 0:
                ax.text(0, 1, "x")
    return fig


def draw_function(f: Callable, *, ax: Axes | None = None, low: float = -1, high: float = 1,
                  network: Network | None = None) -> Axes:  # fmt: skip
    """Draw a function of one input as its graph, of two as level lines; the network lies beneath, wide and pale.

    Args:
        f: a ``Function``, a ``Network``, or anything that has ``arity`` and takes and gives arrays.
        low, high: the range of each input.
        network: what should be the same function.

    Raises:
        ValueError: other than one or two inputs; a network of another arity; more than one output.

    >>> from mathcircuits import FUNCTIONS
    >>> draw_function(FUNCTIONS["absolute_value"]).get_xlabel()
    '$x$'
    """
    if f.arity not in (1, 2) or (network is not None and network.arity != f.arity):
        other = "" if network is None else f" and a network of {network.arity}"
        raise ValueError(f"a function of {f.arity} inputs{other} was given; wanted one or two, the same for both")
    ax = ax or plt.subplots(figsize=(6, 4.5) if f.arity == 1 else (5.5, 5.5))[1]
    grid = np.linspace(low, high, 401 if f.arity == 1 else 161)
    inputs = np.meshgrid(*[grid] * f.arity)
    both = {"network": network, "function": f} if network is not None else {"function": f}
    styles = {
        "network": {"colors": MUTED, "linewidths": 8, "alpha": 0.45},
        "function": {"colors": INK, "linewidths": 1.6},
    }
    values = {name: np.asarray(g(*inputs), dtype=float) for name, g in both.items()}
    if any(v.shape != inputs[0].shape for v in values.values()):
        raise ValueError("a function of several outputs was given; wanted one output")
    if f.arity == 1:
        for line in (ax.axhline, ax.axvline):
            line(0, color=MUTED, linewidth=0.8, zorder=0)
        for name, v in values.items():
            style = {key.rstrip("s"): value for key, value in styles[name].items() if key != "colors"}
            ax.plot(grid, v, color=styles[name]["colors"], label=name, **style)
        ax.set(xlabel="$x$", ylabel="$y$", xlim=(low, high))
        if network is not None:
            ax.legend(loc="best", handlelength=1.6)
        return ax
    limit = np.abs(values["function"]).max() or 1.0
    ax.contourf(*inputs, values["function"], levels=np.linspace(-limit, limit, 41), cmap=SIGNS, alpha=0.75)
    for name, v in values.items():
        lines = ax.contour(*inputs, v, levels=np.linspace(-limit, limit, 9)[1:-1], linestyles="solid", **styles[name])
    ax.clabel(lines, fmt=_text, fontsize=11)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax


def draw_runs(runs, *, ax: Axes | None = None) -> Axes:
    """Draw the loss of every seed over training, on a log axis: solved runs in ink, failed ones grey.

    Args:
        runs: has ``steps`` (n_records,), ``loss`` (n_seeds, n_records; inf or NaN where a run diverged) and
            ``solved`` (n_seeds,) of bool.

    >>> from types import SimpleNamespace
    >>> runs = SimpleNamespace(steps=[0, 1], loss=[[1, 0.1], [1, 0.9]], solved=[True, False])
    >>> [text.get_text() for text in draw_runs(runs).get_legend().get_texts()]
    ['1 solved', '1 failed', 'median of solved']
    """
    steps, loss, solved = (
        np.asarray(runs.steps),
        np.asarray(runs.loss, dtype=float),
        np.asarray(runs.solved, dtype=bool),
    )
    if loss.shape != (len(solved), len(steps)):
        raise ValueError(f"losses of shape {loss.shape} were given for {len(solved)} seeds and {len(steps)} records")
    ax = ax or plt.subplots(figsize=(8, 4.5))[1]
    loss = np.where(np.isfinite(loss), np.maximum(loss, FLOOR), np.nan)
    diverged = int(np.isnan(loss[:, -1]).sum())
    for chosen, word, colour in ((~solved, "failed", MUTED), (solved, "solved", INK)):
        n = int(chosen.sum())
        if n:
            curves = [np.column_stack([steps, row]) for row in loss[chosen]]
            style = {"color": colour, "linewidth": 1, "alpha": float(np.clip(25 / n, 0.12, 0.7))}
            ax.add_collection(LineCollection(curves, rasterized=True, **style), autolim=True)
            label = f"{n:,} {word}" + (f" ({diverged} diverged)" if diverged and word == "failed" else "")
            ax.plot([], [], color=colour, linewidth=2, label=label)
    if solved.any():
        ax.plot(steps, np.median(loss[solved], axis=0), color=INK, linewidth=3.5, label="median of solved")
    ax.set_yscale("log")
    ax.autoscale_view()
    ax.set(xlabel="step", ylabel="loss", xlim=(steps[0], steps[-1]))
    handles, names = ax.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda k: ("solved" not in names[k].split(), names[k].startswith("median")))
    order = sorted(range(len(names)), key=lambda k: ["solved", "failed", "of"].index(names[k].split()[1]))
    ax.legend([handles[k] for k in order], [names[k] for k in order], ncol=3, loc="lower left",
              bbox_to_anchor=(0, 1.0), borderaxespad=0.3, columnspacing=1.6, handlelength=1.4)  # fmt: skip
    return ax


# --- the layout of a diagram ------------------------------------------------------------------------------


class _Diagram:
    """Where everything stands, in ems. Depends on widths alone, so networks of equal widths share one geometry."""

    def __init__(self, widths: Sequence[int], *, like: _Diagram | None = None, aside: bool = False):
        self.widths, self.aside = widths, aside
        if like is None:
            pitch = min(6.4, 40 / max(widths))
            gaps = [min(9.5 + 0.35 * max(0, a * b - 6), 16) for a, b in zip(widths, widths[1:], strict=False)]
            self.columns, self.pitch = np.cumsum([0, *gaps]), pitch
        else:
            self.columns, self.pitch = like.columns, like.pitch
        self.radius = min(1.5, 0.4 * self.pitch)
        self.nodes = [np.column_stack([np.full(n, x), self.pitch * ((n - 1) / 2 - np.arange(n))])
                      for n, x in zip(widths, self.columns, strict=True)]  # fmt: skip
        side, top = self.radius + (2.2 if aside else 0.4), max(p[0, 1] for p in self.nodes) + self.radius + 1.9
        self.box = (-side, self.columns[-1] + side, -top, top)

    def panels(self, n: int, *, header: bool, suptitle: str | None = None) -> list[Axes]:
        """Make a figure of n equal panels, as many in a row as fit."""
        width, height = self.box[1] - self.box[0], self.box[3] - self.box[2]
        columns = min(n, 3)
        rows = -(-n // columns)
        head, top, gutter = 2.4 * header, 2.6 * (suptitle is not None), 2.0
        across, down = columns * width + (columns - 1) * gutter, rows * (height + head) + top
        em = min(EM, PAGE * 72 / across) / 72
        fig = plt.figure(figsize=(across * em, down * em))
        if suptitle is not None:
            fig.text(
                0.5,
                1 - 0.5 * top / down,
                suptitle,
                size=1.4 * em * 72,
                weight="bold",
                color=INK,
                ha="center",
                va="center",
            )
        return [fig.add_axes((i % columns * (width + gutter) / across,
                              1 - (top + (i // columns + 1) * (height + head)) / down, width / across, height / down))
                for i in range(n)]  # fmt: skip

    def title(self, ax: Axes, text: str | None) -> None:
        if text:
            ax.set_title(
                text, fontsize=1.2 * ax.mathcircuits_em, fontweight="bold", color=INK, pad=0.5 * ax.mathcircuits_em
            )

    def captions(self, network: Network) -> list[tuple[float, float, str, tuple[float, float]]]:
        """Centre, text and size of each caption: outside of its node, above in the upper half, else below."""
        found = []
        for points, names in zip(self.nodes[1:-1], network.names, strict=True):
            for (x, y), name in zip(points, names, strict=True):
                text = textwrap.fill(name, 14, break_long_words=False)
                w, h = _size(text, CAPTION)
                away = self.radius + 0.35 + h / 2
                found.append((x, y + (away if y > 1e-9 else -away), text, (w, h)))
        return found if self.pitch > 4.5 else []

    def place(self, *networks: Network) -> dict[int, dict[tuple[int, int], tuple[float, float, float]]]:
        """For each layer, where the weight of each edge (row, column) stands, and how large; none if they cannot."""
        places = {}
        for k in range(len(self.widths) - 1):
            texts = {}
            for network in networks:
                for (i, j), w in np.ndenumerate(network.weights[k]):
                    if not _is_zero(w):
                        texts[i, j] = max(texts.get((i, j), ""), _text(w), key=len)
            blocked = [(x, y, w, h) for n in networks for x, y, _, (w, h) in self.captions(n)]
            blocked += [(x, y, 2 * self.radius, 2 * self.radius) for x, y in [*self.nodes[k], *self.nodes[k + 1]]]
            lines = np.array(
                [[self.nodes[k][j], self.nodes[k + 1][i]] for i, j in np.ndindex(networks[0].weights[k].shape)]
            )
            chosen = [i * self.widths[k] + j for i, j in texts]
            places[k] = {}
            for size in (1.0, 0.85, 0.72) if 0 < len(chosen) <= 40 else ():
                centres = _stand(lines, chosen, np.array([_size(t, size) for t in texts.values()]), np.array(blocked))
                if centres is not None:
                    places[k] = {edge: (*c, size) for edge, c in zip(texts, centres, strict=True)}
                    break
        return places

    def draw(
        self, ax: Axes, network: Network, places, scale: float, *, captions=True, nodes=None, values=None, box=None
    ) -> None:
        left, right, bottom, top = box or self.box
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        ax.axis("off")
        if ax.figure.get_layout_engine() is not None:
            ax.figure.draw_without_rendering()
        ax.apply_aspect()
        inches = ax.get_window_extent().width / ax.get_figure(root=True).dpi
        em = ax.mathcircuits_em = 72 * inches / (right - left)
        patch = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"}
        for k, w in enumerate(network.weights):
            for (i, j), value in np.ndenumerate(w):
                (x0, y0), (x1, y1) = self.nodes[k][j], self.nodes[k + 1][i]
                idle = values is not None and values[k][j] == 0
                colour = _fade(_colour(value)) if idle else _colour(value)
                if _is_zero(value):
                    style = {"linewidth": 0.1 * em, "linestyle": (0, (1, 2.2)), "dash_capstyle": "round", "zorder": 1}
                else:
                    full = 0.4 * em * min(1.0, abs(float(value)) / scale)
                    style = {"linewidth": max(full, 0.06 * em), "solid_capstyle": "butt", "zorder": 1.2 - 0.1 * idle}
                ax.plot([x0, x1], [y0, y1], color=colour, **style)
                if (i, j) in places.get(k, {}) and not _is_zero(value):
                    x, y, size = places[k][i, j]
                    ax.text(x, y, _text(value), size=size * em, color=colour, weight="bold", ha="center", va="center_baseline",
                            bbox=patch, zorder=3)  # fmt: skip
        for k, points in enumerate(self.nodes):
            hidden = 0 < k < len(self.nodes) - 1
            for i, (x, y) in enumerate(points):
                off = hidden and values is not None and values[k][i] == 0
                ax.add_patch(Circle((x, y), self.radius, facecolor=OFF if off else PAPER, edgecolor=MUTED if off else INK,
                                    linewidth=0.11 * em, zorder=4))  # fmt: skip
                text = nodes[k][i] if nodes is not None else "" if hidden else _node_names(self.widths, k)[i]
                if text:
                    size = min(1.15, 1.7 * self.radius / _size(text, 1.0)[0])
                    ax.text(x, y, text, size=size * em, color=INK, ha="center", va="center_baseline", zorder=5)
                elif hidden:
                    bend = np.array([[-0.62, -0.28], [0.02, -0.28], [0.52, 0.42]]) * self.radius
                    ax.plot(*(bend + (x, y)).T, color=INK, linewidth=0.16 * em, solid_joinstyle="round", zorder=5)
                if nodes is not None and not hidden:
                    side = -1 if k == 0 else 1
                    ax.text(x + side * (self.radius + 0.5), y, _node_names(self.widths, k)[i], size=1.15 * em, color=INK,
                            ha="right" if k == 0 else "left", va="center_baseline")  # fmt: skip
        for x, y, text, _ in self.captions(network) if captions else ():
            ax.text(
                x,
                y,
                text,
                size=CAPTION * em,
                color=INK,
                ha="center",
                va="center",
                bbox=patch,
                zorder=2.5,
                linespacing=1.0,
            )


def _stand(lines: np.ndarray, chosen: list[int], sizes: np.ndarray, blocked: np.ndarray) -> np.ndarray | None:
    """Find where labels stand on their edges without overlap: centres (n, 2), or None if there is no room.

    Args: all edges (m, 2, 2), which of them are labelled, size of each label (n, 2), rectangles not to touch (x, y, w, h).
    First in one column; else each where it is best given the others, in turn, until none moves.
    """
    ts = np.linspace(0.12, 0.88, 77)
    start, end = lines[chosen, :1], lines[chosen, 1:]
    centres = start + (end - start) * ts[:, None]  # (n, T, 2)
    far = np.abs(centres[:, :, None] - blocked[:, :2]) * 2 >= sizes[:, None, None] + blocked[:, 2:] + 0.1
    free = far.any(-1).all(-1)
    along = lines[:, :1] + (lines[:, 1:] - lines[:, :1]) * np.linspace(0, 1, 120)[:, None]
    covered = np.array([[(2 * np.abs(along - c) < s).all(-1).any(-1).sum() - 1 for c in row]
                        for row, s in zip(centres, sizes, strict=True)])  # fmt: skip
    cost = np.where(free, 0, 1000) + covered + 2 * np.abs(ts - 0.5)

    def clashes(i: int, at: np.ndarray) -> np.ndarray:
        others = np.delete(np.arange(len(chosen)), i)
        gap = np.abs(centres[i][:, None] - centres[others, at[others]]) * 2
        return ~(gap >= sizes[i] + sizes[others] + 0.15).any(-1)

    every = np.arange(len(chosen))
    best, least = None, np.inf
    for first in np.argsort(np.abs(ts - 0.5), kind="stable"):
        at = np.full(len(chosen), first)
        total = cost[every, at].sum()
        if total < least and not any(clashes(i, at)[first].any() for i in every):
            best, least = at, total
    if best is None:
        for first in (38, 10, 66):
            at = np.full(len(chosen), first)
            for _ in range(40):
                before = at.copy()
                for i in every:
                    at[i] = np.argmin(cost[i] + 100 * clashes(i, at).sum(-1))
                if (at == before).all():
                    break
            total = cost[every, at].sum()
            if total < min(least, 1000) and not any(clashes(i, at)[at[i]].any() for i in every):
                best, least = at, total
    return centres[every, best] if least < 1000 else None


# --- words and colours ------------------------------------------------------------------------------------

CAPTION, OFF = 0.92, "#E3E5E8"
_BOLD = FontProperties(weight="bold")


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


def _fade(colour: str) -> str:
    return to_hex(0.3 * np.array(to_rgb(colour)) + 0.7 * np.array(to_rgb(PAPER)))


def _largest(network: Network) -> float:
    return max(float(np.abs(w.astype(float)).max()) for w in network.weights) or 1.0


def _size(text: str, em: float) -> tuple[float, float]:
    """Width and height of a bold text, with a little room around it."""
    lines = text.split("\n")
    width = max(TextPath((0, 0), line or " ", size=1, prop=_BOLD).get_extents().width for line in lines)
    return em * (width + 0.4), em * (1.15 * len(lines) + 0.1)


def _node_names(widths: Sequence[int], k: int) -> list[str]:
    letter = "x" if k == 0 else "y" if k == len(widths) - 1 else "h"
    n = widths[k]
    return [f"${letter}_{{{i + 1}}}$" for i in range(n)] if n > 1 or letter == "h" else [f"${letter}$"]
