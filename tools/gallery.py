"""Write figures/README.md, the gallery of every figure that the executed notebooks save.

The caption of a figure is the sentence before the cell that saves it: what that cell shows, up to its colon.

    python tools/gallery.py            write the gallery
    python tools/gallery.py --check    fail if the gallery is not the one the notebooks give
"""

import ast
import re
import sys
from pathlib import Path

from readme import ROOT, cell_source, read_notebooks, title, without_bars, write_or_check

HEAD = """\
# Figures

Every figure of the notebooks: SVG and PNG (300 dpi), and a dark PNG. `make figures` writes a PDF and a dark SVG of each
beside them. How to take one and restyle it is said in the [README](../README.md#take-a-figure). This page is written by
`tools/gallery.py`.
"""


def saved_figures(cell: dict) -> list[str | None]:
    """Return the name in each call of save_figure in a code cell; None for one that is not written out as a string."""
    found = []
    for node in ast.walk(ast.parse(cell_source(cell))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "save_figure":
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
            found.append(texts[0] if texts else None)
    return found


def last_sentence(text: str) -> str:
    """Return the last sentence of a text cell, with a full stop for its colon.

    >>> last_sentence("It works. Solved runs end below $10^{-12}$, the others near $0.1$:")
    'Solved runs end below $10^{-12}$, the others near $0.1$.'
    """
    paragraph = text.strip().split("\n")[-1]
    # A full stop, perhaps within bold type, then a capital: names and formulas hold no such thing.
    sentence = re.split(r"(?<=[.!?])\**\s+(?=[A-Z*])", paragraph)[-1]
    return sentence.rstrip(":.") + "."


def captions(notebook: dict) -> dict[str, str]:
    """Return the caption of every figure that a notebook saves, in order."""
    found, text = {}, ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = cell_source(cell)
        else:
            found |= {name: last_sentence(text) for name in saved_figures(cell)}
    return found


def gallery(notebooks: dict[str, dict]) -> str:
    """Return the gallery in Markdown: a table for each notebook that saves figures."""
    parts = [HEAD]
    for path, notebook in notebooks.items():
        rows = []
        for name, caption in captions(notebook).items():
            picture = f'<source media="(prefers-color-scheme: dark)" srcset="{name}-dark.png">'
            picture = f'<picture>{picture}<img src="{name}.png" width="360" alt="{name}"></picture>'
            files = f"[SVG]({name}.svg) [PNG]({name}.png) [dark PNG]({name}-dark.png)"
            rows.append(f"| {picture} | **{name}**<br>{without_bars(caption)}<br>{files} |")
        if rows:
            parts.append(f"\n## [{title(notebook)}](../{path})\n\n| Figure | |\n|:--|:--|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> str | None:
    """Write or check the gallery; return what is wrong, or None."""
    return write_or_check(root / "figures/README.md", lambda _: gallery(read_notebooks(root)), arguments)


if __name__ == "__main__":
    sys.exit(main())
