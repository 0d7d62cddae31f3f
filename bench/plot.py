#!/usr/bin/env python3
"""Draw a line plot of tab-separated series as SVG; nothing but Python's own library is needed.

    bench/plot.py [--title T] [--x LABEL] [--y LABEL] [--log-x] [--log-y] [--dots] [-o OUT.svg] FILE.tsv...

The first line of a file names its columns: the first is x, each other one a series. An empty cell is
no point. Files are drawn together; "-" is standard input. Labels left out are taken from the files.
"""
import argparse, math, sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 170, 44, 56
COLOURS = ["#1f6fb4", "#d1495b", "#2e8b57", "#e08e0b", "#6a4c93", "#00798c", "#8d5524", "#555555"]
POINTS = 4000  # of one series that are drawn; more would only make the file large


def read(files):
    """Names of x, and {series: [(x, y)]} in the order of the files."""
    x_name, series = None, {}
    for name in files:
        with sys.stdin if name == "-" else open(name, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in file if line.strip() and line[0] != "#"]
        if not lines:
            sys.exit(f"plot: {name}: no columns")
        x_name = x_name or lines[0][0]
        for cells in lines[1:]:
            for title, cell in zip(lines[0][1:], cells[1:]):
                if cell.strip():
                    series.setdefault(title, []).append((float(cells[0]), float(cell)))
    if not series:
        sys.exit("plot: no points")
    return x_name, series


def thinned(points):
    """At most POINTS of them: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= POINTS:
        return points
    kept, step = [], math.ceil(2 * len(points) / POINTS)
    for at in range(0, len(points), step):
        part = points[at:at + step]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


class Axis:
    def __init__(self, values, log, begin, end):
        if log:
            values = [v for v in values if v > 0] or [1.0]
        self.log, self.begin, self.end = log, begin, end
        low, high = min(values), max(values)
        if log:
            self.low, self.high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            if self.low == self.high:
                self.high += 1
            self.ticks = [10.0 ** e for e in range(self.low, self.high + 1)]
            if len(self.ticks) <= 3:
                self.ticks = sorted(m * t for t in self.ticks[:-1] for m in (1, 2, 5)) + self.ticks[-1:]
            return
        if low < (high - low) * 2:  # else zero would leave most of the plot empty
            low = min(low, 0.0)
        span = (high - low) or 1.0
        unit = 10.0 ** math.floor(math.log10(span / 5))
        step = next(m * unit for m in (1, 2, 5, 10) if m * unit * 6 >= span)
        self.low, self.high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
        if self.low == self.high:
            self.high += step
        self.ticks = [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]

    def place(self, value):
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def number(value):
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def draw(series, title, x_label, y_label, log_x, log_y, dots):
    points = [p for line in series.values() for p in line]
    x = Axis([p[0] for p in points], log_x, LEFT, WIDTH - RIGHT)
    y = Axis([p[1] for p in points], log_y, HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def text(at_x, at_y, what, more=""):
        out.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" {more}>{escape(what)}</text>')

    def line(x1, y1, x2, y2, colour):
        out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>')

    for tick in y.ticks:
        line(LEFT, y.place(tick), WIDTH - RIGHT, y.place(tick), "#e4e4e4")
        text(LEFT - 8, y.place(tick) + 4, number(tick), 'text-anchor="end"')
    for tick in x.ticks:
        line(x.place(tick), TOP, x.place(tick), HEIGHT - BOTTOM, "#f0f0f0")
        text(x.place(tick), HEIGHT - BOTTOM + 18, number(tick), 'text-anchor="middle"')
    line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#444444")
    line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#444444")
    text(LEFT, TOP - 18, title, 'font-size="15" font-weight="bold"')
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_label, 'text-anchor="middle"')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    text(18, middle, y_label, f'text-anchor="middle" transform="rotate(-90 18 {middle:.1f})"')

    for i, (name, line_points) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        places = [(x.place(a), y.place(b)) for a, b in thinned(sorted(line_points))]
        if not dots:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if dots or len(places) <= 60:
            radius = 2.6 if len(places) <= 60 else 1.2
            out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{colour}"/>' for a, b in places]
        key = TOP + 8 + 20 * i
        out.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{key - 8}" width="12" height="12" fill="{colour}"/>')
        text(WIDTH - RIGHT + 32, key + 3, name)
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", default="")
    parser.add_argument("--x")
    parser.add_argument("--y", default="")
    parser.add_argument("--log-x", action="store_true")
    parser.add_argument("--log-y", action="store_true")
    parser.add_argument("--dots", action="store_true", help="points without lines between them")
    parser.add_argument("-o", "--out")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    x_name, series = read(args.files)
    svg = draw(series, args.title, args.x or x_name, args.y, args.log_x, args.log_y, args.dots)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.write(svg)
    else:
        sys.stdout.write(svg)


if __name__ == "__main__":
    main()
