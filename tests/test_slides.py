"""The slides: current, and nothing on them that a notebook does not give.

The theme refuses what would not fit or could not be read; here it is held to that, and the sources to saying no number.
"""

import io
import json
import re

import numpy as np
import pytest
import typst
from matplotlib.image import imread

import slides

WALL = "six-circuits"
SOURCES = sorted(slides.SLIDES.glob("[0-9]*.typ"))
TEXT = {path.name: path.read_text(encoding="utf-8") for path in SOURCES}
FACTS = json.loads((slides.SLIDES / "facts.json").read_text(encoding="utf-8"))
PAGES = 56  # of which five are dividers
TOLD = 40  # before the appendix


def pages_of(text: str) -> int:
    return len(re.findall(r"^#(?:slide|divider)\(", text, re.MULTILINE))


def committed(name: str) -> bytes:
    return (slides.SLIDES / f"{name}.pdf").read_bytes()


# Current


def test_facts_are_those_of_the_notebooks():
    assert slides.facts_text() == (slides.SLIDES / "facts.json").read_text(encoding="utf-8"), "run `make slides`"


def test_facts_amid_a_run_are_of_what_it_has_executed(tmp_path):
    """A notebook that was executed again counts as executed then; one that never was counts for nothing."""
    old, new, never = ({"cells": [{"execution_count": n}]} for n in (1, 2, None))
    copy = tmp_path / "build/07_again/executed.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_text(json.dumps(new), encoding="utf-8")
    given = {"notebooks/06_old.ipynb": old, "notebooks/07_again.ipynb": old, "notebooks/08_never.ipynb": never}
    found = slides.just_executed(given, tmp_path)
    assert found == {"notebooks/06_old.ipynb": old, "notebooks/07_again.ipynb": new}


@pytest.mark.parametrize("name", slides.VIEWS)
def test_pdf_is_current(name):
    assert slides.pdf(name) == committed(name), "run `make slides`"


def test_wall_is_one_page():
    assert len(re.findall(rb"/Type */Page\b", committed(WALL))) == 1


@pytest.mark.parametrize("name", [view for view in slides.VIEWS if view != WALL])
def test_pdf_has_a_page_for_each_slide_and_is_vector_but_for_maps(name):
    content = committed(name)
    assert len(re.findall(rb"/Type */Page\b", content)) == PAGES
    told = sum(pages_of(text) for name, text in TEXT.items() if "appendix" not in name)
    assert sum(map(pages_of, TEXT.values())) == PAGES
    assert told == TOLD
    boxes = set(re.findall(rb"/MediaBox *\[([^]]*)\]", content))
    assert boxes == ({b"0 0 595.2756 841.8898"} if name.endswith("notes") else {b"0 0 960 540"})
    # Pixels only where a figure is a map: 16-map.
    assert len(re.findall(rb"/Subtype */Image\b", content)) <= 4
    assert not re.search(rb"/Subtype */Type3\b", content)
    # Each font has a descriptor, and each descriptor holds the font.
    assert len(re.findall(rb"/Type */FontDescriptor", content)) == len(re.findall(rb"/FontFile[23]? ", content)) > 0


def test_every_slide_but_title_and_dividers_links_its_notebook():
    links = re.findall(rb"/URI *\(([^)]*)\)", committed(slides.NAME))
    dividers = sum(text.count("#divider(") for text in TEXT.values())
    assert len(links) >= PAGES - dividers - 1
    assert all((slides.SLIDES / link.decode()).is_file() for link in links)


def test_every_section_is_in_the_deck():
    deck = (slides.SLIDES / f"{slides.NAME}.typ").read_text(encoding="utf-8")
    assert re.findall(r'#include "([^"]+)"', deck) == [path.name for path in SOURCES]


# Nothing typed that a notebook can say


