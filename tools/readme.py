"""Write the table of results, the list of notebooks and every number in README.md from the executed notebooks.

A notebook that has rows in the table prints them, a dictionary a line, in its one code cell tagged "results". Numbers
in the text are from the cells tagged "results" and "numbers": <!--08:solved-->3,031<!----> is "solved" of notebook 08.

    python tools/readme.py            write them
    python tools/readme.py --check    fail if one is not what the notebooks give
"""

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEYS = {"function": str, "units": str, "smallest": str, "proved": str, "seeds": int, "solved": int}
HEADER = """\
| Notebook | Function | Hidden units | None smaller | Proved for | Seeds solved | With the recipe |
|:--|:--|:--|:--|:--|--:|--:|"""
# More rows than this of one notebook are summed up in one.
MOST_ROWS = 3
# What each notebook is about, and for whom.
LEVELS = {"school": "no more than school", "course": "a first course", "research": "research"}
ABOUT = {
    "00": ("what a neuron, a feature and a circuit are", "school"),
    "01": ("two units give back a number", "school"),
    "02": ("the same two units, with other signs", "school"),
    "03": ("one sign makes it harder to learn", "school"),
    "04": ("the reconstructor, given a sum", "school"),
    "05": ("to subtract is to compare, twice", "school"),
    "06": ("the first circuit that is made of circuits", "school"),
    "07": ("a tournament of minima in two hidden layers", "school"),
    "08": ("why seeds fail, decided by their weights", "course"),
    "09": ("with one input, foretold from the first weights", "course"),
    "10": ("function, bends and features from weights alone", "course"),
    "11": ("what decay does, and why smallest is not least in norm", "research"),
    "12": ("which training finds the smallest network, at equal cost", "course"),
    "13": ("clipping, sorting, logic, binary addition from the same parts", "course"),
    "14": ("the maximum of five and of six numbers", "research"),
    "15": ("near to a product, which no ReLU network computes", "course"),
    "16": ("with two inputs, foretold without drawing one", "research"),
    "17": ("six functions in four units, and what company does to training", "course"),
    "18": ("more features than neurons, decided exactly", "research"),
    "19": ("certificates that a stranger checks with fractions alone", "research"),
    "20": ("methods of interpretability, scored where the answer is proved", "research"),
    "21": ("what it says about interpretability, and what it does not", "course"),
    "A1": ("proofs for the median and for sorting three", "research"),
}


def cell_source(cell: dict) -> str:
    """Return the text of a cell, which a notebook may hold in lines."""
    return "".join(cell["source"])


def printed(notebook: dict, tag: str) -> list[dict]:
    """Return the dictionaries that the cell with this tag printed, one a line; none if there is no such cell."""
    cells = [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", [])]
    if len(cells) > 1:
        raise ValueError(f"{len(cells)} cells are tagged {tag!r}; wanted one at most")
    outputs = [out for cell in cells for out in cell["outputs"] if out.get("name") == "stdout"]
    text = "".join("".join(out["text"]) for out in outputs).strip()
    try:
        rows = [ast.literal_eval(line) for line in text.split("\n")] if cells else []
    except (SyntaxError, ValueError):
        rows = [None]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"the cell tagged {tag!r} printed {text!r}; wanted a dictionary a line")
    return rows


def results(notebook: dict) -> list[dict]:
    """Return what the cell tagged "results" printed: its rows of the table, none if there is no such cell."""
    rows = printed(notebook, "results")
    for row in rows:
        if {key: type(value) for key, value in row.items()} != KEYS:
            wanted = ", ".join(f"{key} ({kind.__name__})" for key, kind in KEYS.items())
            raise ValueError(f"the cell tagged 'results' printed {row!r}; wanted the keys {wanted}")
        if not 0 <= row["solved"] <= row["seeds"] or row["seeds"] == 0:
            raise ValueError(f"{row['solved']} of {row['seeds']} seeds solved; that cannot be")
    return rows


def title(notebook: dict) -> str:
    """Return the title: the heading that the first cell begins with."""
    line = cell_source(notebook["cells"][0]).split("\n")[0]
    if not line.startswith("# "):
        raise ValueError(f"the first cell begins with {line!r}; wanted a title, '# …'")
    return line.removeprefix("# ").strip()


def share(solved: int, seeds: int) -> str:
    """Return a count with its percentage, which is 0 or 100 only if it is so exactly.

    >>> share(471, 1000), share(999, 1000), share(100, 100)
    ('471 of 1,000 (47 %)', '999 of 1,000 (99.9 %)', '100 of 100 (100 %)')
    """
    percent = f"{100 * solved / seeds:.0f}"
    if (percent == "0" and solved) or (percent == "100" and solved < seeds):
        percent = f"{100 * solved / seeds:.1f}"
    return f"{solved:,} of {seeds:,} ({percent} %)"


def without_bars(text: str) -> str:
    """Return a text for a cell of a table, which a bar would end, even in a formula.

    >>> print(without_bars("all of $|x|$"))
    all of $\\vert x\\vert $
    """
    return re.sub(r"(?<!\\)\|", r"\\vert ", text)


