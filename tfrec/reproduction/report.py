"""Writes the report: Markdown, and one web page that needs nothing else."""

import re
from collections.abc import Sequence
from pathlib import Path

from tfrec.reproduction.drawings import draw
from tfrec.reproduction.grid import Grid
from tfrec.reproduction.measured import Measurements
from tfrec.reproduction.plan import Drawn, Job, Part, Plan
from tfrec.reproduction.sections import Picture, Reader, Section
from tfrec.table_text import Table
from tfrec.training.description import versions
from tfrec.training.files import write_text, writing
from tfrec.web_page import heading, note, page

PICTURES = "pictures"
_FLAG = "--output_dir"
_SVG = re.compile("<svg.*?</svg>", re.DOTALL)


def report(
    plan: Plan,
    parts: Sequence[Part],
    jobs: Sequence[Job],
    grid: Grid,
    seeds: Sequence[int],
    folder: Path,
) -> tuple[Path, Path]:
    """Writes report.md and report.html.

    Args:
        plan: Of the paper.
        parts: Those to report.
        jobs: What they were to train.
        grid: Where the runs are; what is not finished there is "not run".
        seeds: Of each job.
        folder: Where to write.

    Returns:
        The two files.
    """
    measured = Measurements(grid, seeds)
    chosen = frozenset(job.name for job in jobs)
    reader = Reader(plan, grid.configs, measured, chosen)
    sections = [Section("", _head(plan, grid, seeds))]
    for part in parts:
        if isinstance(part, Drawn):
            blocks = [part.paper, *draw(part, measured)]
            sections.append(Section(part.title, blocks))
        else:
            sections.append(reader.section(part))
    sections.append(reader.runs(jobs))
    title = f"{plan.paper}, reproduced"
    text, web = folder / "report.md", folder / "report.html"
    with writing(folder, _FLAG):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(text, _markdown(title, sections, folder), _FLAG)
    write_text(web, page(title, _html(sections)), _FLAG)
    return text, web


def _head(plan: Plan, grid: Grid, seeds: Sequence[int]) -> list[str]:
    """Returns what holds for all of the report."""
    blocks = []
    if grid.changes:
        flags = " ".join(f"--{change}" for change in grid.changes)
        blocks.append(
            f"Shortened, not a result: every run of ours had {flags} beside "
            "its flagfile."
        )
    with_what = ", ".join(f"{k} {v}" for k, v in versions().items())
    return [
        *blocks,
        plan.source,
        *plan.notes,
        f"Ours are means over seeds {', '.join(map(str, seeds))}, ± their "
        "standard deviation where there are several; of what no seed changes, "
        "the first alone. [ ] are 95% intervals over the users (sessions) of "
        "the test, by a bootstrap; they say nothing of the seed. What has not "
        "been run says so.",
        f"Reported with {with_what}.",
    ]


def _markdown(title: str, sections: Sequence[Section], folder: Path) -> str:
    """Returns the report as Markdown; its pictures become files."""
    lines, pictures = [f"# {title}"], 0
    for section in sections:
        if section.title:
            lines.append(f"## {section.title}")
        for block in section.blocks:
            if isinstance(block, Table):
                lines.append(block.render("markdown"))
            elif not isinstance(block, Picture):
                lines.append(block)
            elif found := _SVG.search(block):
                pictures += 1
                path = folder / PICTURES / f"{pictures:02}.svg"
                with writing(path.parent, _FLAG):
                    path.parent.mkdir(exist_ok=True)
                write_text(path, found[0] + "\n", _FLAG)
                place = path.relative_to(folder).as_posix()
                lines.append(f"![{section.title}]({place})")
    return "\n\n".join(lines) + "\n"


def _html(sections: Sequence[Section]) -> list[str]:
    parts = []
    for section in sections:
        if section.title:
            parts.append(heading(section.title))
        for block in section.blocks:
            if isinstance(block, Table):
                parts.append(block.fragment())
            elif isinstance(block, Picture):
                parts.append(block)
            else:
                parts.append(note(block))
    return parts
