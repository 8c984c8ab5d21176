"""The report page: one file that needs nothing else and shows texts and labels as what they are."""

from html.parser import HTMLParser

import pytest
from small_runs import Trained

VOID = {"meta", "br", "line", "circle", "polyline", "img", "input", "hr", "link"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; an error if tags do not match."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.source = source
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open in ([], ["html"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def page(trained: Trained) -> Page:
    return Page((trained.directory / "report.html").read_text(encoding="utf-8"))


def test_it_needs_nothing_but_itself(page: Page) -> None:
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.elements)
    assert not {"src", "href", "srcset", "data", "action"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for reference in ("http:", "https:", "url(", "@import"):
        assert reference not in page.source


def test_texts_and_labels_are_shown_and_not_obeyed(page: Page) -> None:
    assert "is good <script>alert(1)</script>" in page.text
    assert "<rude>" in page.text
    assert "<script" not in page.source
    assert "<rude>" not in page.source


def test_it_shows_the_figures(page: Page) -> None:
    assert "0.8333" in page.text
    assert "95 %: 0.4365 to 0.9699" in " ".join(page.text.split())
    assert "On the 5 examples that do not also stand in the training data" in page.text
    assert "1 of 6 test inputs also stand in an earlier part." in page.text


def test_it_draws_a_curve_for_training_and_validation_of_each_metric(page: Page) -> None:
    assert page.elements.count("svg") == 2  # loss, accuracy
    assert page.elements.count("polyline") == 4
    assert page.elements.count("circle") == 2 * 4  # validation is known at the end of each epoch


def test_it_shows_the_confusion_matrix(page: Page) -> None:
    table = page.source[page.source.index('class="confusion">') :].partition("</table>")[0]
    assert [cell.partition("</td>")[0].rpartition(">")[2] for cell in table.split("<td")[1:]] == [
        *("&lt;rude&gt;", "3", "1"),
        *("kind", "0", "2"),
    ]


def test_it_says_how_to_repeat_the_run(page: Page, trained: Trained) -> None:
    assert f"kerasft finetune --config {trained.directory}/config.json" in page.text
    assert str(trained.train) in page.text
