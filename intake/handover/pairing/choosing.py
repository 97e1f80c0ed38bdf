"""Which patient and which series a mask belongs to: every rule votes, geometry is the check."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from intake.handover.pairing.mask_paths import Told, is_telling, normal, stem_of
from intake.handover.people.linkage import Linkage
from intake.handover.people.persons import canonical
from intake.handover.reading.phases import of_phase
from intake.handover.reading.sources import Handover, Series
from pipeline.core.errors import CaseError
from segmentation.structures.segments import MaskFile, first_drawn

#: What the report says where nothing but a surname names the patient.
BY_SURNAME = "only the surname and the grid of one CT tell the patient: is it this one?"


class Choosing:
    """What of a handover tells whose a mask is, looked up once for all masks.

    Parameters
    ----------
    handover : Handover
        Series, and patients of DICOM masks.
    mask_root, dicom_root : pathlib.Path
        The folders that were handed over.
    phase : str
        Which phase of a series is meant where a mask lies on the grid of several.
    linkage : Linkage, optional
        Of the registrations before: a correction of a study's copy bears its pseudonym.
    """

    def __init__(
        self,
        handover: Handover,
        mask_root: Path,
        dicom_root: Path,
        phase: str = "ask",
        linkage: Linkage | None = None,
    ) -> None:
        self.handover, self.mask_root, self.dicom_root = handover, mask_root, dicom_root
        self.phase = phase
        self.by_patient: dict[str, list[Series]] = defaultdict(list)
        self._there: dict[Path, set[str]] = defaultdict(set)
        self._by_uid: dict[str, list[Series]] = defaultdict(list)
        self.known: dict[str, set[str]] = {}
        self.short: dict[str, set[str]] = {}
        self.folders: dict[str, set[str]] = {}
        self.families: dict[str, set[str]] = {}
        for one in handover.series:
            self.by_patient[one.patient].append(one)
            for uid in one.uids:
                self._by_uid[uid].append(one)
            for folder in {file.parent for file in one.files}:
                for above in (folder, *folder.parents):
                    self._there[above].add(one.patient)
            self._learn(one)
        self.letters = linkage.readers if linkage else {}
        self.pseudonyms: set[str] = set()
        for pseudonym, original in (linkage.patients if linkage else {}).items():
            if original in self.by_patient:
                self.known.setdefault(normal(pseudonym), set()).add(original)
                self.pseudonyms.add(normal(pseudonym))

    def reader_of(self, relative: PurePath, reader: str | None) -> str | None:
        """Return the reader whom a path means: beside a pseudonym a letter is the study's."""
        words = {normal(word) for word in re.findall(r"[^\W_]+", stem_of(relative.name))}
        if reader is None or not words & self.pseudonyms:
            return reader
        return self.letters.get(reader.upper(), reader)

    def _learn(self, one: Series) -> None:
        """Learn the words that mean the patient of a series."""
        for texts, meant in (
            (one.known_as, self.known),
            (one.folders, self.folders),
            (one.families, self.families),
        ):
            for text in map(normal, texts):
                if is_telling(text):
                    meant.setdefault(text, set()).add(one.patient)
        for text in one.known_as:
            for spelled in (normal(text), normal(canonical(text))):
                self.short.setdefault(spelled, set()).add(one.patient)

    def holds_cts(self, folder: Path) -> bool:
        """Return whether CTs lie below a folder."""
        return folder in self._there

    def series_of(self, path: Path, told: Told, mask_file: MaskFile) -> tuple[Series, str, str]:
        """Return the series of a mask, the rule that found it, and what to check.

        Raises
        ------
        CaseError
            If nothing tells, or what tells contradicts.
        """
        if told.stranger:
            raise CaseError(
                "The patient that --mask-pattern reads in a name must have a CT series",
                found="an id or name that no header bears",
                remedy="correct the name or the pattern, or hand in the CT",
                code="mask-of-a-stranger",
            )
        meant = {id(one) for uid in mask_file.references for one in self._by_uid.get(uid, ())}
        referenced = [one for one in self.handover.series if id(one) in meant] if meant else []
        header = self.handover.mask_headers.get(path)
        votes = {
            "DICOM reference": {one.patient for one in referenced},
            "DICOM patient": {header} & self.by_patient.keys(),
            "name": set(told.patients),
            "folder": self._by_folder(path),
        }
        votes = {rule: patients for rule, patients in votes.items() if patients}
        surname = set.union(set(), *told.families.values())
        if not votes and surname:
            return self._by_surname(surname, mask_file)
        if not votes:
            raise self._nobody(path, mask_file)
        common = set.intersection(*votes.values())
        if not common:
            raise CaseError(
                "What tells a mask's patient must agree",
                found=" against ".join(votes),
                remedy="correct the file's name or its folder, or hand in a table (--cases)",
                code="mask-patients-disagree",
            )
        if len(common) > 1:
            raise CaseError(
                "A mask must be matched to one patient",
                found=f"{len(common)} patients by {', '.join(votes)}",
                remedy="name one patient in the file's path, or hand in a table (--cases)",
                code="mask-matches-several-patients",
            )
        patient = common.pop()
        candidates = [one for one in referenced or self.by_patient[patient]
                      if one.patient == patient]  # fmt: skip
        rule = " and ".join(votes)
        one, on_grid = self._of_patient(candidates, patient, mask_file)
        if on_grid:
            return one, f"{rule}, grid", "; ".join(one.notes)
        return one, rule, "; ".join([_why_not(mask_file, one), *one.notes])

    def _of_patient(
        self, candidates: list[Series], patient: str, mask_file: MaskFile
    ) -> tuple[Series, bool]:
        """Return the series of a patient on which a mask was drawn, and whether its grid says so.

        A mask that lies on another patient's CT and on none of its own is refused.
        """
        fits = fitting(mask_file, candidates)
        if len(fits) > 1:
            fits = of_phase(fits, self.phase)
        if len(fits) == 1:
            return _sound(fits[0]), True
        for one in candidates:
            _sound(one)
        if not fits:
            strangers = [one for one in self.handover.series if one.patient != patient]
            if elsewhere := fitting(mask_file, strangers):
                raise CaseError(
                    "A mask must lie on the grid of a CT of its patient",
                    found=f"the grid of another patient's CT, in {_places(elsewhere)}",
                    remedy="correct the id in its name or its folder if the mask is of that "
                    "patient; else hand in the CT on which it was drawn",
                    code="mask-on-grid-of-another-patient",
                )
        if len(candidates) == 1:
            return candidates[0], False
        parts = sorted({one.part for one in fits if one.part})
        raise CaseError(
            "A mask must be matched to one series of its patient",
            found=f"{len(fits)} of {len(candidates)} series with its grid"
            + (f": {', '.join(parts)}" if parts else ""),
            remedy="say which by --phase (native, contrast, first, last, or one of these words)"
            if len(parts) == len(fits) > 1
            else "hand in the series on which it was drawn only, or a table (--cases)",
            code="mask-matches-no-one-series",
        )

    def _by_surname(self, patients: set[str], mask_file: MaskFile) -> tuple[Series, str, str]:
        """Return the series of the one patient of a surname, if the mask lies on its grid."""
        if len(patients) > 1:
            raise CaseError(
                "A mask must be matched to one patient",
                found=f"{len(patients)} patients of the surname in its path",
                remedy="write the patient's id or the whole name into the file's name",
                code="mask-matches-several-patients",
            )
        (patient,) = patients
        one, on_grid = self._of_patient(self.by_patient[patient], patient, mask_file)
        if not on_grid:
            raise CaseError(
                "A mask that only a surname matches must lie on the grid of that patient's CT",
                found=_why_not(mask_file, one),
                remedy="write the patient's id into the file's name, or hand in a table (--cases)",
                code="mask-by-surname-off-grid",
            )
        return one, "surname, grid", "; ".join([BY_SURNAME, *one.notes])

    def _nobody(self, path: Path, mask_file: MaskFile) -> CaseError:
        """Return the error of a mask of which nothing tells the patient."""
        for one in self.handover.series:
            if any(path.parent in file.parents for file in one.files):
                _sound(one)
        fits = fitting(mask_file, self.handover.series)
        hint = f"; it lies on the grid of the series in {_places(fits)}" if fits else ""
        return CaseError(
            "A mask must be matched to a patient by reference, name or folder",
            found=f"neither{hint}",
            remedy="write the patient's id into the file's name (ids of one or two letters need "
            "--mask-pattern), or hand in a table (--cases)",
            code="mask-matches-no-patient",
        )

    def _by_folder(self, path: Path) -> set[str]:
        """Return the one patient whose series lie in the same folder, or one of the same name."""
        below = path.relative_to(self.mask_root).parent
        for folder in (below, *below.parents):
            if folder == Path():
                return set()
            for root in (self.mask_root, self.dicom_root):
                there = self._there.get(root / folder, set())
                if len(there) == 1:
                    return set(there)
        return set()


