"""Saved figures: the same bytes every time, whole or not at all, in light and dark, and the figure left as it was."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import gallery
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

import mathcircuits as mc
from mathcircuits import circuits, figures

pytestmark = pytest.mark.usefixtures("style")

CLONE = Path(mc.__file__).parents[1]
FILES = ["06-test-dark.png", "06-test-dark.svg", "06-test.pdf", "06-test.png", "06-test.svg"]
SCRIPT = """
import sys, matplotlib
matplotlib.use("Agg")
import mathcircuits as mc
mc.use_style()
ax = mc.draw_function(mc.FUNCTIONS["minimum"])
mc.save_figure(ax, "06-test", folder=sys.argv[1])
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_bytes_in_every_process(tmp_path):
    for n in "12":
        done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path / n], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert [*first] == FILES
    assert first == second


DRAW = {
    "network": lambda: mc.draw_network(circuits.minimum()),
    "activations": lambda: mc.draw_activations(circuits.minimum(), (3, 5), (3, -5)),
    "heatmaps": lambda: mc.draw_weights(circuits.minimum()),
    "graph": lambda: mc.draw_function(mc.FUNCTIONS["identity"], network=circuits.identity()),
    "level lines": lambda: mc.draw_function(mc.FUNCTIONS["minimum"], network=circuits.minimum()),
    "arrows": lambda: mc.draw_directions(circuits.minimum()),
    "runs": lambda: mc.draw_runs(mc.train(mc.FUNCTIONS["identity"], seeds=range(4), steps=20)),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_saving_leaves_the_figure_as_it_was(draw, tmp_path):
    drawn = draw()
    for n in "12":
        mc.save_figure(drawn, "06-test", folder=tmp_path / n)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


@pytest.mark.parametrize("draw", [DRAW["network"], DRAW["arrows"]], ids=["network", "arrows"])
def test_dark_is_dark_and_signs_stay_apart(draw, tmp_path):
    mc.save_figure(draw(), "06-test", folder=tmp_path / "1")
    light, dark = (imread(tmp_path / "1" / f"06-test{v}.png")[..., :3] for v in ("", "-dark"))
    assert light.shape == dark.shape
    assert np.median(light) == 1.0
    assert np.median(dark) < 0.15
    # The signs stay apart in the dark: bluish where it was blue, reddish where it was orange.
    for sign in (1, -1):
        where = sign * (light[..., 2] - light[..., 0]) > 0.5
        assert where.any()
        assert (sign * (dark[..., 2] - dark[..., 0]))[where].min() > 0.2
        assert np.median(dark[where].max(axis=-1)) > 0.85


def test_dark_files_are_the_light_ones_with_other_colours(tmp_path):
    """Against a picture of the dark SVG's colours drawn by matplotlib itself, from a figure made dark by hand."""
    fig, ax = plt.subplots(facecolor=mc.INK)
    ax.fill_between([0, 1], [1, 1], color=mc.POSITIVE)
    ax.fill_between([1, 2], [1, 1], color=mc.NEGATIVE, alpha=0.5)
    ax.set_axis_off()
    fig.set_facecolor("white")
    mc.save_figure(fig, "06-test", folder=tmp_path)
    dark = Image.open(tmp_path / "06-test-dark.png").convert("RGB")
    found = {dark.getpixel((round(x * dark.width), dark.height // 2)) for x in (0.01, 0.3, 0.7)}
    paper, blue, orange = (np.array([*bytes.fromhex(h)], float) for h in ("16181D", "56B4E9", "F0894A"))
    for wanted in (paper, blue, (paper + orange) / 2):
        assert min(abs(np.array(colour) - wanted).max() for colour in found) <= 4
    light, svg = ((tmp_path / f"06-test{variant}.svg").read_text() for variant in ("", "-dark"))
    assert re.sub("#[0-9a-f]{6}", "#", light) == re.sub("#[0-9a-f]{6}", "#", svg)
    assert set(re.findall("#[0-9a-f]{6}", svg)) == {"#16181d", "#56b4e9", "#f0894a"}


def test_pictures_inside_a_dark_svg_are_dark(tmp_path):
    mc.save_figure(
        mc.draw_runs(mc.train(mc.FUNCTIONS["identity"], seeds=range(4), steps=20)), "06-test", folder=tmp_path
    )
    pictures = []
    for variant in ("", "-dark"):
        (inside,) = re.findall(r"base64,([^\"]+)", (tmp_path / f"06-test{variant}.svg").read_text())
        pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(inside))).convert("RGBA"), int))
    light, dark = pictures
    grey = light[..., 3] > 200
    assert grey.any() and (dark[grey] < light[grey] - 20)[:, :3].all()
    assert (light[..., 3] == dark[..., 3]).all()


