"""What came out: one result for each cell and case, and how it is shown."""

import textwrap
from dataclasses import dataclass

from lab import plan

WIDTH = 80


class CannotBeDone(Exception):
    """The server is not able to. The text is the reason, and is printed with the table."""


@dataclass
class Result:
    subject: object  # a Cell, or the title of a case
    verdict: str  # "ok", "fail", or "n/a": the server cannot
    reason: str = ""
    seconds: float = 0.0


def matrix(results):
    verdicts = {r.subject: r for r in results if isinstance(r.subject, plan.Cell)}
    head = f"{'server':9}{'method':15}{'partner opens':>24}{'edge opens':>27}"
    kinds = "".join(f"{kind:>9}" for kind in plan.KINDS)
    lines = [head, f"{'':24}{kinds}{kinds}"]
    for server in plan.SERVERS:
        for method in plan.METHODS:
            row = [plan.Cell(server, method, opener, kind) for opener in plan.OPENERS for kind in plan.KINDS]
            marks = "".join(f"{verdicts[c].verdict if c in verdicts else '-':>9}" for c in row)
            lines.append(f"{server:9}{method:15}{marks}")
    return lines


def cases(results):
    lines = []
    for result in results:
        if not isinstance(result.subject, plan.Cell):
            title = textwrap.wrap(result.subject, WIDTH - 6)
            lines += [f"{result.verdict:>4}  {title[0]}"] + [" " * 6 + more for more in title[1:]]
    return lines


def reasons(results):
    """Why something failed, or why a server cannot do it."""
    told = {}  # one reason may be that of many cells
    for result in results:
        if result.verdict == "n/a":
            told.setdefault(result.reason, f"n/a: {result.reason}")
        elif result.verdict == "fail":
            told[result.subject] = f"fail: {result.subject}: {result.reason}"
    return [line for text in told.values() for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]


def table(results):
    parts = [matrix(results), cases(results), reasons(results)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def passed(results):
    return all(r.verdict in ("ok", "n/a") for r in results)
