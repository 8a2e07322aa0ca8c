"""A run's report from made-up predictions: valid pages, the planted mistakes, the same bytes again."""

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import made_up
from sdd_train.quality import mistakes
from sdd_train.reporting import report
from sdd_train.quality.predictions import write_csv
from sdd_train.quality.probability_calibration import IDENTITY
from sdd_train.reporting.tables import Table

VOID = {"meta", "img", "source", "br"}


class Page(HTMLParser):
    """Checks that tags close in order; keeps the files that are referred to and the table rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.files: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.files |= {value for name, value in attrs if name in ("src", "srcset", "href")}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run with a report."""
    folder = tmp_path_factory.mktemp("run")
    write_csv(folder / "predictions.csv", made_up.predictions())
    report.write(folder)
    return folder


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page((run / "report" / "index.html").read_text(encoding="utf-8"))


def test_page_is_self_contained(run, page):
    assert "script" not in page.names
    assert len(page.files) == 2 * len(report.PICTURES)
    for name in page.files:
        assert ElementTree.parse(run / "report" / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_worst_mistakes_come_first(page):
    headers = [i for i, row in enumerate(page.rows) if row[:1] == ["image"]]
    first_miss, first_alarm = (page.rows[i + 1] for i in headers)
    assert first_miss[:3] == [made_up.WORST_MISS, "20", "2"]
    assert first_alarm[:3] == [made_up.WORST_ALARM, "21", "2"]
    assert first_miss[-1] == first_alarm[-1] == "2 of 2"


def test_tables_name_every_fold_and_seed(page):
    header = next(row for row in page.rows if row[:1] == ["fold"])
    assert header[3:] == ["AUROC, seed 7", "AUROC, seed 8", "AP, seed 7", "AP, seed 8"]
    # A cell without text, as in the last row, is not collected.
    assert [row[:3] for row in page.rows if row[0] in set("01234") and len(row) == len(header)] == [
        [str(fold), "50" if fold == 2 else "48", "9" if fold == 2 else "8"] for fold in range(5)
    ]


def test_card_holds_the_same_tables_as_markdown(run, page):
    card = (run / "report" / "card.md").read_text(encoding="utf-8")
    for row in page.rows:
        if all(row) and len(row) > 5 and row[0] != "mean ± sd":
            assert any(all(cell in line for cell in row) for line in card.splitlines()), row


def test_report_is_reproducible(run, tmp_path):
    write_csv(tmp_path / "predictions.csv", made_up.predictions())
    report.write(tmp_path)
    for path in (run / "report").iterdir():
        assert path.read_bytes() == (tmp_path / "report" / path.name).read_bytes()


def test_baseline_and_thumbnails_are_shown_where_they_are_given(tmp_path):
    write_csv(tmp_path / "predictions.csv", made_up.predictions(seeds=(7,)))
    (tmp_path / "vgg16").mkdir()
    write_csv(tmp_path / "vgg16" / "predictions.csv", made_up.predictions(seeds=(9,)))
    data = tmp_path / "data"
    for prediction in made_up.predictions(seeds=(7,)):
        (data / prediction.image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (50, 125), 128).save(data / prediction.image)
    page = Page(report.write(tmp_path, data).read_text(encoding="utf-8"))
    assert any(row[0] == "VGG16 baseline" for row in page.rows)
    with Image.open(tmp_path / "report" / "images" / "defect_planted_miss.jpg") as thumbnail:
        assert thumbnail.size == (160, report.THUMBNAIL_HEIGHT)
    assert "images/defect_planted_miss.jpg" in page.files


def test_an_image_is_a_mistake_if_one_seed_is_wrong():
    predictions = [p for p in made_up.predictions() if p.fold == 2]
    missed, alarms = mistakes.find(predictions, IDENTITY, threshold=0.5)
    wrong = {p.image for p in predictions if (p.logit >= 0) != p.is_defect}
    assert {m.image for m in missed + alarms} == wrong
    means = [m.mean for m in missed]
    assert means == sorted(means) and len(missed) > 1


def test_text_is_escaped_in_both_kinds_of_table():
    table = Table("a < b", ["x|y"], [["<i>&"]])
    assert "<i>" not in table.html() and "&lt;i&gt;&amp;" in table.html()
    assert "x\\|y" in table.markdown()
