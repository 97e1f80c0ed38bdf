"""What pyproject.toml cannot say of the package: its compiled part, and files from beside it.

A C extension and not just-in-time compiled Python: a C compiler is on every machine that installs
this project, since PyRadiomics has no wheel for its Python and compiles its own, and a job that
takes a second does not wait for a compiler.
"""

import glob
import os
import runpy
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

#: Compiled modules: the folder of the C sources of each, and those that are compiled by themselves.
NATIVE = {
    "pipeline.extraction._kernels": (
        "pipeline/extraction/native",
        (
            "module",
            "statistics",
            "spline",
            "laplacian",
            "nearest",
            "matrices",
            "runs",
            "cooccurrence",
            "shape",
        ),
    ),
    # A module of its own, so that no feature is computed anew for it.
    "pipeline.extraction.maps._kernels": (
        "pipeline/extraction/maps/native",
        ("module", "first_order", "textures"),
    ),
    "models.learning._kernels": ("models/learning/native", ("module", "network")),
}

#: Results must not depend on the machine: products and sums round one by one (no fused
#: multiply-add), and nothing is rearranged.
FLAGS = [] if sys.platform == "win32" else ["-std=c11", "-O3", "-ffp-contract=off", "-Wall"]

#: Nobody looks at what a comparison or a root may signal, and wide registers need that.
OTHER_FLAGS = {
    "models.learning._kernels": (
        [] if sys.platform == "win32" else ["-fno-trapping-math", "-fno-math-errno"]
    )
}

#: Kernels are refused that were built from other sources than lie beside them.
SOURCES_HASH = runpy.run_path("pipeline/core/installed/native_sources.py")["sources_hash"]

#: Where an installed package finds what lies beside the packages in a checkout
#: (pipeline/core/installed/own_files.py), and what that is. Paths within it are those of the
#: checkout, since the Snakefile names its rules by them.
OWN_FILES = "vertebromics"
COPIED = (
    "Snakefile",
    "workflow/Snakefile",
    "environment.yml",
    "environment.post-deploy.sh",
    "requirements.txt",
    "config/*.yaml",
    "config/schema.json",
    "config/*.csv",
    "config/protocols/*.yaml",
    "config/protocols/*/*.csv",
    "profiles/*/config.yaml",
    "radiomics_params/*.*",
    "radiomics_params/sensitivity/*.yaml",
    "pipeline/rules/*.smk",
    "pipeline/rules/captions/*.rst",
)


class BuildWithOwnFiles(build_py):
    """Build the packages, and copy what they read from beside them."""

    def _own_files(self):
        for pattern in COPIED:
            for source in sorted(glob.glob(pattern)):
                yield source, os.path.join(self.build_lib, OWN_FILES, source)

    def run(self):
        """Build, then copy."""
        super().run()
        if self.editable_mode:  # the checkout itself is what runs
            return
        for source, target in self._own_files():
            self.mkpath(os.path.dirname(target))
            self.copy_file(source, target)

    def get_source_files(self):
        """Return what a source distribution must hold."""
        return [*super().get_source_files(), *(source for source, _ in self._own_files())]

    def get_outputs(self, include_bytecode=1):
        """Return what an installation consists of."""
        copied = [] if self.editable_mode else [target for _, target in self._own_files()]
        return [*super().get_outputs(include_bytecode), *copied]


def pyradiomics_is_here():
    """Return whether the Python that is to get this package has PyRadiomics.

    An isolated build does not see its packages, but knows where they are.
    """
    places = [*sys.path, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return any(found.name == "pyradiomics" for found in distributions(path=places))


if {"dist_info", "bdist_wheel"} & set(sys.argv) and not pyradiomics_is_here():
    sys.exit(
        "PyRadiomics must be built before vertebromics is installed. Remedy: with this "
        "environment's python first on PATH, bash environment.post-deploy.sh, then "
        "pip install --no-build-isolation ."
    )

setup(
    cmdclass={"build_py": BuildWithOwnFiles},
    ext_modules=[
        Extension(
            module,
            [f"{folder}/{name}.c" for name in sources],
            depends=sorted(glob.glob(f"{folder}/*.h")),
            define_macros=[("SOURCES_HASH", f'"{SOURCES_HASH(Path(folder))}"')],
            extra_compile_args=[*FLAGS, *OTHER_FLAGS.get(module, [])],
        )
        for module, (folder, sources) in NATIVE.items()
    ],
)
