"""Pictures are tested by what stands in them: texts, colours, widths and places, read back from the drawn figure."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Circle

import mathcircuits as mc
from mathcircuits import FUNCTIONS, INK, MUTED, NEGATIVE, POSITIVE, Network, circuits

pytestmark = pytest.mark.usefixtures("style")

RANDOM = np.random.default_rng(0)
CIRCUITS = {
    "identity": circuits.identity(),
    "addition": circuits.addition(),
    "minimum": circuits.minimum(),
    "two layers": circuits.minimum_two_layers(),
    "three": circuits.minimum_of_three(),
    "tournament of three": circuits.minimum_of(3),
    "four": circuits.minimum_of_four(),
    "learned": Network([RANDOM.normal(size=(3, 2)), RANDOM.normal(size=(1, 3))]),
    "learned, two layers": Network([RANDOM.normal(size=shape) for shape in [(4, 3), (3, 4), (1, 3)]]),
    "biases": Network([[[1, 0], [1, -1]], [[1, -1]]], [[1, 0], [Fraction(-1, 2)]], [("shifted", "greaterness")]),
}


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def number(text: str) -> float:
    return float(Fraction(text.replace("−", "-")))


def boxes(ax) -> dict:
    """Return the rectangle on the page of every text that is bold or has a patch: weights, biases and captions."""
    ax.figure.draw_without_rendering()
    return {text: text.get_window_extent() for text in ax.texts if text.get_bbox_patch() is not None}


def edges(ax, network: Network) -> dict:
    """Return the line of each weight, by its ends: inputs stand leftmost, the first of a layer on top."""
    centres = [(c.center, c.radius) for c in ax.patches if isinstance(c, Circle)]
    columns = [
        sorted((p for p, _ in centres if p[0] == x), key=lambda p: -p[1]) for x in sorted({p[0] for p, _ in centres})
    ]
    assert tuple(map(len, columns)) == network.widths
    found = {}
    for k in range(len(network.weights)):
        for i, j in np.ndindex(network.weights[k].shape):
            ends = np.array([columns[k][j], columns[k + 1][i]])
            lines = [line for line in ax.lines if np.array_equal(np.column_stack(line.get_data()), ends)]
            assert len(lines) == 1
            found[k, i, j] = lines[0]
    return found


@pytest.mark.parametrize("name", CIRCUITS)
def test_sign_is_colour_and_magnitude_is_width(name):
    network = CIRCUITS[name]
    lines = edges(mc.draw_network(network), network)
    size = {edge: abs(float(network.weights[edge[0]][edge[1:]])) for edge in lines}
    for edge, line in lines.items():
        weight = network.weights[edge[0]][edge[1:]]
        assert to_hex(line.get_color()).upper() == (POSITIVE if weight > 0 else NEGATIVE if weight < 0 else MUTED)
        assert (line.get_linestyle() == "-") == (weight != 0)
    drawn = sorted((e for e in lines if size[e] > 0.2 * max(size.values())), key=size.get)
    widths = [lines[e].get_linewidth() for e in drawn]
    assert widths == pytest.approx([lines[drawn[-1]].get_linewidth() * size[e] / size[drawn[-1]] for e in drawn])


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_weight_stands_on_its_edge_in_its_colour(name):
    network = CIRCUITS[name]
    ax = mc.draw_network(network)
    lines, bold = edges(ax, network), [t for t in ax.texts if t.get_weight() == "bold"]
    for edge, line in lines.items():
        weight = network.weights[edge[0]][edge[1:]]
        start, end = np.column_stack(line.get_data())
        on_it = [
            text
            for text in bold
            if abs(np.cross(np.array([*(end - start), 0]), np.array([*(np.array(text.get_position()) - start), 0]))[2])
            < 1e-6 * np.linalg.norm(end - start)
            and abs(number(text.get_text()) - float(weight)) < 0.0006
        ]
        if weight == 0:
            continue
        assert on_it, f"{weight} of edge {edge} has no label"
        assert to_hex(on_it[0].get_color()) == to_hex(line.get_color())
    biases = sum(float(b) != 0 for layer in network.biases for b in layer)
    assert len(bold) == biases + sum(int((w != 0).sum()) for w in network.weights)


@pytest.mark.parametrize("name", CIRCUITS)
def test_no_two_labels_overlap_each_other_or_a_node(name):
    ax = mc.draw_network(CIRCUITS[name])
    found = boxes(ax)
    nodes = {patch: patch.get_window_extent() for patch in ax.patches if isinstance(patch, Circle)}
    items = [*found.items()]
    for n, (text, box) in enumerate(items):
        for other, rectangle in [*items[n + 1 :], *nodes.items()]:
            assert not box.overlaps(rectangle), f"{text} on {other}"


def test_biases_are_shown_only_where_they_are_not_zero():
    assert {"+1", "−1/2"} <= set(texts(mc.draw_network(CIRCUITS["biases"])))
    assert not {"+0", "0"} & set(texts(mc.draw_network(CIRCUITS["biases"])))
    without = mc.draw_network(CIRCUITS["biases"], labels=False)
    assert set(texts(without)) == {"$x_{1}$", "$x_{2}$", "$y$", "shifted", "greaterness"}


def test_activations_show_the_value_of_every_node():
    network = circuits.minimum()
    for ax, point in zip(mc.draw_activations(network, (3, 5), (3, -5)).axes, [(3, 5), (3, -5)], strict=True):
        values = [max(point[0] - point[1], 0), max(point[0], 0), max(-point[0], 0), *point, min(point)]
        shown = texts(ax)
        assert all(str(v).replace("-", "−") in shown for v in values)
        off = [c for c in ax.patches if isinstance(c, Circle) and to_hex(c.get_edgecolor()).upper() == MUTED]
        assert len(off) == values[:3].count(0)
        for (k, i, j), line in edges(ax, network).items():
            colour, weight = np.array(to_rgb(line.get_color())), network.weights[k][i, j]
            full = np.array(to_rgb(POSITIVE if weight > 0 else NEGATIVE if weight < 0 else MUTED))
            idle = (point, values[:3])[k][j] == 0
            assert (colour >= full).all() and ((colour - full).sum() > 0.3) == idle, "what carries nothing is faded"


def test_comparison_has_one_geometry_and_one_scale():
    learned = Network([[[0.5, 0.0], [0.0, -1.0], [2.0, 2.0]], [[1.0, 0.25, 0.5]]])
    fig = mc.draw_comparison(learned, learned, circuits.minimum())
    panels = [edges(ax, circuits.minimum()) for ax in fig.axes]
    for edge in panels[0]:
        assert all(np.array_equal(panels[0][edge].get_data(), panel[edge].get_data()) for panel in panels)
    assert panels[0][0, 2, 0].get_linewidth() == pytest.approx(2 * panels[2][0, 1, 0].get_linewidth())
    sizes = {tuple(np.round(ax.get_window_extent().size, 6)) for ax in fig.axes}
    assert len(sizes) == 1


def test_smaller_gaps_leave_larger_type():
    learned = Network([[[0.0, 1.036], [0.0, -1.101], [-0.857, 0.857]], [[0.965, -0.909, -1.167]]])
    usual, close = (mc.draw_comparison(learned, learned, learned, gaps=gaps) for gaps in (None, (10, 8)))
    share = [min(t.get_size() for t in fig.axes[0].texts) / fig.get_figwidth() for fig in (usual, close)]
    assert share[1] > 1.25 * share[0]
    assert texts(close.axes[0]) == texts(usual.axes[0]), "every weight still has its number"
    columns = sorted({c.center[0] for c in close.axes[0].patches if isinstance(c, Circle)})
    assert np.diff(columns).tolist() == [10, 8]
    for wrong in ([10], [10, 0]):
        with pytest.raises(ValueError, match="wanted a positive number for each of the 2 weight matrices"):
            mc.draw_comparison(learned, learned, learned, gaps=wrong)


def test_sums_before_relu_stand_left_of_the_values():
    network = Network([[[1, -1], [-2, 0]], [[1, 1]]], [[0, Fraction(1, 2)], [0]])
    (ax,) = mc.draw_activations(network, (3, 5), sums=True).axes
    hidden = sorted(
        (c.center for c in ax.patches if isinstance(c, Circle) and 0 < c.center[0] < 20), key=lambda p: -p[1]
    )
    for (x, y), before in zip(hidden, [-2, Fraction(-11, 2)], strict=True):
        inside = [t for t in ax.texts if t.get_position()[1] == y and abs(t.get_position()[0] - x) < 1.5]
        assert [number(t.get_text()) for t in sorted(inside, key=lambda t: t.get_position()[0])] == [before, 0]


def test_comparison_takes_networks_of_unlike_width():
    one = Network([[[1.0, 1.0]], [[1.0]]])
    assert len(mc.draw_comparison(circuits.minimum().to_float(), one, circuits.minimum()).axes) == 3
    with pytest.raises(ValueError, match=r"widths .* were given; wanted"):
        mc.draw_comparison(one, one, circuits.identity())


def test_heatmaps_show_every_weight_on_one_scale():
    network = Network([[[2, Fraction(-1, 2)]], [[-1]]])
    fig = mc.draw_weights(network, titles=["small"])
    assert [texts(ax) for ax in fig.axes] == [["2", "−1/2"], ["−1"]]
    limits = {ax.collections[0].get_clim() for ax in fig.axes}
    assert limits == {(-2.0, 2.0)}
    with pytest.raises(ValueError, match="equal depth"):
        mc.draw_weights(network, circuits.minimum_of_four())
    with pytest.raises(ValueError, match="1 networks"):
        mc.draw_weights(network, titles=["a", "b"])


def test_heatmaps_name_units_as_equations_do():
    network = Network([np.ones((2, 1)), np.ones((3, 2)), np.ones((1, 3))])
    labels = [
        [t.get_text() for t in (*ax.get_xticklabels(), *ax.get_yticklabels())] for ax in mc.draw_weights(network).axes
    ]
    plain = [[label.translate(str.maketrans("", "", "${}_")) for label in panel] for panel in labels]
    assert plain == [["x", "h1", "h2"], ["h1", "h2", "g1", "g2", "g3"], ["g1", "g2", "g3", "y"]]
    assert [line.split(" = ")[0] for line in str(network).split("\n")] == ["h1", "h2", "g1", "g2", "g3", "y"]


def test_function_of_one_input_is_its_graph():
    ax = mc.draw_function(FUNCTIONS["absolute_value"], network=circuits.identity())
    network, function = (line.get_data() for line in ax.lines[2:])
    assert np.array_equal(network[1], network[0])
    assert np.array_equal(function[1], abs(function[0]))


def test_function_of_two_inputs_is_its_level_lines():
    ax = mc.draw_function(FUNCTIONS["minimum"])
    line_sets = [c for c in ax.collections if c.get_facecolor().size == 0]
    for level, path in zip(line_sets[-1].levels, line_sets[-1].get_paths(), strict=True):
        inner = path.vertices[np.abs(path.vertices).max(axis=1) < 0.99]
        assert abs(inner.min(axis=1) - level).max() < 0.02


@pytest.mark.parametrize("f", [FUNCTIONS["minimum_of_three"], Network([[[1]], [[1], [1]]])])
def test_function_that_has_no_graph_is_refused(f):
    with pytest.raises(ValueError, match="wanted one"):
        mc.draw_function(f)


def test_directions_are_arrows_of_the_right_length():
    ax = mc.draw_directions(Network([[[3, -4]], [[Fraction(-1, 5)]]]))
    (arrow,) = ax.texts  # an annotation without words
    assert tuple(arrow.xy) == pytest.approx((0.6, -0.8))
    assert to_hex(arrow.arrow_patch.get_edgecolor()).upper() == NEGATIVE
    with pytest.raises(ValueError, match=r"wanted \(2, ..., 1\)"):
        mc.draw_directions(circuits.identity())


def test_runs_of_all_outcomes():
    loss = [[1, 1e-9], [1, 0.5], [1, np.inf], [1, 0.0]]
    dead = np.array([False, True, False, False])
    runs = SimpleNamespace(steps=[0, 10], loss=loss, solved=[True, False, False, True], dead=dead)
    ax = mc.draw_runs(runs)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "2 solved",
        "median of solved",
        "2 failed (1 diverged, 1 dead)",
    ]
    assert {to_hex(c.get_color()[0]).upper() for c in ax.collections} == {INK, MUTED}
    with pytest.raises(ValueError, match="for 4 seeds and 3 records"):
        mc.draw_runs(SimpleNamespace(steps=[0, 1, 2], loss=loss, solved=runs.solved))


def test_the_curve_among_those_of_solved_runs_is_their_median():
    loss = [[1, 1], [1, 1e-3], [1, 1e-9], [4, 1e-8], [2, 1e-7]]
    ax = mc.draw_runs(SimpleNamespace(steps=[0, 10], loss=loss, solved=[False, False, True, True, True]))
    (median,) = [line for line in ax.lines if line.get_label() == "median of solved"]
    assert median.get_ydata().tolist() == [2, 1e-8]


def test_no_points_are_refused():
    with pytest.raises(ValueError, match="no points were given"):
        mc.draw_activations(circuits.identity())
    with pytest.raises(ValueError, match="takes 2"):
        mc.draw_activations(circuits.minimum(), (1, 2, 3))


# What is built from what

FAMILY = {"a": [], "b": ["a"], "c": ["b"], "unused": [], "d": ["c", "a"]}


def dots(ax) -> dict:
    """Return the colour inside each dot of the table, by the row and the column that it stands in."""
    columns = [label.get_text() for label in ax.get_xticklabels()]
    rows = [label.get_text() for label in ax.get_yticklabels()]
    found = [line for line in ax.lines if line.get_marker() == "o"]
    return {(rows[line.get_ydata()[0]], columns[line.get_xdata()[0]]): line.get_markerfacecolor() for line in found}


def test_parts_are_dots_and_parts_of_parts_are_rings():
    ax = mc.draw_parts(FAMILY, ["d", "b"])
    fill = {place: to_hex(colour).upper() for place, colour in dots(ax).items()}
    assert fill == {("d", "a"): INK, ("d", "c"): INK, ("d", "b"): "#FFFFFF", ("b", "a"): INK}
    top, bottom = reversed(ax.get_ylim())
    assert top < bottom, "the first row is to stand on top"


def test_parts_that_are_unknown_or_circular_are_refused():
    with pytest.raises(ValueError, match=r"\['e'\] were named"):
        mc.draw_parts(FAMILY, ["e"])
    with pytest.raises(ValueError, match=r"\['x'\] were named"):
        mc.draw_parts(FAMILY | {"b": ["x"]}, ["d"])
    with pytest.raises(ValueError, match="parts of themselves"):
        mc.draw_parts({"a": ["b"], "b": ["a"]}, ["a"])
