#!/usr/bin/env python3
"""Prints an input over real text found on this machine, for a run that is large enough to time.

    make_input.py [--bytes N] [--chunks N] [--top N] [PLACE...]

A PLACE is a file or a directory. Directories are searched for plain text (by suffix or by the
names that documentation uses); without any, the usual places for documentation are searched.
"""
import argparse
import json
import os

PLACES = ["/usr/share/common-licenses", "/usr/share/doc", "/usr/share/perl", "/usr/lib/python3.11",
          "/usr/lib/python3.13", "/usr/include"]
SUFFIXES = (".txt", ".md", ".rst", ".pod", ".pm", ".pl", ".py", ".h")
# A single file above this is a generated list more often than prose.
LARGEST = 1_000_000
NAMES = ("copyright", "README", "NEWS", "AUTHORS", "GPL", "LGPL", "Apache", "Artistic")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=20_000_000)
    parser.add_argument("--chunks", type=int, default=1000)
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("places", nargs="*", default=PLACES)
    options = parser.parse_args()
    files, total = [], 0
    for name, size in text_files(options.places):
        if total >= options.bytes:
            break
        files.append(name)
        total += size
    if not files:
        raise SystemExit("make_input.py: no text found in " + " ".join(options.places))
    print(json.dumps({"files": files, "chunks": options.chunks, "top": options.top}))


def text_files(places):
    """(name, size) of each text file, every file once, in an order that is the same each time."""
    seen = set()
    for place in places:
        for name in [place] if os.path.isfile(place) else walk(place):
            real = os.path.realpath(name)
            if real not in seen and readable_text(real):
                seen.add(real)
                size = os.path.getsize(real)
                if size <= LARGEST or name == place:
                    yield real, size


def walk(place):
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            if is_prose(os.path.join(folder, name)):
                yield os.path.join(folder, name)


def is_prose(path):
    """By the name alone. Change logs are left out: their words are mostly links and numbers."""
    name = os.path.basename(path)
    if "changelog" in path.lower() or name.endswith(".gz"):
        return False
    return name.endswith(SUFFIXES) or name.startswith(NAMES)


def readable_text(name):
    try:
        with open(name, "rb") as file:
            start = file.read(4096)
    except OSError:
        return False
    return bool(start) and b"\0" not in start


if __name__ == "__main__":
    main()
