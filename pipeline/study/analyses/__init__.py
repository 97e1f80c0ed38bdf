"""The registry of the analyses: each is a file of its own here.

Nothing here makes a number: which rules a study has, which options they read, what is refused.
"""

from pipeline.study.analyses.analysis import Analysis
from pipeline.study.analyses.outcomes import OUTCOMES
from pipeline.study.analyses.prediction import PREDICTION
from pipeline.study.analyses.regression import REGRESSION

ANALYSES: dict[str, Analysis] = {each.name: each for each in (PREDICTION, OUTCOMES, REGRESSION)}
"""Name in the option `analyses` -> the analysis, in the order of the page of options."""
