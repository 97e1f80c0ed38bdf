"""Tables of the patients' course: scales, events, levels, correlations, readings."""

from __future__ import annotations

from pipeline.core.table_schema import ANY_NUMBER, COUNT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

FIRST: Words = "of the first time, and where it cannot be computed"
NO_LIMIT: Words = "where it cannot be computed"
EVERYBODY: Words = "of all patients"


class OverTime(Table):
    """One row per scale, group and time, and one per group that tests all times together."""

    scale = Column(TEXT, "scale")
    group = Column(TEXT, "group", null=EVERYBODY)
    time = Column(TEXT, "time", null="of the test of all times")
    n = Column(ANY_NUMBER, "patients with a value", unit="patients", null="as time")
    mean = Column(NUMBER, "mean", unit="of the scale", null=NO_LIMIT)
    sd = Column(NUMBER, "standard deviation", unit="of the scale", null=NO_LIMIT)
    median = Column(NUMBER, "median", unit="of the scale", null=NO_LIMIT)
    q1 = Column(NUMBER, "first quartile", unit="of the scale", null=NO_LIMIT)
    q3 = Column(NUMBER, "third quartile", unit="of the scale", null=NO_LIMIT)
    pairs = Column(ANY_NUMBER, "patients with both values", unit="patients", null=FIRST)
    test = Column(TEXT, "test against the first time", null=FIRST)
    statistic = Column(NUMBER, "its statistic", null=FIRST)
    df = Column(NUMBER, "degrees of freedom", null="where the test has none")
    p_value = Column(NUMBER, "its P value", null=FIRST)
    reason = Column(TEXT, "why this test, or what it found besides", null=FIRST)
    effect = Column(TEXT, "kind of change", null=FIRST)
    change = Column(NUMBER, "change since the first time", unit="of the scale", null=FIRST)
    change_low = Column(NUMBER, "lower limit", unit="of the scale", null=FIRST)
    change_high = Column(NUMBER, "upper limit", unit="of the scale", null=FIRST)
    reached = Column(
        ANY_NUMBER, "patients who reached the least change that matters", null="where none is named"
    )
    reached_of = Column(ANY_NUMBER, "of so many", unit="patients", null="where none is named")


class Between(Table):
    """One row per scale, time, group and kind of comparison with the reference group."""

    scale = Column(TEXT, "scale")
    time = Column(TEXT, "time")
    group = Column(TEXT, "group")
    against = Column(TEXT, "reference group")
    n = Column(COUNT, "patients of both", unit="patients")
    what = Column(TEXT, "what is compared")
    value = Column(NUMBER, "difference", null=NO_LIMIT)
    low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    test = Column(TEXT, "test")
    statistic = Column(NUMBER, "its statistic", null=NO_LIMIT)
    df = Column(NUMBER, "degrees of freedom", null="where the test has none")
    p_value = Column(NUMBER, "its P value", null=NO_LIMIT)
    note = Column(TEXT, "what limits it, or counts", null="where nothing is to be said")


class Rates(Table):
    """One row per event and group: events per person-time."""

    event = Column(TEXT, "event")
    group = Column(TEXT, "group", null=EVERYBODY)
    patients = Column(COUNT, "patients", unit="patients")
    events = Column(NUMBER, "events")
    person_time = Column(NUMBER, "person-time", unit="as unit")
    unit = Column(TEXT, "unit of time")
    rate = Column(NUMBER, "events per unit of person-time", null=NO_LIMIT)
    low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    method = Column(TEXT, "how")
    followed_median = Column(NUMBER, "median follow-up", unit="as unit", null=NO_LIMIT)


class Ratios(Table):
    """One row per event, group and kind of comparison with the reference group."""

    event = Column(TEXT, "event")
    group = Column(TEXT, "group")
    against = Column(TEXT, "reference group")
    what = Column(TEXT, "what is compared")
    value = Column(NUMBER, "ratio or difference", null=NO_LIMIT)
    low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    p_value = Column(NUMBER, "P value", null=NO_LIMIT)
    method = Column(TEXT, "how")


class Curves(Table):
    """One row per event, group and time: the share with the event."""

    event = Column(TEXT, "event")
    group = Column(TEXT, "group", null=EVERYBODY)
    time = Column(NUMBER, "time since the operation", unit="of the event")
    incidence = Column(NUMBER, "share of patients with the event", null=NO_LIMIT)
    low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    method = Column(TEXT, "estimator")


class LevelCounts(Table):
    """One row per vertebral level, from head to foot."""

    level = Column(TEXT, "level")
    counts = Column(
        COUNT, "vertebrae treated, or broken anew", pattern="treated|new, .+", named="<what>"
    )


class Correlations(Table):
    """One row per pair of columns, each pair once."""

    first = Column(TEXT, "column, or column=level")
    second = Column(TEXT, "another one; `group` is the outcome or the second group")
    n = Column(COUNT, "units with both", unit="units")
    r = Column(NUMBER, "Pearson's correlation", null="where one does not vary")


class Readings(Table):
    """One row per clinical column that is a mean of readings."""

    column = Column(TEXT, "column")
    readings = Column(COUNT, "readings of a unit")
    n = Column(COUNT, "units with all readings", unit="units")
    incomplete = Column(COUNT, "units with some readings only", unit="units")
    icc = Column(NUMBER, "ICC(2,1), of one reading", null=NO_LIMIT)
    icc_low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    icc_high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    icc_mean = Column(NUMBER, "ICC(2,k), of the mean of the readings", null=NO_LIMIT)
    icc_mean_low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    icc_mean_high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    ccc = Column(NUMBER, "Lin's coefficient of the pair that agrees least", null=NO_LIMIT)
    ccc_low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    ccc_high = Column(NUMBER, "upper limit", null=NO_LIMIT)
    pair = Column(TEXT, "that pair")
    sd_within = Column(NUMBER, "SD of one unit's readings", unit="of the column", null=NO_LIMIT)


class GradedReadings(Table):
    """One row per measure of agreement of the readings of which grades or yes and no are made."""

    column = Column(TEXT, "column")
    made = Column(TEXT, "what is made of the readings", values=("median", "majority", "consensus"))
    tied = Column(COUNT, "units whose readings tie; with a consensus, differ", unit="units")
    tie_rule = Column(TEXT, "what holds then", values=("lower", "higher", "blank", "consensus"))
    readings = Column(COUNT, "readings of a unit")
    n = Column(COUNT, "units with all readings", unit="units")
    incomplete = Column(COUNT, "units with some readings only", unit="units")
    all_alike = Column(NUMBER, "share of units whose readings are all alike", null=NO_LIMIT)
    measure = Column(
        TEXT, "measure of agreement", values=("kappa", "weighted kappa", "Fleiss' kappa")
    )
    weights = Column(TEXT, "weights of the distance of two grades; empty where none")
    of = Column(TEXT, "the pair that agrees least, or all")
    value = Column(NUMBER, "the measure", null=NO_LIMIT)
    low = Column(NUMBER, "lower limit", null=NO_LIMIT)
    high = Column(NUMBER, "upper limit", null=NO_LIMIT)


COURSE: dict[str, type[Table]] = {
    "over_time": OverTime,
    "between": Between,
    "rates": Rates,
    "ratios": Ratios,
    "curves": Curves,
    "levels": LevelCounts,
    "correlations": Correlations,
    "readings": Readings,
    "graded_readings": GradedReadings,
}
"""Name -> class. What figures draw of single patients has the columns of the clinical table."""
