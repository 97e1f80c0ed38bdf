"""Entries of a store under known names, for tests that start in the middle of the stages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import SimpleITK as sitk

from pipeline.core.files import json_hash
from pipeline.core.keeping.store import Store
from pipeline.imaging.stored_volumes import write_nrrd


def reference(kind: str, name: str, file: str | None = None) -> str:
    """Return the reference of an entry called `name`, as a table holds it."""
    key = json_hash({"test": name})
    return "/".join(filter(None, (kind, key[:2], key, file)))


def put(store: Store, kind: str, name: str, write: Callable[[Path], object]) -> str:
    """Write an entry called `name`, in place of what was there; return its reference."""
    shutil.rmtree(store.root / reference(kind, name), ignore_errors=True)
    store.get_or_make(kind, {"test": name}, write)
    return reference(kind, name)


def put_volume(store: Store, kind: str, name: str, image: sitk.Image) -> str:
    """Write an entry of one volume, called as its kind's stage calls it."""
    put(store, kind, name, lambda folder: write_nrrd(image, folder / f"{kind}.nrrd"))
    return reference(kind, name, f"{kind}.nrrd")
