"""One style, one palette, one way to save a figure."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation, Text
from PIL import Image

POSITIVE = "#0072B2"  # sign is colour, everywhere
NEGATIVE = "#D55E00"
INK = "#222222"
MUTED = "#9AA0A6"  # zero, dead, failed; never for words that matter
PAPER = "#FFFFFF"

SIGNS = LinearSegmentedColormap.from_list("mathcircuits", [NEGATIVE, PAPER, POSITIVE])
FORMATS = ("svg", "pdf", "png")
MARK = "mathcircuits/mathcircuits.mplstyle"  # what tells a clone of the project, beside its pyproject.toml
logging.getLogger("fontTools").setLevel(logging.ERROR)  # or it warns of the dates inside the fonts, once a PDF

# Four colours and what they are on a dark slide. One affine map of RGB space takes each to the other, so
# tints, greys and colour maps follow, and no colour needs a rule of its own.
DARK = {PAPER: "#16181D", INK: "#ECEEF1", POSITIVE: "#56B4E9", NEGATIVE: "#F0894A"}
_TO_DARK = np.linalg.solve([[*to_rgb(c), 1] for c in DARK], [to_rgb(c) for c in DARK.values()])
_COLOURS = {
    Line2D: ("color", "markerfacecolor", "markeredgecolor"),
    Patch: ("facecolor", "edgecolor"),
    Collection: ("facecolor", "edgecolor"),
    Text: ("color",),
}


def use_style() -> None:
    """Use the project's style from here on; inside IPython, figures are shown as PNG at twice the resolution.

    >>> use_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["axes.spines.top"]
    False
    """
    plt.style.use("mathcircuits.mathcircuits")
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        import matplotlib_inline.backend_inline  # noqa: F401  # or it sets its own formats when first imported

        shell.display_formatter.formatters["image/png"].for_type(Figure, _inline_png)


def _inline_png(fig: Figure) -> tuple[bytes, dict[str, int]]:
    """Render for a notebook: twice the resolution, in 64 colours, which takes a quarter of the bytes."""
    with io.BytesIO() as full, io.BytesIO() as small:
        fig.savefig(full, format="png", dpi=2 * fig.dpi, bbox_inches="tight")
        image = Image.open(full).convert("RGB").quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        image.save(small, "PNG", optimize=True)
        return small.getvalue(), {"width": image.width // 2, "height": image.height // 2}


def save_figure(fig: Figure | Axes, name: str, *, folder: str | os.PathLike | None = None) -> None:
    """Write a figure as ``name`` .svg, .pdf and .png (300 dpi), and a dark variant of each (``name-dark``).

    The same figure gives the same bytes in every run under one version of matplotlib. All six files are rendered
    before the first is written, and each is written whole or not at all. The figure is left as it was.
    To restyle one figure, change it and save it to a folder of your own:
    ``save_figure(draw_network(minimum(), scale=3), "my minimum", folder="talk")``.

    Args:
        fig: a figure, or any of its axes.
        name: of the files, without an ending. In the figures/ of the project it is two digits (the notebook's) and
            words in lower case, as in "06-minimum"; in any other folder it is free. Files of that name are replaced.
        folder: where to; left out, the environment variable MATHCIRCUITS_FIGURES says, as a stand-in for the figures/
            of the project. Without that it is figures/ in the clone of the project that the current folder lies in;
            outside of any clone it is figures/ in the current folder, and a printed line says where that is.

    Raises:
        ValueError: a name of another form, or one that ends in "-dark".
        TypeError: something other than a figure or axes, or a name that is no string.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(plt.figure(), "nothing", folder=folder)
    ...     print(*sorted(os.listdir(folder)))
    nothing-dark.pdf nothing-dark.png nothing-dark.svg nothing.pdf nothing.png nothing.svg
    """
    if not isinstance(fig, Figure | Axes):
        raise TypeError(f"a {type(fig).__name__} was given; wanted a matplotlib figure or its axes")
    if not isinstance(name, str):
        raise TypeError(f"{name!r} was given as the name of a figure; wanted a string")
    project = _project_figures()
    target = Path(project or "figures") if folder is None else Path(folder)
    if project and target.resolve() == project.resolve():
        form, wanted = r"[A\d]\d(-[a-z0-9]+)+", "two digits and words in lower case, as in '06-minimum'"
    else:
        form, wanted = r"[^\W_][^/\\:*?\"<>|\x00-\x1f]*", "a file name that begins with a letter or digit"
    if not re.fullmatch(form, name) or name.endswith("-dark"):
        raise ValueError(f"figure name {name!r} was given; wanted {wanted}, not ending in '-dark'")
    fig = fig.get_figure(root=True)
    rendered = {f"{name}.{kind}": _render(fig, kind) for kind in FORMATS}
    with _dark(fig):
        rendered |= {f"{name}-dark.{kind}": _render(fig, kind) for kind in FORMATS}
    target.mkdir(parents=True, exist_ok=True)
    for file, content in rendered.items():
        _write(target / file, content)
    if folder is None and project is None:
        print(f"figure {name} was saved in {target.resolve()}")


def _project_figures() -> Path | None:
    """The figures/ of the clone that the current folder lies in, or what stands in for it; None outside of a clone."""
    if stand_in := os.environ.get("MATHCIRCUITS_FIGURES"):
        return Path(stand_in)
    here = Path.cwd()
    clones = (p for p in (here, *here.parents) if (p / "pyproject.toml").exists() and (p / MARK).exists())
    return next((clone / "figures" for clone in clones), None)


def _render(fig: Figure, kind: str) -> bytes:
    same_bytes = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    fonts = {"svg.hashsalt": "mathcircuits", "svg.fonttype": "path", "pdf.fonttype": 42}
    with mpl.rc_context(fonts), io.BytesIO() as file:
        fig.savefig(file, format=kind, dpi=300, metadata=same_bytes, bbox_inches="tight", pad_inches=0.08)
        return file.getvalue()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _dark_colour(colour) -> np.ndarray:
    """Map colours, shape (n, 4) or anything matplotlib takes for one; opacity stays."""
    rgba = to_rgba_array(colour)
    rgba[:, :3] = np.clip(np.column_stack([rgba[:, :3], np.ones(len(rgba))]) @ _TO_DARK, 0, 1)
    return rgba


def _dark_map(cmap: Colormap) -> Colormap:
    return LinearSegmentedColormap.from_list(f"{cmap.name}-dark", _dark_colour(cmap(np.linspace(0, 1, 257))), 257)


@contextlib.contextmanager
def _dark(fig: Figure):
    """Recolour every artist of the figure, and put each back as it was."""
    fig.draw_without_rendering()  # ticks are made by drawing
    artists = set(fig.findobj())
    artists |= {a.get_bbox_patch() for a in artists if isinstance(a, Text)}
    artists |= {a.arrow_patch for a in artists if isinstance(a, Annotation)}
    artists -= {None}
    changes = []  # (setter, as it was, dark): all read before any is set, as a new colour map recolours its labels
    for artist in artists:
        if isinstance(artist, Collection | AxesImage) and artist.get_array() is not None:
            changes.append((artist.set_cmap, artist.get_cmap(), _dark_map(artist.get_cmap())))
            continue
        for kind, properties in _COLOURS.items():
            for key in properties if isinstance(artist, kind) else ():
                colour, setter = getattr(artist, f"get_{key}")(), getattr(artist, f"set_{key}")
                dark = _dark_colour(colour)
                dark = dark if isinstance(artist, Collection) else dark[0] if len(dark) else colour
                changes.append((setter, colour, dark))
    changes.sort(key=lambda change: not isinstance(change[1], Colormap))
    for setter, _, dark in changes:
        setter(dark)
    try:
        yield
    finally:
        for setter, light, _ in changes:
            setter(light)
