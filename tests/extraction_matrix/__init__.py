"""Cases on which the engines of the extraction are compared with plain PyRadiomics."""

from tests.extraction_matrix.case import Case
from tests.extraction_matrix.real_cases import REAL
from tests.extraction_matrix.synthetic_cases import SYNTHETIC

CASES: dict[str, Case] = SYNTHETIC | REAL
