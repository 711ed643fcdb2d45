#!/usr/bin/env python3
"""Draws the comparison with other SDKs as an SVG of bars, on a logarithmic scale.

Usage: bench/plot.py FIGURES.json PICTURE.svg      (FIGURES.json: bench/peers/compare.py --json)
"""

import html
import json
import math
import sys

TITLES = {"s3-get": "S3 GET, 1 KB", "s3-head": "S3 HEAD",
          "dynamodb-batch": "DynamoDB BatchGetItem, 100 keys"}
NAMES = {"unum": "unum", "rust": "SDK for Rust", "go": "SDK for Go", "node": "SDK for JavaScript",
         "python": "boto3"}
LEFT, WIDTH, ROW, BAR = 150, 480, 22, 14


def bars(rows, top, scale):
    lines = []
    for place, row in enumerate(sorted(rows, key=lambda each: each["cpu_us"])):
        y = top + place * ROW
        length = scale(row["cpu_us"])
        tone = "#2f6f9f" if row["peer"] == "unum" else "#b9c4cc"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + BAR - 3}" text-anchor="end">{NAMES[row["peer"]]}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{tone}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 3}">{row["cpu_us"]:,.0f}</text>']
    return lines


def picture(figures):
    values = [row["cpu_us"] for row in figures]
    low = 10 ** math.floor(math.log10(min(values)))
    span = math.log10(max(values) / low)

    def scale(value):
        return max(2.0, WIDTH * math.log10(value / low) / span)

    lines, top = [], 40
    for operation, title in TITLES.items():
        rows = [row for row in figures if row["operation"] == operation]
        if rows:
            lines.append(f'<text x="{LEFT}" y="{top}" font-weight="bold">{html.escape(title)}</text>')
            lines += bars(rows, top + 8, scale)
            top += 8 + len(rows) * ROW + 24
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{top}" '
            f'font-family="sans-serif" font-size="12" fill="#222">')
    what = f'<text x="{LEFT}" y="18">CPU of the client, microseconds a request (logarithmic)</text>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', what, *lines,
                      "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as source:
        drawn = picture(json.load(source))
    with open(sys.argv[2], "w", encoding="utf-8") as target:
        target.write(drawn)
