"""Saved figures: the same bytes every time, whole or not at all, in light and dark, and the figure left as it was."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gallery
import matplotlib.pyplot as plt
import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from matplotlib.image import imread

import mathcircuits as mc
from mathcircuits import circuits

pytestmark = pytest.mark.usefixtures("style")

FILES = sorted(f"06-test{variant}.{kind}" for variant in ("", "-dark") for kind in ("svg", "pdf", "png"))
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


@pytest.mark.parametrize("name", ["minimum", "6-minimum", "06-Minimum", "06_minimum", "06-", "06-a/b", "06-a-dark", ""])
def test_names_of_another_form_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="was given; wanted two digits"):
        mc.save_figure(plt.figure(), name, folder=tmp_path)
    assert not any(tmp_path.iterdir())


def test_what_is_no_figure_is_refused(tmp_path):
    with pytest.raises(TypeError, match="a Network was given; wanted a matplotlib figure"):
        mc.save_figure(circuits.minimum(), "06-test", folder=tmp_path)


# One name, one cell


@pytest.fixture(scope="module")
def run_cell(tmp_path_factory):
    """Run code in a kernel as a cell of a notebook, with or without the id of the cell; return its error, if any."""
    manager, client = start_new_kernel(kernel_name="python3")
    folder = tmp_path_factory.mktemp("figures")

    def run(code: str, cell: str | None = None) -> str | None:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = client.session.msg("execute_request", content, metadata={"cellId": cell} if cell else {})
        client.shell_channel.send(message)
        reply = client.get_shell_msg(timeout=60)
        assert reply["parent_header"]["msg_id"] == message["header"]["msg_id"]
        return reply["content"].get("evalue")

    set_up = f"""
        import os; os.environ["MATHCIRCUITS_FIGURES"] = {str(folder)!r}
        import matplotlib.pyplot as plt
        from mathcircuits import save_figure"""
    assert run(set_up) is None
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    for each in (client, manager):
        each.context.destroy(linger=0)  # a socket left open is a warning, now and then


def test_second_cell_must_take_another_name(run_cell):
    assert run_cell('save_figure(plt.figure(), "06-once")', "a") is None
    assert run_cell('save_figure(plt.figure(figsize=(3, 3)), "06-once")', "a") is None, "a cell can be edited and run"
    refused = run_cell('save_figure(plt.figure(), "06-once")', "b")
    assert refused.startswith("figure '06-once' was saved by another cell; wanted a name for each")
    assert run_cell('save_figure(plt.figure(), "06-other")', "b") is None
    variant = 'save_figure(plt.figure(), "06-once", folder=os.environ["MATHCIRCUITS_FIGURES"] + "/talk")'
    assert run_cell(variant, "c") is None, "a variant goes to a folder of its own"


def test_cells_without_an_id_are_told_apart_by_their_code(run_cell):
    """As nbconvert and nbval run them."""
    first = 'save_figure(plt.figure(), "06-plain")'
    assert run_cell(first) is None
    assert run_cell(first) is None
    assert "was saved by another cell" in run_cell(first + "  # in a second cell")


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
    assert r"$\vert x\vert $." in page and "(03-a-dark.pdf)" in page


def test_gallery_shows_every_file_in_the_folder():
    folder = Path(gallery.ROOT, "figures")
    page = (folder / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in folder.iterdir() if path.name[0] not in ".R"}
    assert set(re.findall(r"\(([\w-]+\.(?:svg|pdf|png))\)", page)) == files


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
