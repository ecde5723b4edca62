"""A drawing as text: the few shapes that plots and traces are made of, in one hand and the same bytes every time."""

from __future__ import annotations

from html import escape

FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
INK, FAINT, PAPER = "#1f2933", "#9aa5b1", "#ffffff"
SIZE = 13


class Drawing:
    """Shapes in the order in which they are drawn, on paper of its own, so that it reads on dark pages too."""

    def __init__(self, width: int, height: int, title: str) -> None:
        """`title` is what is read out to those who do not see it."""
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="{FONT}" font-size="{SIZE}">'
        )
        self._shapes = [f"<title>{escape(title)}</title>"]
        self.box(0, 0, width, height, fill=PAPER, radius=6)

    def box(self, x: float, y: float, width: float, height: float, *, fill: str, radius: float = 2) -> None:
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        self._shapes.append(f'<rect {place} rx="{_number(radius)}" fill="{fill}"/>')

    def line(self, *points: tuple[float, float], colour: str = FAINT, width: float = 1, dashes: str = "") -> None:
        """Straight from point to point."""
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        style = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{_number(width)}"{style}/>'
        )

    def arrow(self, *points: tuple[float, float], colour: str = FAINT, width: float = 1, dashes: str = "") -> None:
        """The same with a head at the last point."""
        self.line(*points, colour=colour, width=width, dashes=dashes)
        self._head_at(points[-2], points[-1], colour)

    def dot(self, x: float, y: float, *, colour: str, radius: float = 4) -> None:
        self._shapes.append(f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}" fill="{colour}"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        colour: str = INK,
        size: int = SIZE,
        anchor: str = "start",
        weight: str = "normal",
    ) -> None:
        """`y` is the middle of the line. `anchor` is start, middle or end."""
        style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
        self._shapes.append(f'<text x="{_number(x)}" y="{_number(y + 0.35 * size)}" {style}>{escape(words)}</text>')

    def written(self) -> str:
        return "\n".join([self._head, *self._shapes, "</svg>", ""])

    def _head_at(self, before: tuple[float, float], tip: tuple[float, float], colour: str) -> None:
        (x0, y0), (x, y) = before, tip
        length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5
        along, across = ((x - x0) / length, (y - y0) / length), (-(y - y0) / length, (x - x0) / length)
        corners = [(x, y)] + [(x - 9 * along[0] + s * across[0], y - 9 * along[1] + s * across[1]) for s in (4, -4)]
        path = " ".join(f"{_number(a)},{_number(b)}" for a, b in corners)
        self._shapes.append(f'<polygon points="{path}" fill="{colour}"/>')


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
