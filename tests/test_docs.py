"""What the documentation links to and names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
# Folders of the repository: what is named in one of them must be there.
_FOLDERS = ("benchmarks", "configs", "docs", "tests", "tfrec")
_FLAGFILE = re.compile(r"--flagfile=(configs/\S+\.flags)")


def text_of(page):
    return _COMMENT.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """Returns what GitHub calls the headings of a page."""
    prose = _FENCE.sub("", text_of(page))
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        yield kept.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_lead_somewhere(page):
    for link in _LINK.findall(_FENCE.sub("", text_of(page))):
        if link.startswith("https://"):
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    text = text_of(page)
    names = [
        name
        for name in _QUOTED.findall(_FENCE.sub("", text))
        if name.partition("/")[0] in _FOLDERS and " " not in name
    ]
    for name in [*names, *_FLAGFILE.findall(text)]:
        assert any(ROOT.glob(name)), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_closed_fences(page):
    text = text_of(page)
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0
    assert len(re.findall(r"^# ", _FENCE.sub("", text), re.MULTILINE)) == 1


def test_the_readme_is_short_and_leads_to_every_page():
    text = text_of(README)
    assert len(text.splitlines()) < 200
    for page in PAGES[1:]:
        assert f"({page.relative_to(ROOT)})" in text