def numbers(notebook: dict) -> dict:
    """Return all that the cells tagged "results" and "numbers" printed, and the share of the seeds that are solved."""
    rows = results(notebook)
    found = {} if len(rows) != 1 else dict(rows[0])
    if rows:
        found |= {key: sum(row[key] for row in rows) for key in ("seeds", "solved")}
        found["share"] = share(found["solved"], found["seeds"])
    for printed_here in printed(notebook, "numbers"):
        found |= printed_here
    return found


def summed_up(rows: list[dict]) -> dict:
    """Return one row for many: of how many functions it speaks, and what they have in common."""
    units = [sum(map(int, row["units"].split(" + "))) for row in rows]
    smallest, proved = ({row[key] for row in rows} for key in ("smallest", "proved"))
    return {
        "function": rf"\text{{{len(rows)} more functions}}",
        "units": f"{min(units)} to {max(units)}",
        "smallest": smallest.pop() if len(smallest) == 1 else "some",
        "proved": proved.pop() if len(proved) == 1 else "the inputs that each is for",
        "seeds": sum(row["seeds"] for row in rows),
        "solved": sum(row["solved"] for row in rows),
    }


def table(notebooks: dict[str, dict]) -> str:
    """Return the table in Markdown: the rows of each notebook with results, under its path from the README."""
    lines, recipe = [HEADER], {}
    for notebook in notebooks.values():
        for found in printed(notebook, "numbers"):
            recipe |= found.get("by_recipe", {})
    for path, notebook in notebooks.items():
        try:
            rows, name = results(notebook), title(notebook)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        for row in rows if len(rows) <= MOST_ROWS else [summed_up(rows)]:
            function, solved = without_bars(row["function"]), share(row["solved"], row["seeds"])
            best = share(*recipe[row["function"]]) if row["function"] in recipe else "–"
            cells = [f"[{name}]({path})", f"${function}$", row["units"], row["smallest"], row["proved"], solved, best]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def minutes(notebook: dict) -> int:
    """Return about how long a notebook takes to read: 150 words or 12 lines of code a minute, in steps of 5."""
    text = {
        kind: [cell_source(c) for c in notebook["cells"] if c["cell_type"] == kind] for kind in ("markdown", "code")
    }
    words = sum(len(part.split()) for part in text["markdown"])
    lines = sum(len(part.splitlines()) for part in text["code"])
    return max(5, 5 * round((words / 150 + lines / 12) / 5))


def contents(notebooks: dict[str, dict]) -> str:
    """Return the list of notebooks in Markdown: a line, the minutes and the level of each."""
    lines = ["| Notebook | What it shows | Minutes | For readers with |", "|:--|:--|--:|:--|"]
    for path, notebook in notebooks.items():
        line, level = ABOUT[Path(path).name[:2]]
        lines.append(f"| [{title(notebook)}]({path}) | {line} | {minutes(notebook)} | {LEVELS[level]} |")
    return "\n".join(lines)


def between(text: str, name: str, new: str) -> str:
    """Return the text with what stands between the two markers of this name replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"README.md must hold {begin} and {end} once each, in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{new}\n{end}{rest.split(end)[1]}"


NUMBER = re.compile(r"<!--(\w\d):(\w+)-->[^<]*<!---->")


def updated(readme: str, notebooks: dict[str, dict]) -> str:
    """Return the text of the README with its table, its list of notebooks and its numbers made anew."""
    readme = between(readme, "results", table(notebooks))
    readme = between(readme, "notebooks", contents(notebooks))
    by_digits = {Path(path).name[:2]: notebook for path, notebook in notebooks.items()}

    def number(match: re.Match) -> str:
        digits, key = match.groups()
        found = numbers(by_digits[digits]) if digits in by_digits else {}
        if key not in found:
            raise ValueError(f"README.md wants the number {key!r} of notebook {digits}, which prints none of that name")
        value = f"{found[key]:,}" if isinstance(found[key], int) else found[key]
        return f"<!--{digits}:{key}-->{value}<!---->"

    return NUMBER.sub(number, readme)


def read_notebooks(root: Path = ROOT) -> dict[str, dict]:
    """Return the notebooks of the series in reading order, each under its path from the root."""
    paths = sorted((root / "notebooks").glob("[0-9A]*.ipynb"))
    return {path.relative_to(root).as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def write_or_check(file: Path, make: Callable[[str], str], arguments: list[str] | None) -> str | None:
    """Write what ``make`` gives for the text of a file, or with --check compare; return what is wrong, or None."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="change nothing, fail if it is not current")
    options = parser.parse_args(arguments)
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        new = make(old)
    except ValueError as error:
        return str(error)
    if new == old:
        return None
    if options.check:
        return f"{file.name} in {file.parent.name}/ is not the one the notebooks give: run `make run`"
    # Written beside it and moved over it: whole or not at all.
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(new, encoding="utf-8")
    os.replace(fresh, file)
    return None


def main(arguments: list[str] | None = None, root: Path = ROOT) -> str | None:
    """Write or check what the notebooks give; return what is wrong, or None."""
    readme = root / "README.md"
    if not readme.exists():
        return f"{readme} does not exist; it has no place to go"
    return write_or_check(readme, lambda old: updated(old, read_notebooks(root)), arguments)


if __name__ == "__main__":
    sys.exit(main())
