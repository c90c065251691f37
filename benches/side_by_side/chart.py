"""Lines over two logarithmic axes, as an SVG that is legible on a light and on a dark background."""

import math
from html import escape

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 50, 60
LABEL_HEIGHT = 17

# In each theme, all of them contrast with the background and with each other.
COLOURS = (
    ("#0072b2", "#56b4e9"),
    ("#6e6e6e", "#a8a8a8"),
    ("#007a5a", "#2bc48a"),
    ("#c04a00", "#ff8c42"),
    ("#a03070", "#e08abf"),
    ("#806000", "#e6c229"),
)

Lines = dict[str, list[tuple[float, float]]]


def draw(title: str, horizontal: str, vertical: str, lines: Lines) -> str:
    """A chart of the points (x, y) of each line, all above 0."""
    points = [point for line in lines.values() for point in line]
    across = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [_head(title, horizontal, vertical), *_grid(across, up)]
    parts += [_line(number, line, across, up) for number, line in enumerate(lines.values())]
    ends = {name: up.place(line[-1][1]) for name, line in lines.items()}
    for number, (name, line) in enumerate(lines.items()):
        height = _apart(ends)[name]
        x = across.place(line[-1][0]) + 10
        parts.append(f'<text class="name c{number}" x="{x:.1f}" y="{height + 4:.1f}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """Maps a value to its position, over whole powers of ten."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.high = max(self.high, self.low + 1)
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def powers(self) -> list[int]:
        return list(range(self.low, self.high + 1))


def _head(title: str, horizontal: str, vertical: str) -> str:
    light = "".join(f".c{n}{{fill:{c[0]};stroke:{c[0]}}}" for n, c in enumerate(COLOURS))
    dark = "".join(f".c{n}{{fill:{c[1]};stroke:{c[1]}}}" for n, c in enumerate(COLOURS))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {box}>
<style>
.ground{{fill:#fff}} text{{font:14px system-ui,sans-serif;fill:#222}} .title{{font-weight:600;font-size:16px}}
.grid{{stroke:#ddd}} .name{{stroke:none!important;font-weight:600}} polyline{{fill:none!important;stroke-width:2.5}}
{light}
@media (prefers-color-scheme: dark) {{
.ground{{fill:#0d1117}} text{{fill:#e6edf3}} .grid{{stroke:#30363d}}
{dark}
}}
</style>
<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>
<text class="title" x="{LEFT}" y="28">{escape(title)}</text>
<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(horizontal)}</text>
<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{escape(vertical)}</text>"""


def _grid(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for power in across.powers:
        x = across.place(10**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{_number(power)}</text>')
    for power in up.powers:
        y = up.place(10**power)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{_number(power)}</text>')
    return parts


def _number(power: int) -> str:
    return f"{10**power:,}".replace(",", "\u202f") if power >= 0 else f"{10.0**power:.{-power}f}"


def _line(number: int, line: list[tuple[float, float]], across: _Axis, up: _Axis) -> str:
    places = [(across.place(x), up.place(y)) for x, y in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places)
    return f'<polyline class="c{number}" points="{path}"/>{dots}'


def _apart(ends: dict[str, float]) -> dict[str, float]:
    """The vertical positions of the names, moved down where they would overlap."""
    placed: dict[str, float] = {}
    below = -math.inf
    for name, height in sorted(ends.items(), key=lambda end: end[1]):
        below = placed[name] = max(height, below + LABEL_HEIGHT)
    return placed
