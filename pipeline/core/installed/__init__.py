"""The copy of this project that runs: its Python, files and compiled kernels."""
