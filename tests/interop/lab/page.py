"""A page of the documents, read for what its reader does: commands to type, lines to see, records to publish."""

import re
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"


@dataclass
class Commands:
    """An indented block: to be typed into a shell."""

    text: str


@dataclass
class Shown:
    """A fenced block: what the reader sees (`text`), or what stands in the zone of the domain (`zone`)."""

    language: str
    lines: list

    @property
    def patterns(self):
        """A line may begin and end anywhere in a line that is seen; `…` stands for anything."""
        return [".*".join(map(re.escape, line.strip("… ").split("…"))) for line in self.lines]


@dataclass
class Section:
    title: str
    parts: list = field(default_factory=list)


def read(name, names):
    """The sections of a page, with the reader's names in place of those of the page."""
    text = (DOCS / name).read_text()
    for on_the_page, the_readers in names.items():
        text = text.replace(on_the_page, the_readers)
    return parse(text)


def parse(text):
    sections, fence, block = [Section("")], None, []

    def end_block():
        while block and not block[-1]:
            block.pop()
        if block:
            sections[-1].parts.append(Commands("\n".join(block) + "\n"))
        block.clear()

    for line in text.splitlines():
        if fence:
            if line == "```":
                sections[-1].parts.append(fence)
                fence = None
            else:
                fence.lines.append(line)
        elif line.startswith("    ") or (block and not line):
            block.append(line[4:])
        else:
            end_block()
            if line.startswith("```"):
                fence = Shown(line[3:], [])
            elif line.startswith("## "):
                sections.append(Section(line[3:]))
    end_block()
    return sections


def records(sections):
    """What the zone blocks publish: name, type and data."""
    zones = [part for s in sections for part in s.parts if isinstance(part, Shown) and part.language == "zone"]
    return [line.split(None, 2) for zone in zones for line in zone.lines]
