"""Line charts without a library: the plot is an SVG that stretches with the page, its labels are HTML that
does not.

Text therefore keeps its size on every screen, colours follow the page's light or dark scheme, and nothing
is loaded from elsewhere. script.js adds a read-out under the pointer; without it the chart is complete.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace.report.text import esc

Floats = npt.NDArray[np.float64]

#: Coordinates inside the plot run from 0 to this in both directions.
_EXTENT = 1000


@dataclass(frozen=True)
class Line:
    """One line: points in data coordinates; ``colour`` is an index into the palette of the page."""

    name: str
    x: npt.NDArray[np.floating[Any]]
    y: npt.NDArray[np.floating[Any]]
    colour: int = 0
    dashed: bool = False
    step: bool = False
    area: bool = False


@dataclass(frozen=True)
class Axis:
    """``linear``, ``log``, or ``percentile`` (shares 0..1 on the scale of -log10(1 - share))."""

    kind: str
    low: float
    high: float
    unit: str = ""

    def place(self, values: npt.NDArray[np.floating[Any]]) -> Floats:
        """Where ``values`` stand, 0 to 1."""
        low, high = self._scaled(np.array([self.low, self.high]))
        span = float(high - low) or 1.0
        return np.asarray((self._scaled(np.asarray(values, float)) - low) / span, dtype=np.float64)

    def _scaled(self, values: Floats) -> Floats:
        if self.kind == "log":
            return np.asarray(np.log10(np.maximum(values, self.low)), dtype=np.float64)
        if self.kind == "percentile":
            return np.asarray(-np.log10(1 - np.minimum(values, 1 - 1e-12)), dtype=np.float64)
        return values

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """(value, label) of at most about ``most`` marks."""
        if self.kind == "percentile":
            shares = [0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999]
            return [(s, f"{s * 100:.10g}%") for s in shares if s <= self.high * (1 + 1e-12)]
        if self.kind == "log":
            return [(v, _label(v)) for v in _log_ticks(self.low, self.high, most)]
        return [(v, _label(v)) for v in _linear_ticks(self.low, self.high, most)]


def _label(value: float) -> str:
    for limit, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= limit * (1 - 1e-9):
            return f"{value / unit:.6g} {letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / max(most - 1, 1)
    if raw <= 0:
        return [low]
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    strides = [(steps, 1) for steps in ((1, 2, 5), (1, 3), (1,))] + [((1,), n) for n in (2, 3, 4)]
    marks: list[float] = []
    for steps, stride in strides:
        marks = [m * 10.0**e for e in range(first, last + 1, stride) for m in steps]
        marks = [v for v in marks if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(marks) <= most + 1:
            break
    return marks


def fitting(values: Sequence[npt.NDArray[np.floating[Any]]], unit: str, *, log: bool | None = None) -> Axis:
    """A y axis over ``values``: from zero, or logarithmic when they span much (or as ``log`` says)."""
    flat = np.concatenate([np.asarray(v, float) for v in values]) if values else np.zeros(0)
    flat = flat[np.isfinite(flat)]
    high = float(flat.max()) if len(flat) else 1.0
    positive = flat[flat > 0]
    if log is None:
        log = len(positive) > 0 and high > 20 * float(np.median(positive))
    if log and len(positive):
        low = float(positive.min())
        return Axis("log", low / 1.1, max(high * 1.1, low * 1.3), unit)
    low = min(float(flat.min()), 0.0) if len(flat) else 0.0
    return Axis("linear", low, (high if high > low else low + 1) * 1.05, unit)


def chart(title: str, lines: Sequence[Line], x: Axis, y: Axis, *, x_title: str, note: str = "") -> str:
    """A figure with legend, axes and lines. Empty when no line has two points."""
    drawn = [line for line in lines if len(line.x) > 1]
    if not drawn:
        return ""
    legend = "".join(
        f'<span class="key c{line.colour}{" dashed" if line.dashed else ""}">{esc(line.name)}</span>' for line in drawn
    )
    marks = "".join(_path(line, x, y) for line in drawn)
    y_ticks, x_ticks = y.ticks(), x.ticks()
    grid = "".join(f'<line class="grid" x1="0" x2="{_EXTENT}" y1="{_v(y, v)}" y2="{_v(y, v)}"/>' for v, _ in y_ticks)
    grid += "".join(f'<line class="grid" y1="0" y2="{_EXTENT}" x1="{_h(x, v)}" x2="{_h(x, v)}"/>' for v, _ in x_ticks)
    y_labels = "".join(f'<i style="top:{_v(y, v) / 10:.1f}%">{esc(t)}</i>' for v, t in y_ticks)
    x_labels = "".join(_x_label(_h(x, v) / 10, t) for v, t in x_ticks)
    about = ", ".join(line.name for line in drawn)
    unit = f" <small>{esc(y.unit)}</small>" if y.unit else ""
    aside = f'<p class="note">{esc(note)}</p>' if note else ""
    return (
        f'<figure class="chart" {_data("x", x)} {_data("y", y)}>'
        f"<figcaption><b>{esc(title)}</b>{unit}<span class=legend>{legend}</span></figcaption>"
        f'<div class="plot"><div class="ylab">{y_labels}</div><div class="area">'
        f'<svg viewBox="0 0 {_EXTENT} {_EXTENT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{esc(title)}: {esc(about)}">{grid}{marks}</svg></div>'
        f'<div class="xlab">{x_labels}</div></div>'
        f'<p class="xtitle">{esc(x_title)}</p>{aside}</figure>'
    )


def _x_label(left: float, text: str) -> str:
    side = " class=end" if left > 95 else ""  # a centred label would stick out of the page
    return f'<i{side} style="left:{left:.1f}%">{esc(text)}</i>'


def _data(name: str, axis: Axis) -> str:
    return f'data-{name}="{esc(axis.kind)},{axis.low:.9g},{axis.high:.9g},{esc(axis.unit)}"'


def _h(axis: Axis, value: float) -> float:
    return round(float(axis.place(np.array([value]))[0]) * _EXTENT, 1)


def _v(axis: Axis, value: float) -> float:
    return round((1 - float(axis.place(np.array([value]))[0])) * _EXTENT, 1)


def _path(line: Line, x: Axis, y: Axis) -> str:
    keep = np.isfinite(line.y)
    across = np.clip(x.place(line.x[keep]), 0, 1) * _EXTENT
    down = (1 - np.clip(y.place(line.y[keep]), 0, 1)) * _EXTENT
    if line.step:
        across, down = np.repeat(across, 2)[1:], np.repeat(down, 2)[:-1]
    points = " ".join(f"{a:.1f},{d:.1f}" for a, d in zip(across, down, strict=True))
    area = ""
    if line.area and len(across):
        outline = f"{across[0]:.1f},{_EXTENT} {points} {across[-1]:.1f},{_EXTENT}"
        area = f'<polygon class="fill c{line.colour}" points="{outline}"/>'
    dashed = " dashed" if line.dashed else ""
    name = esc(line.name)
    return f'{area}<polyline class="line c{line.colour}{dashed}" data-name="{name}" points="{points}"/>'