def test_in_a_notebook_a_figure_keeps_its_colours_in_few_bytes():
    drawn = mc.draw_function(mc.FUNCTIONS["minimum"]).figure
    small, size = figures._inline_png(drawn)
    with io.BytesIO() as full:
        drawn.savefig(full, format="png", dpi=2 * drawn.dpi, bbox_inches="tight")
        assert len(small) < 0.4 * len(full.getvalue())
        before, after = (np.asarray(Image.open(file).convert("RGB"), int) for file in (full, io.BytesIO(small)))
    assert after.shape == before.shape
    assert (size["height"], size["width"]) == (len(before) // 2, len(before[0]) // 2)
    assert np.quantile(abs(after - before).max(axis=-1), 0.95) < 16, "of 255 levels"


def test_fonts_are_embedded_and_vectors_stay_vectors(tmp_path):
    mc.save_figure(mc.draw_network(circuits.minimum()), "06-test", folder=tmp_path)
    pdf, svg = (tmp_path / "06-test.pdf").read_bytes(), (tmp_path / "06-test.svg").read_text()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"/CreationDate" not in pdf
    assert "<text" not in svg and "<image" not in svg and "dc:date" not in svg


def test_a_failed_save_leaves_the_old_files(tmp_path, monkeypatch):
    mc.save_figure(mc.draw_network(circuits.minimum()), "06-test", folder=tmp_path)
    old = contents(tmp_path)
    changed = mc.draw_network(circuits.identity())
    savefig = type(changed.figure).savefig

    def broken(self, *args, format, **kwargs):
        if format == "png":
            raise OSError("disk full")
        return savefig(self, *args, format=format, **kwargs)

    monkeypatch.setattr(type(changed.figure), "savefig", broken)
    with pytest.raises(OSError, match="disk full"):
        mc.save_figure(changed, "06-test", folder=tmp_path)
    assert contents(tmp_path) == old


def test_folder_is_taken_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MATHCIRCUITS_FIGURES", str(tmp_path / "new"))
    mc.save_figure(plt.figure(), "06-test")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == FILES


# Where to, and under which name


@pytest.fixture
def current(tmp_path, monkeypatch):
    """Make a folder the current one, without a word on where figures go."""
    monkeypatch.delenv("MATHCIRCUITS_FIGURES")
    return lambda folder: monkeypatch.chdir(tmp_path / folder)


def test_in_a_clone_figures_go_to_its_own_folder(tmp_path, current, capsys):
    """Whatever the current folder is within the clone, and wherever the package is that was imported."""
    for file in ("pyproject.toml", "mathcircuits/mathcircuits.mplstyle", "notebooks/solutions/06.ipynb"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    current("notebooks/solutions")
    mc.save_figure(plt.figure(), "06-test")
    assert capsys.readouterr().out == ""
    current(".")
    with pytest.raises(ValueError, match="^figure name 'mine' was given; wanted two digits and words in lower case"):
        mc.save_figure(plt.figure(), "mine")
    assert [*contents(tmp_path / "figures")] == FILES
    assert {path.name for path in tmp_path.glob("**/*.png")} == {"06-test.png", "06-test-dark.png"}


@pytest.mark.parametrize("file", [None, "pyproject.toml"], ids=["nowhere", "another project"])
def test_outside_of_a_clone_figures_go_to_the_current_folder_and_that_is_said(file, tmp_path, current, capsys):
    before = {path: path.stat().st_mtime_ns for path in (CLONE / "figures").iterdir()}
    current(".")
    if file:
        (tmp_path / file).touch()
    mc.save_figure(plt.figure(), "My figure")
    assert capsys.readouterr().out == f"figure My figure was saved in {tmp_path / 'figures'}\n"
    assert len(contents(tmp_path / "figures")) == 5 and (tmp_path / "figures/My figure-dark.svg").exists()
    assert {path: path.stat().st_mtime_ns for path in (CLONE / "figures").iterdir()} == before


@pytest.mark.parametrize("name", ["minimum", "6-minimum", "06-Minimum", "06_minimum", "06-", "06-a/b", "06-a-dark", ""])
def test_names_of_another_form_are_refused_among_the_figures_of_the_project(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MATHCIRCUITS_FIGURES", str(tmp_path))
    for folder in (None, tmp_path / ".." / tmp_path.name):
        with pytest.raises(ValueError, match="was given; wanted two digits"):
            mc.save_figure(plt.figure(), name, folder=folder)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mine", "Fig. 3 (left)", "été_2", "7", "06-minimum"])
def test_in_a_folder_of_ones_own_every_file_name_will_do(name, tmp_path):
    mc.save_figure(plt.figure(), name, folder=tmp_path)
    assert len(contents(tmp_path)) == 5 and (tmp_path / f"{name}.pdf").exists()


@pytest.mark.parametrize("name", ["", ".", "../a", "a/b", "a\\b", "-a", "a\n", "mine-dark"])
def test_what_is_no_file_name_is_refused_in_every_folder(name, tmp_path):
    with pytest.raises(ValueError, match="was given; wanted a file name that begins with a letter or digit"):
        mc.save_figure(plt.figure(), name, folder=tmp_path / "mine")
    assert not any(tmp_path.iterdir())


def test_what_is_no_figure_is_refused(tmp_path):
    with pytest.raises(TypeError, match="a Network was given; wanted a matplotlib figure"):
        mc.save_figure(circuits.minimum(), "06-test", folder=tmp_path)
    with pytest.raises(TypeError, match="^7 was given as the name of a figure; wanted a string$"):
        mc.save_figure(plt.figure(), 7, folder=tmp_path)


# The gallery


def test_gallery_is_current():
    assert gallery.main(["--check"]) is None


def saving(text: str, *names: str) -> dict:
    """Return a notebook with a title, a text, and a cell that saves figures under these names."""
    cells = [("markdown", "# 03 · Absolute value"), ("markdown", text)]
    cells.append(("code", "\n".join(f'mc.save_figure(ax, "{name}")' for name in names)))
    return {"cells": [{"cell_type": kind, "metadata": {}, "source": source} for kind, source in cells]}


def test_caption_is_the_sentence_before_the_cell():
    text = "**A proof. **Not this.\n\nNor this. Ends in $10^{-6}$ or 0.5, e.g. where *x* is $|x|$:"
    notebook = saving(text, "03-a", "03-b")
    caption = "Ends in $10^{-6}$ or 0.5, e.g. where *x* is $|x|$."
    assert gallery.captions(notebook) == {"03-a": caption, "03-b": caption}
    page = gallery.gallery({"notebooks/03.ipynb": notebook, "notebooks/04.ipynb": saving("Nothing.")})
    assert page.count("\n## ") == 1 and "[03 · Absolute value](../notebooks/03.ipynb)" in page
    assert r"$\vert x\vert $." in page and "(03-a-dark.png)" in page


def test_gallery_shows_every_file_in_the_folder():
    folder = Path(gallery.ROOT, "figures")
    page = (folder / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in folder.iterdir() if path.name[0] not in ".R"}
    made = {name for name in files if name.endswith((".pdf", "-dark.svg"))}  # and not kept
    assert set(re.findall(r"\(([\w-]+\.(?:svg|png))\)", page)) == files - made


def test_figures_are_light_to_carry():
    kept = [path for path in Path(gallery.ROOT, "figures").iterdir() if path.suffix in (".svg", ".png")]
    sizes = {path.name: path.stat().st_size for path in kept if not path.name.endswith("-dark.svg")}
    assert sum(sizes.values()) < 22e6
    assert {name: size for name, size in sizes.items() if size > 800_000} == {}


def test_gallery_is_written_and_checked(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "figures").mkdir()
    file, notebook = tmp_path / "figures/README.md", tmp_path / "notebooks/03_absolute_value.ipynb"
    notebook.write_text(json.dumps(saving("The network:", "03-a")), encoding="utf-8")
    assert "is not the one" in gallery.main(["--check"], tmp_path) and not file.exists()
    assert gallery.main([], tmp_path) is None
    assert "<br>The network.<br>" in file.read_text(encoding="utf-8")
    assert gallery.main(["--check"], tmp_path) is None
    notebook.write_text(json.dumps(saving("The network, drawn:", "03-a")), encoding="utf-8")
    assert "is not the one" in gallery.main(["--check"], tmp_path)
