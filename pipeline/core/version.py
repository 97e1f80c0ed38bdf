"""The version of this software, for what must belong together: a Snakefile and its package.

No stage imports it: a new number makes nothing run again.
"""

VERSION = "0.1.0"
