"""Each learned step, applied from arrays, equals its transformer."""

import numpy as np
import pandas as pd
import pytest

from models.freezing.chain_arrays import encoder_inputs, imputer_arrays, scaler_arrays
from models.frozen import steps
from models.transformers.ccc_filter import CCCFilter
from models.transformers.columns import Predictor
from models.transformers.imputation import Imputer
from models.transformers.preparation import AdaptiveScaler, ClinicalEncoder
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


def holed(seed, rows=40, columns=14, share=0.15):
    """Return correlated columns of different units, some of whose values are missing."""
    random = np.random.default_rng(seed)
    common = random.standard_normal((rows, 2)) @ random.standard_normal((2, columns))
    values = common + 0.5 * random.standard_normal((rows, columns))
    values = values * 10 ** random.uniform(-3, 4, columns) + random.uniform(-5, 5, columns)
    values[random.random(values.shape) < share] = np.nan
    return pd.DataFrame(values, columns=[f"f{number}" for number in range(columns)])


@pytest.mark.parametrize("method", ["median", "mean", "knn", "iterative"])
@pytest.mark.parametrize("seed", [1, 2])
def test_imputation(method, seed):
    train, new = holed(seed), holed(seed + 10, 15)
    train["f3"] = np.nan  # never known in training
    train.loc[:, "f4"] = train["f4"].fillna(0.0)  # always known in training, missing later
    new.loc[0] = np.nan
    imputer = Imputer(method, 4).fit(train)
    facts, arrays = imputer_arrays(imputer)
    values = new.to_numpy()
    apply = {
        "fill": lambda: steps.fill(values, arrays),
        "nearest": lambda: steps.nearest(values, arrays, facts["neighbours"]),
        "round_robin": lambda: steps.round_robin(values, arrays),
    }[facts["kind"]]
    want = imputer.transform(new).to_numpy()
    assert np.isnan(values).sum() > 20
    np.testing.assert_allclose(apply(), want, rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", ["adaptive", "zscore", "robust", "none"])
def test_scaling(method):
    train, new = holed(3, share=0.0), holed(4, share=0.0)
    train["f2"], train["f5"] = 7.0, np.exp(train["f5"] / train["f5"].abs().max() * 5)
    scaler = AdaptiveScaler(method, unscaled=["f1"]).fit(train)
    assert {"adaptive": 4, "none": 1}.get(method, 3) == len(set(scaler.method_))
    got = steps.scale(new.to_numpy(), scaler_arrays(scaler))
    np.testing.assert_allclose(got, scaler.transform(new).to_numpy(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("indicators", [False, True])
def test_encoding(indicators):
    predictors = (
        Predictor("age", "Age", "continuous"),
        Predictor("grade", "Grade", "ordinal"),
        Predictor("sex", "Sex", "binary", ("female", "male")),
        Predictor("shape", "Shape", "categorical", ("wedge", "biconcave", "crush")),
    )
    train = pd.DataFrame(
        {
            "age": [70.0, np.nan, 81.0, 66.0],
            "grade": [1.0, 2.0, 3.0, 2.0],
            "sex": ["male", "male", "female", "male"],
            "shape": ["crush", None, "crush", "wedge"],
        }
    )
    new = pd.DataFrame(
        {
            "age": [np.nan, 55.0],
            "grade": [np.nan, 4.0],
            "sex": [None, "female"],
            "shape": [None, "biconcave"],
        }
    )
    encoder = ClinicalEncoder(predictors, indicators).fit(train)
    inputs = encoder_inputs(encoder)
    assert [name for one in inputs for name in one.encoded] == list(encoder.get_feature_names_out())
    np.testing.assert_array_equal(steps.encode(new, inputs), encoder.transform(new).to_numpy())
    np.testing.assert_array_equal(steps.encode(train, inputs), encoder.transform(train).to_numpy())


@pytest.mark.parametrize("corrected", [(), ("B",)])
@pytest.mark.parametrize("model_reader", ["A", "B", "mean"])
def test_readings(model_reader, corrected):
    random = np.random.default_rng(5)
    names = [f"{prefix}:f{n}" for prefix in ("A", "B", "B.latest") for n in range(3)]
    table = pd.DataFrame(random.standard_normal((20, 9)), columns=names)
    table.iloc[2, 1] = np.nan
    step = CCCFilter(
        ("A", "B"), ("f0", "f1", "f2"), model_reader, threshold=None, corrected=corrected
    )
    want = step.fit(table).transform(table)
    got = steps.readings_of(table, ["f0", "f1", "f2"], ["A", "B"], model_reader, corrected)
    pd.testing.assert_frame_equal(got, want)
    with refusal("frozen-columns-missing", StudyError, match="none called"):
        steps.readings_of(table, ["f7"], ["A", "B"], model_reader, corrected)


def test_one_reader_is_taken_as_it_is():
    table = pd.DataFrame({"A:f0": [1.0, np.nan]})
    got = steps.readings_of(table, ["f0"], ["A"], None)
    pd.testing.assert_frame_equal(got, pd.DataFrame({"f0": [1.0, np.nan]}))
