#!/usr/bin/env python3
"""Builds the wheel of unum_workflows, without a network and without other packages.

Usage: build_wheel.py [--library PATH] [--command PATH] [--tag TAG] [--out DIRECTORY]

--library  libunum.so.1, to be put into the package; without it the package finds the one of UNUM_LIBRARY or the system
--command  the program `unum`, to be installed beside Python's own
--tag      of the wheel; py3-none-any without a library and a command, else it must be given, and say what those need:
           py3-none-manylinux_2_34_x86_64, py3-none-manylinux_2_34_aarch64

The same functions are the build backend of pyproject.toml (PEP 517): `pip install .`, with the same three by
`--config-settings library=PATH` and so on. Two builds of the same files are equal byte for byte.
"""

import argparse
import base64
import gzip
import hashlib
import io
import os
import re
import stat
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "unum_workflows"
PURE = "py3-none-any"
SUMMARY = "Serverless workflows without an orchestrator: unum as a library"
# 1980 is the first year that a zip file knows.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def read(*path):
    with open(os.path.join(HERE, *path), "rb") as file:
        return file.read()


def version():
    return re.search(r'__version__ = "([^"]+)"', read(NAME, "_version.py").decode()).group(1)


def metadata():
    head = ["Metadata-Version: 2.1", "Name: unum-workflows", f"Version: {version()}", f"Summary: {SUMMARY}",
            "License: Apache-2.0", "Requires-Python: >=3.8", "Classifier: Operating System :: POSIX :: Linux",
            "Classifier: Programming Language :: Python :: 3", "Classifier: Typing :: Typed",
            "Description-Content-Type: text/markdown"]
    return "\n".join(head).encode() + b"\n\n" + read("README.md")


def wheel_text(tag):
    pure = "true" if tag == PURE else "false"
    return f"Wheel-Version: 1.0\nGenerator: unum build_wheel.py\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()


def package_files():
    """The package's own files, by their names in the wheel."""
    names = sorted(name for name in os.listdir(os.path.join(HERE, NAME)) if name.endswith(".py") or name == "py.typed")
    return {f"{NAME}/{name}": read(NAME, name) for name in names}


def licence():
    """The project's, if the package lies in its tree; a source distribution has it beside."""
    for path in (os.path.join(HERE, "LICENSE"), os.path.join(HERE, "..", "..", "LICENSE")):
        if os.path.exists(path):
            with open(path, "rb") as file:
                return file.read()
    return None


def build(directory, library=None, command=None, tag=None):
    """The path of the wheel that was made."""
    if tag is None and (library or command):
        sys.exit("--tag is needed with --library or --command: it says on which machines they run")
    tag = tag or PURE
    if not re.fullmatch(r"[\w.]+-[\w.]+-[\w.]+", tag):
        sys.exit(f"the tag {tag!r} has not the form py3-none-PLATFORM")
    info, data = f"{NAME}-{version()}.dist-info", f"{NAME}-{version()}.data"
    files = package_files()
    executables = set()
    if library:
        files[f"{NAME}/libunum.so.1"] = read_binary(library)
        executables.add(f"{NAME}/libunum.so.1")
    if command:
        files[f"{data}/scripts/unum"] = read_binary(command)
        executables.add(f"{data}/scripts/unum")
    files[f"{info}/METADATA"] = metadata()
    files[f"{info}/WHEEL"] = wheel_text(tag)
    if licence() is not None:
        files[f"{info}/LICENSE"] = licence()
    record = "".join(f"{name},sha256={digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()

    path = os.path.join(directory, f"{NAME}-{version()}-{tag}.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | (0o755 if name in executables else 0o644)) << 16
            wheel.writestr(entry, content)
    return path


def read_binary(path):
    with open(path, "rb") as file:
        content = file.read()
    if not content.startswith(b"\x7fELF"):
        sys.exit(f"{path} is no ELF file")
    return content


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


# --- The build backend (PEP 517) --------------------------------------------------------------------------------------

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    settings = dict(config_settings or {})
    chosen = {name: settings.pop(name, None) for name in ("library", "command", "tag")}
    if settings:
        sys.exit(f"unknown settings: {', '.join(settings)}; there are library, command, tag")
    return os.path.basename(build(wheel_directory, **chosen))


def build_sdist(sdist_directory, config_settings=None):
    top = f"{NAME}-{version()}"
    files = {"pyproject.toml": read("pyproject.toml"), "build_wheel.py": read("build_wheel.py"),
             "README.md": read("README.md"), "PKG-INFO": metadata(), **package_files()}
    if licence() is not None:
        files["LICENSE"] = licence()
    name = f"{top}.tar.gz"
    with open(os.path.join(sdist_directory, name), "wb") as file, \
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each, content in files.items():
            entry = tarfile.TarInfo(f"{top}/{each}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library")
    parser.add_argument("--command")
    parser.add_argument("--tag")
    parser.add_argument("--out", default=".")
    chosen = parser.parse_args()
    os.makedirs(chosen.out, exist_ok=True)
    print(build(chosen.out, chosen.library, chosen.command, chosen.tag))


if __name__ == "__main__":
    main()
