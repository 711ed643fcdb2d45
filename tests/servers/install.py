"""Finds a server's program on the machine, or installs it to the cache.

UNUM_TEST_TOOLS   a folder searched before PATH: programs, and `dynamodb-local/` with its jars

The cache is ${XDG_CACHE_HOME:-~/.cache}/unum-tests. A folder in it is named by what it holds and its version,
appears whole or not at all, and is kept.
"""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import tempfile

from servers import versions
from servers.process import die_with_parent

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unum-tests")
# Where Debian keeps servers; not on every user's PATH.
SYSTEM_FOLDERS = ["/usr/sbin", "/sbin"]


class InstallError(Exception):
    """What could not be installed, and what the tool said."""


def tool(name):
    """The path of a program that is there already, or None."""
    folders = [os.environ.get("UNUM_TEST_TOOLS", ""), os.environ.get("PATH", ""), *SYSTEM_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(filter(None, folders)))


def required(name, package):
    path = tool(name)
    if path is None:
        raise InstallError(f"{name} is not on the PATH (Debian's package: {package})")
    return path


def run(*command, **options):
    """A step of an installation; its output is shown only if it fails."""
    done = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, preexec_fn=die_with_parent, **options)
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def cached(name, version, make):
    """The folder with NAME in VERSION. make(folder) fills it, once: another run waits meanwhile."""
    place = os.path.join(CACHE, f"{name}-{version}")
    if os.path.isdir(place):
        return place
    os.makedirs(CACHE, exist_ok=True)
    with open(place + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(place):
            return place
        print(f"installing {name} {version} to {place}", flush=True)
        remove_unfinished(name)
        scratch = tempfile.mkdtemp(prefix=f".{name}-", dir=CACHE)
        try:
            make(scratch)
            os.chmod(scratch, 0o755)
            os.rename(scratch, place)
        finally:
            remove(scratch)
    return place


def remove_unfinished(name):
    """What a run that was killed has left. The lock is held: nobody works there."""
    for entry in os.listdir(CACHE):
        if entry.startswith(f".{name}-"):
            remove(os.path.join(CACHE, entry))


def remove(directory):
    """Go's module cache is read-only, folders included."""
    for folder, _, _ in os.walk(directory):
        os.chmod(folder, 0o755)
    shutil.rmtree(directory, ignore_errors=True)


# --- Go

def go_program(package, version, name):
    """The program of a Go package; `go install` of what this machine's Go can build."""
    there = tool(name)
    if there:
        return there

    def make(folder):
        go, root = go_command()
        # GOTOOLCHAIN and GOROOT: the Go chosen here, not what the user's settings name. A Go path of
        # its own, since half a gigabyte of sources would stay behind.
        run(go, "install", f"{package}@{version}",
            env=dict(os.environ, GOROOT=root, GOTOOLCHAIN="local", GOFLAGS="-modcacherw", CGO_ENABLED="0",
                     GOPATH=os.path.join(folder, "gopath"), GOBIN=folder))
        remove(os.path.join(folder, "gopath"))

    return os.path.join(cached(name, version, make), name)


def go_command():
    """(command, GOROOT) of a Go that is new enough."""
    go = required("go", "golang-go")
    environment = dict(os.environ, GOTOOLCHAIN="local")
    found = re.search(r"\bgo([0-9]+(?:\.[0-9]+)*)", run(go, "version", env=environment))
    if found and as_numbers(found[1]) >= as_numbers(versions.GO):
        return go, run(go, "env", "GOROOT", env=environment).strip()
    root = cached("go", versions.GO, lambda folder: download_go(go, folder))
    return os.path.join(root, "bin", "go"), root


def as_numbers(version):
    return [int(number) for number in version.split(".")]


def download_go(go, folder):
    """An older Go fetches a newer one as a module, checksum looked up as for any other. From Go 1.21 on it would
    do so by itself (GOTOOLCHAIN=auto); this way it works with every Go, and once for all programs."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    scratch = os.path.join(folder, "gopath")
    module = f"golang.org/toolchain@v0.0.1-go{versions.GO}.linux-{machine}"
    run(go, "mod", "download", module, cwd=folder,
        env=dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-modcacherw", GOPATH=scratch))
    toolchain = os.path.join(scratch, "pkg", "mod", module)
    for entry in os.listdir(toolchain):
        os.rename(os.path.join(toolchain, entry), os.path.join(folder, entry))
    remove(scratch)
    # A module holds no execute permissions and no nested modules: Go, too, puts both right afterwards.
    for programs in ("bin", os.path.join("pkg", "tool")):
        for inside, _, names in os.walk(os.path.join(folder, programs)):
            for name in names:
                os.chmod(os.path.join(inside, name), 0o755)
    for inside, _, names in os.walk(os.path.join(folder, "src")):
        if "_go.mod" in names:
            os.rename(os.path.join(inside, "_go.mod"), os.path.join(inside, "go.mod"))


# --- Java

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>unum</groupId><artifactId>test-servers</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
  </dependency></dependencies>
</project>
"""


def maven_jars(group, artifact, version, name):
    """A folder with an artifact's jars, native libraries and all that it depends on."""
    there = os.path.join(os.environ.get("UNUM_TEST_TOOLS", ""), name)
    if os.environ.get("UNUM_TEST_TOOLS") and os.path.isdir(there):
        return there

    def make(folder):
        pom = os.path.join(folder, "pom.xml")
        with open(pom, "w", encoding="utf-8") as file:
            file.write(POM.format(group=group, artifact=artifact, version=version))
        run(required("mvn", "maven"), "--quiet", "--batch-mode", "--file", pom,
            "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")

    return cached(name, version, make)


# --- Python

def python_module(package, version, name, beside=()):
    """The interpreter of a virtual environment that has a package, and others beside it ("name==version")."""
    release = ".".join(platform.python_version_tuple()[:2])

    def make(folder):
        run(required("python3", "python3"), "-m", "venv", folder)
        run(os.path.join(folder, "bin", "python"), "-m", "pip", "install", "--quiet",
            "--disable-pip-version-check", f"{package}=={version}", *beside)

    return os.path.join(cached(name, f"{version}-python{release}", make), "bin", "python")


# --- Debian's packages, taken apart

def debian_program(package, path):
    """A program out of a package that is not installed, since installing it would also start a service."""

    def make(folder):
        run(required("apt-get", "apt"), "--quiet", "download", package, cwd=folder)
        for name in os.listdir(folder):
            run("dpkg-deb", "--extract", os.path.join(folder, name), folder)
            os.unlink(os.path.join(folder, name))

    with open("/etc/os-release", encoding="utf-8") as file:
        release = re.search(r'^VERSION_ID="?([^"\n]*)', file.read(), re.MULTILINE)
    return os.path.join(cached(package, f"debian{release[1] if release else ''}", make), path)