def fitting(mask_file: MaskFile, series: Iterable[Series]) -> list[Series]:
    """Return the series on whose grid a mask lies."""
    segment = first_drawn(mask_file)
    if segment is None:
        return []
    return [one for one in series if one.grid is not None and mask_file.fits(segment, one.grid)]


def surname_conflicts(
    rows: Iterable[tuple[str, str, Mapping[str, frozenset[str]]]],
) -> set[str]:
    """Return the masks whose name holds the surname of another patient than the one matched.

    A word that contradicts many patients is no patient's surname there, but a reader's or a
    common word.

    Parameters
    ----------
    rows : iterable of (str, str, Mapping)
        Mask, matched patient, surnames in its path with the patients who bear them.
    """
    against: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for mask, patient, families in rows:
        if any(patient in bearers for bearers in families.values()):
            continue
        for surname in families:
            against[surname][patient].add(mask)
    return {
        mask
        for patients in against.values()
        if len(patients) <= MOST_CONFLICTS
        for masks in patients.values()
        for mask in masks
    }


#: Patients whom one surname may contradict before it is taken for a reader's or a common word.
MOST_CONFLICTS = 2


def _places(series: Iterable[Series]) -> str:
    folders = sorted({one.files[0].parent.as_posix() for one in series})
    return ", ".join(folders[:3])


def _sound(series: Series) -> Series:
    """Return a series, or refuse it where its headers contradict one another."""
    if series.problem:
        raise CaseError(series.problem, code="series-contradictory")
    return series


def _why_not(mask_file: MaskFile, series: Series) -> str:
    """Return why a mask does not lie on the grid of the only series that it can belong to."""
    if not mask_file.segments or all(map(mask_file.is_empty, mask_file.segments)):
        return "nothing is drawn in the mask"
    if series.grid is None:
        return "the slices of its CT do not lie in a regular stack"
    return "the mask does not lie on the grid of its CT"
