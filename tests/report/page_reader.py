"""A page as a browser's parser sees it: whether it is well formed, and what is in it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}
# elements of SVG that close themselves
CLOSED = {"path", "rect", "circle", "image"}
LINKS = {"href", "src", "xlink:href", "action", "data", "srcset", "poster"}


class Page(HTMLParser):
    """Reads a page and keeps its elements, words and tables."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._keep(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag, attrs):
        assert tag in CLOSED
        self._keep(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def _keep(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attrs)))
        self.links += [value or "" for name, value in attrs if name in LINKS]

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        """How many elements of a kind there are."""
        return sum(name == tag for name, _ in self.elements)


def read_page(text: str) -> Page:
    """A page, after what every page must keep."""
    assert text.startswith('<!doctype html>\n<html lang="en">')
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "iframe", "object", "embed", "link", "base", "form", "foreignobject"})
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.links:
        assert link.startswith("data:image/png;base64,") or link.removeprefix("#") in ids, link[:80]
    assert "url(" not in text
    assert "@import" not in text
    assert "nan" not in {word.strip().lower() for word in page.words}
    for tag, attributes in page.elements:
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
        if tag == "svg":
            assert attributes["aria-label"]
            assert attributes["role"] == "img"
    drawings = text.split("<svg ")[1:]
    assert all(drawing.partition(">")[2].startswith("<title>") for drawing in drawings)
    assert page.count("caption") == page.count("table")
    return page
