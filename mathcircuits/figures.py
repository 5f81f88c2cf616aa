"""One style, one palette, one way to save a figure."""

from __future__ import annotations

import base64
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
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
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

# Four colours and what they are on a dark page. One affine map of RGB space takes each to the other, so tints, greys
# and colour maps follow, and a light file becomes a dark one colour by colour.
DARK = {PAPER: "#16181D", INK: "#ECEEF1", POSITIVE: "#56B4E9", NEGATIVE: "#F0894A"}
TO_DARK = np.linalg.solve([[*to_rgb(c), 1] for c in DARK], [to_rgb(c) for c in DARK.values()])


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
    """Render for a notebook: twice the resolution, in few colours."""
    with io.BytesIO() as full:
        fig.savefig(full, format="png", dpi=2 * fig.dpi, bbox_inches="tight")
        small, (width, height) = _few_colours(full)
        return small, {"width": width // 2, "height": height // 2}


def _few_colours(png: io.BytesIO) -> tuple[bytes, tuple[int, int]]:
    """Return a picture as a PNG of 64 colours, which takes a quarter of the bytes, and its size."""
    with io.BytesIO() as small:
        image = Image.open(png).convert("RGB").quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        # What most pixels are, the paper, comes out as the mean of all that is nearly white.
        palette, paper = image.getpalette(), 3 * int(np.argmax(image.histogram()))
        if min(palette[paper : paper + 3]) > 240:
            palette[paper : paper + 3] = [255] * 3
        image.putpalette(palette)
        image.save(small, "PNG", optimize=True)
        return small.getvalue(), image.size


def save_figure(fig: Figure | Axes, name: str, *, folder: str | os.PathLike | None = None) -> None:
    """Write a figure as ``name`` .svg, .pdf and .png (300 dpi), and dark (``name-dark``) as .svg and .png.

    The same figure gives the same bytes in every run under one version of matplotlib. All five files are rendered
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
    nothing-dark.png nothing-dark.svg nothing.pdf nothing.png nothing.svg
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
    rendered[f"{name}-dark.svg"] = _dark_svg(rendered[f"{name}.svg"].decode()).encode()
    rendered[f"{name}-dark.png"] = _dark_png(rendered[f"{name}.png"])
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
    """Render a figure. Crowds that are drawn as pixels inside SVG and PDF take half the resolution of a PNG."""
    same_bytes = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    fonts = {"svg.hashsalt": "mathcircuits", "svg.fonttype": "path", "pdf.fonttype": 42}
    dpi = 300 if kind == "png" else 150
    with mpl.rc_context(fonts), io.BytesIO() as file:
        fig.savefig(file, format=kind, dpi=dpi, metadata=same_bytes, bbox_inches="tight", pad_inches=0.08)
        return _few_colours(file)[0] if kind == "png" else file.getvalue()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _darkened(rgb: np.ndarray) -> np.ndarray:
    """Map colours, shape (..., 3), from 0 to 255. The map is affine, so it may come after colours were blended."""
    return (np.clip(rgb / 255 @ TO_DARK[:3] + TO_DARK[3], 0, 1) * 255).round().astype(np.uint8)


def _dark_svg(svg: str) -> str:
    """Return an SVG of matplotlib with every colour in it mapped, and every picture inside it."""

    def colour(match: re.Match) -> str:
        return "#" + _darkened(np.array([*bytes.fromhex(match[1])], float)).tobytes().hex()

    def picture(match: re.Match) -> str:
        rgba = np.array(Image.open(io.BytesIO(base64.b64decode(match[1]))).convert("RGBA"))
        rgba[..., :3] = _darkened(rgba[..., :3])
        with io.BytesIO() as file:
            Image.fromarray(rgba).save(file, "PNG", optimize=True)
            return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

    svg = re.sub(r"#([0-9a-f]{6})\b", colour, svg)
    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", picture, svg)


def _dark_png(png: bytes) -> bytes:
    """Return a PNG of few colours with each of them mapped."""
    with io.BytesIO() as file:
        image = Image.open(io.BytesIO(png))
        colours = np.array(image.getpalette(), float).reshape(-1, 3)
        image.putpalette(_darkened(colours).ravel().tolist())
        image.save(file, "PNG", optimize=True)
        return file.getvalue()
