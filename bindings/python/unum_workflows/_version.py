"""The package's version: the one of the project (meson.build)."""

__version__ = "0.1.0"
