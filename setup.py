"""The compiled part of the package; everything else about it stands in pyproject.toml.

A C extension and not just-in-time compiled Python: a C compiler is on every machine that installs
this project, since PyRadiomics has no wheel for its Python and compiles its own, and a job that
takes a second does not wait for a compiler.
"""

import runpy
import sys

from setuptools import Extension, setup

NATIVE = "pipeline/extraction/native"

SOURCES = ("module", "statistics", "spline", "nearest", "matrices", "runs", "cooccurrence", "shape")

#: Results must not depend on the machine: products and sums round one by one (no fused
#: multiply-add), and nothing is rearranged.
FLAGS = [] if sys.platform == "win32" else ["-std=c11", "-O3", "-ffp-contract=off", "-Wall"]

#: The engine refuses kernels that were built from other sources than it finds.
SOURCES_HASH = runpy.run_path("pipeline/extraction/native_sources.py")["sources_hash"]()

setup(
    ext_modules=[
        Extension(
            "pipeline.extraction._kernels",
            [f"{NATIVE}/{name}.c" for name in SOURCES],
            depends=[f"{NATIVE}/kernels.h"],
            define_macros=[("SOURCES_HASH", f'"{SOURCES_HASH}"')],
            extra_compile_args=FLAGS,
        )
    ]
)
