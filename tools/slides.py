"""Build the slides from their typst source, the executed notebooks and the exported figures.

What a slide may say comes from the notebooks: slides/facts.json holds, for each, its title, the figures it saves, and
the numbers that its cells tagged "results" and "numbers" print. The slides read that file.

    python tools/slides.py            write slides/facts.json and the PDFs: light, dark, with notes, for a wall
    python tools/slides.py --facts    write slides/facts.json only, amid `make run`: a notebook may quote it
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib
import typst
from gallery import captions
from readme import ROOT, numbers, read_notebooks, title

from mathcircuits import Network, circuits, figures, shared

SLIDES = ROOT / "slides"
NAME = "mathematical-circuits"
# Each PDF, the source that it is built from, and what the source is told.
VIEWS = {
    NAME: (NAME, {}),
    f"{NAME}-dark": (NAME, {"theme": "dark"}),
    f"{NAME}-notes": (NAME, {"view": "notes"}),
    "six-circuits": ("six-circuits", {}),
}
# The fonts of the figures, which come with matplotlib, and those inside typst: the same pages on every machine.
FONTS = Path(matplotlib.get_data_path(), "fonts/ttf")


# The circuits that the slides draw themselves, each at work on the points of the original's examples.
DRAWN = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum", "maximum"]
DRAWN += ["minimum_of_four", "distance", "absolute_sum", "full_adder"]
POINTS = {1: [(3,), (-5,)], 2: [(3, 5), (3, -5)], 3: [(1, 0, 1), (1, 1, 1)], 4: [(3, -5, 2, 4), (6, 1, -2, 7)]}


def drawn(network: Network) -> dict:
    """Return a network as the slides read it: weights, biases and the values of all nodes as text, and the names."""
    values = [network.activations(*point) for point in POINTS[network.arity]]
    return {
        "weights": [[[str(entry) for entry in row] for row in matrix] for matrix in network.weights],
        "biases": [[str(entry) for entry in bias] for bias in network.biases],
        "names": [list(names) for names in network.names],
        "examples": [[[str(value) for value in layer] for layer in example] for example in values],
    }


def facts(notebooks: dict[str, dict]) -> dict:
    """Return the palette, and what each notebook gives to the slides, under the number in its name: 06, A1."""
    light = {"paper": figures.PAPER, "ink": figures.INK, "positive": figures.POSITIVE, "negative": figures.NEGATIVE}
    palette = {"light": light, "dark": {name: figures.DARK[colour] for name, colour in light.items()}}
    found = {}
    for path, notebook in notebooks.items():
        entry = {"path": path, "title": title(notebook), "figures": captions(notebook)}
        found[Path(path).name[:2]] = entry | {"numbers": numbers(notebook)}
    networks = {name: getattr(circuits, name)() for name in DRAWN}
    networks |= {"half-positive": circuits.positive_reconstructor(), "half-negative": circuits.negative_reconstructor()}
    networks["six"] = shared(["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"])
    drawings = {name: drawn(network) for name, network in networks.items()}
    palette["to_dark"] = [[round(float(entry), 6) for entry in row] for row in figures.TO_DARK]
    return {"palette": palette, "circuits": drawings, "notebooks": found}


def facts_text(notebooks: dict[str, dict] | None = None) -> str:
    """Return the content of slides/facts.json, of the notebooks as they are if none are given."""
    return json.dumps(facts(notebooks or read_notebooks()), indent=1, ensure_ascii=False) + "\n"


def just_executed(notebooks: dict[str, dict], root: Path = ROOT) -> dict[str, dict]:
    """Return the executed ones of the notebooks; those that `make run` has yet to publish, as they stand in build/."""
    copies = {path: root / "build" / Path(path).stem / "executed.ipynb" for path in notebooks}
    fresh = {path: json.loads(copy.read_text(encoding="utf-8")) for path, copy in copies.items() if copy.exists()}
    newest = (notebooks | fresh).items()
    return {path: found for path, found in newest if any(cell.get("execution_count") for cell in found["cells"])}


def pdf(view: str) -> bytes:
    """Return one of the VIEWS as a PDF."""
    source, inputs = VIEWS[view]
    options = {"root": ROOT, "font_paths": [FONTS], "ignore_system_fonts": True, "sys_inputs": inputs}
    content, warnings = typst.compile_with_warnings(SLIDES / f"{source}.typ", **options)
    if warnings:
        raise ValueError("; ".join(warning.message for warning in warnings))
    return content


def main(arguments: list[str] | None = None) -> str | None:
    """Write the facts and the PDFs, or with --facts those of this run only; return what is wrong, or None."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--facts", action="store_true", help="write the facts only, amid `make run`")
    amid = parser.parse_args(arguments).facts
    try:
        notebooks = just_executed(read_notebooks()) if amid else read_notebooks()
        (SLIDES / "facts.json").write_text(facts_text(notebooks), encoding="utf-8")
        for name in () if amid else VIEWS:
            (SLIDES / f"{name}.pdf").write_bytes(pdf(name))
    except (ValueError, typst.TypstError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
