# Which copy of the package the rules and their jobs use: the one beside the Snakefile or, where the
# Snakefile is a module of another workflow or lies in a repository elsewhere, the installed one.
import importlib
import os
import sys
from pathlib import Path

VERSION = "0.1.0"
RULES = workflow.current_basedir
IS_MODULE = not workflow.modifier.is_main_snakefile()
beside = Path(str(RULES)).parents[1]
is_checkout = not IS_MODULE and (beside / "pipeline" / "__init__.py").is_file()

# Snakemake puts the folders of Snakefiles first, and Python the working directory. Neither is an
# installation, unless PYTHONPATH names it.
named = os.getenv("PYTHONPATH", "").split(os.pathsep)
named = [os.path.abspath(part) for part in named if part]
folders = {os.getcwd(), "", *(os.path.dirname(str(each)) for each in workflow.included)}
kept = list(sys.path)
sys.path[:] = [part for part in kept if part not in folders.difference(named)]
if is_checkout:
    sys.path.insert(0, str(beside))
try:
    importlib.import_module("pipeline.core.version")
    deployed = importlib.import_module("pipeline.running.deployed")
except ImportError:
    raise WorkflowError(
        f"The package vertebromics {VERSION} must be installed where snakemake runs. Remedy: "
        "python -m pip install --no-build-isolation . in a checkout of this version."
    ) from None
finally:
    sys.path[:] = kept


def text_of_rules(name):
    """Return the text of a file beside this one, wherever the Snakefile lies."""
    source = RULES.join(name)
    if not workflow.sourcecache.exists(source):
        return ""
    with workflow.sourcecache.open(source) as stream:
        return stream.read()


try:
    if not is_checkout:
        deployed.check_rules(VERSION, text_of_rules)
    deployed.check_working_directory(Path.cwd())
except deployed.VertebromicsError as error:
    raise WorkflowError(str(error)) from None

PACKAGE = deployed.PACKAGES