def typed_numbers(text: str) -> list[str]:
    """Return the numbers in a source that are neither in a formula, nor a length, a name or a year."""
    text = re.sub(r"//.*", "", text)
    strings = re.findall(r'"[^"\n]*"', text)
    found = [number for string in strings for number in re.findall(r"\d{3,}", string)]
    text = re.sub(r'"[^"\n]*"', '""', text)
    text = re.sub(r"\$[^$]*\$", "$$", text)
    text = re.sub(r"\bat\(\d\)|\b(?:columns|colspan|rowspan|from|to|enlarged): [\d.]+", "", text)
    text = re.sub(r"\d+(?:\.\d+)?(?:pt|em|fr|%)|\b(?:19|20)\d\d\b", "", text)
    return found + re.findall(r"\d[\d.,]*", re.sub(r"\b[a-z]+\d\b", "", text))


@pytest.mark.parametrize("name", TEXT)
def test_no_number_is_typed(name):
    assert typed_numbers(TEXT[name]) == []


@pytest.mark.parametrize(
    "text", ["Solved by 475 seeds.", "all [3,031] of them", '#slide("475 seeds")', "$x$ 12 $y$", "0 of #number()"]
)
def test_typed_number_is_found(text):
    assert typed_numbers(text) != []


def test_what_is_no_typed_number_is_let_pass():
    assert typed_numbers('In 2022, $x_1 + 300$, #v(14pt), #number("08", "seeds") // 475') == []


@pytest.mark.parametrize("name", TEXT)
def test_no_text_is_small(name):
    sizes = [float(size) for size in re.findall(r"text\(\s*(?:size: *)?([\d.]+)pt", TEXT[name])]
    assert all(size >= 18 for size in sizes)


def test_figures_on_slides_are_those_of_the_notebook_named_below():
    """A slide that shows a figure of one notebook must not send its reader to another."""
    for name, text in TEXT.items():
        for slide in re.split(r"^#(?=slide)", text, flags=re.MULTILINE)[1:]:
            shown = set(re.findall(r'(?:figure|part|panel|pair)\("([A\d]\d)-', slide)) - {"00"}
            (source,) = re.findall(r"source: (.*),", slide) or [""]
            assert not source or shown <= {*re.findall(r"[A\d]\d", source)}, f"{name}: {slide[:80]}"


# What the theme refuses

PREAMBLE = '#import "/slides/theme.typ": *\n#show: deck.with("test")\n'


def compiled(source: str, **inputs: str) -> list[bytes]:
    options = {"root": slides.ROOT, "font_paths": [slides.FONTS], "ignore_system_fonts": True, "sys_inputs": inputs}
    pages = typst.compile((PREAMBLE + source).encode(), format="png", ppi=10, **options)
    return pages if isinstance(pages, list) else [pages]


GOOD = '#slide([Title], source: "06", notes: [Notes.])[BODY]'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("#lorem(300)", "a slide has room for"),
        ('#figure("00-relu", width: 970pt)', "00-relu would be wider than the page"),
        ('#part("08-every-seed-losses", least: 6pt)', "08-every-seed-losses would be wider than the page"),
        ('#figure("06-minimum", width: 800pt)', "the text of 06-minimum would be"),
        ('#figure("06-maximum", width: 800pt)', "no notebook saves a figure 06-maximum"),
        ('#number("06", "third")', "does not contain key"),
        ('#number("66", "first")', "does not contain key"),
    ],
)
def test_what_the_theme_refuses(body, why):
    with pytest.raises(typst.TypstError, match=why):
        compiled(GOOD.replace("BODY", body))


def test_slide_without_notes_is_refused():
    with pytest.raises(typst.TypstError, match="a slide has no notes"):
        compiled("#slide([Title])[Body]")


def test_numbers_have_commas():
    """A number on a slide is drawn as the same number typed."""
    for number in ({"solved": 3031}, {"units": 6628}, {"fresh_stuck_solved": 0}):
        ((key, value),) = number.items()
        assert FACTS["notebooks"]["08"]["numbers"][key] == value
        drawn, typed = (compiled(GOOD.replace("BODY", text)) for text in (f'#number("08", "{key}")', f"{value:,}"))
        assert drawn == typed != compiled(GOOD.replace("BODY", "7"))


def test_dark_is_dark():
    def brightness(**inputs: str) -> float:
        (page,) = compiled(GOOD.replace("BODY", '#figure("06-minimum-theory", width: 500pt)'), **inputs)
        return np.median(imread(io.BytesIO(page))[..., :3])

    assert brightness() == 1.0
    assert brightness(theme="dark") < 0.15
