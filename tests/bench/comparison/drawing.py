"""Curves as SVG, with logarithmic axes. Readable on light and on dark: text and lines take the reader's colours."""

import math

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 36, 48
COLOURS = {
    "xmpp-edge": ("#0a6ebd", "#58b0ff"),
    "floor": ("#6b6b6b", "#a8a8a8"),
    "Prosody": ("#b35300", "#ffa04d"),
    "ejabberd": ("#2c7a2c", "#6fcf6f"),
}
PLAIN, DARK = "#222222", "#e6e6e6"


def curve(title: str, axis: str, unit: str, lines: dict, is_linear: bool = False) -> str:
    """`lines` has the points of each system: [(x, y)]."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points if y > 0]
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, is_linear)
    up = Scale(0 if is_linear else min(ys), max(ys), HEIGHT - BOTTOM, TOP, is_linear)
    parts = [f'<text x="{LEFT}" y="20" class="title">{title}: {unit}</text>']
    for y in up.ticks():
        at = up.at(y)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="right">{y:,g}</text>')
    for x in sorted(set(xs)):
        at = across.at(x)
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" class="middle">{short(x)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" class="middle">{axis}</text>')
    taken = []
    for system, points in lines.items():
        name = system.replace(" ", "-")
        places = [(across.at(x), up.at(y)) for x, y in points if y > 0 or is_linear]
        if not places:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" class="line {name}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot {name}"/>' for x, y in places]
        # Names that would lie on each other move down.
        height = places[-1][1] + 4
        while any(abs(height - other) < 14 for other in taken):
            height += 2
        taken.append(height)
        parts.append(f'<text x="{places[-1][0] + 8:.1f}" y="{height:.1f}" class="name {name}">{system}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}: {unit}">\n<style>\n{style()}</style>\n{body}\n</svg>\n'
    )


def style() -> str:
    def rules(which: int, plain: str) -> str:
        of_systems = "".join(
            f".line.{name}{{stroke:{colours[which]}}}.dot.{name},.name.{name}{{fill:{colours[which]}}}\n"
            for name, colours in COLOURS.items()
        )
        return f"text{{fill:{plain}}}.grid{{stroke:{plain}}}\n{of_systems}"

    return (
        "text{font:12px sans-serif}.title{font-weight:bold}.right{text-anchor:end}.middle{text-anchor:middle}"
        ".grid{stroke-opacity:.2}.line{fill:none;stroke-width:2}\n"
        f"{rules(0, PLAIN)}@media(prefers-color-scheme:dark){{\n{rules(1, DARK)}}}\n"
    )


class Scale:
    """From numbers to places."""

    def __init__(self, least: float, most: float, begin: float, end: float, is_linear: bool):
        self.is_linear, self.begin, self.end = is_linear, begin, end
        if is_linear:
            self.least, self.most = least, most
        else:
            self.least, self.most = math.log10(least), math.log10(most)
        if self.least == self.most:
            self.most += 1

    def at(self, number: float) -> float:
        value = number if self.is_linear else math.log10(number)
        return self.begin + (value - self.least) / (self.most - self.least) * (self.end - self.begin)

    def ticks(self) -> list:
        if self.is_linear:
            span = self.most - self.least
            steps = (lead * 10**power for power in range(-3, 9) for lead in (1, 2, 5))
            step = next(it for it in steps if it * 7 >= span)
            return [step * it for it in range(math.ceil(self.least / step), math.floor(self.most / step) + 1)]
        decades = range(math.floor(self.least), math.ceil(self.most) + 1)
        leads = (1,) if self.most - self.least > 2 else (1, 2, 5)
        all_of_them = (round(lead * 10.0**decade, 6) for decade in decades for lead in leads)
        return [it for it in all_of_them if self.least <= math.log10(it) <= self.most]


def short(number: int) -> str:
    if number >= 1024 and number % 1024 == 0:
        return f"{number // 1024} KiB"
    return f"{number:,}"
