"use strict";
// The model's arithmetic. It knows nothing of the page, so that it can be tried on its own.

function splineBasis(x, knots) {
  // Columns of a restricted cubic spline, the linear one first.
  const k = knots.length, last = knots[k - 1], before = knots[k - 2];
  const span = Math.pow(last - knots[0], 2 / 3);
  const cube = (knot) => Math.pow(Math.max((x - knot) / span, 0), 3);
  const columns = [x];
  for (let j = 0; j < k - 2; j += 1) {
    const tail = (before - knots[j]) * cube(last) - (last - knots[j]) * cube(before);
    columns.push(cube(knots[j]) + tail / (last - before));
  }
  return columns;
}

function columnsOf(predictor, value) {
  if (predictor.type === "factor") {
    return predictor.levels.slice(1).map((level) => (value === level ? 1 : 0));
  }
  const x = value * predictor.scale;
  return predictor.knots.length ? splineBasis(x, predictor.knots) : [x];
}

function isKnown(predictor, value) {
  if (predictor.type === "factor") {
    return predictor.levels.includes(value);
  }
  return typeof value === "number" && Number.isFinite(value);
}

function isOutside(predictor, value) {
  // Outside the range seen. Where a limit is not known, nothing can be said.
  return predictor.type !== "factor" &&
    ((predictor.low !== null && value < predictor.low) ||
     (predictor.high !== null && value > predictor.high));
}

function compute(model, values) {
  // Returns missing names, names outside the range seen, points of each predictor, their total,
  // and where the model gives risks the risk with its limits (null where they are not known).
  const result = { missing: [], outside: [], each: [], points: null, risk: null, low: null, high: null };
  for (const predictor of model.predictors) {
    if (!isKnown(predictor, values[predictor.name])) {
      result.missing.push(predictor.name);
    } else if (isOutside(predictor, values[predictor.name])) {
      result.outside.push(predictor.name);
    }
  }
  if (result.missing.length) {
    return result;
  }
  const row = [1];
  let total = 0;
  let sum = model.intercept;
  for (const predictor of model.predictors) {
    const columns = columnsOf(predictor, values[predictor.name]);
    let effect = predictor.offset;
    columns.forEach((column, at) => { effect += column * predictor.weights[at]; });
    row.push(...columns);
    sum += effect;
    const points = (effect - predictor.least) * model.points_per_unit;
    result.each.push(points);
    total += points;
  }
  // Without the ranges seen there are no points.
  result.points = model.points_per_unit === null ? null : total;
  if (!model.has_risk) {
    return result;
  }
  const lp = model.of_points ? model.start + model.slope * total : sum;
  const share = (logit) => 1 / (1 + Math.exp(-logit));
  result.risk = share(lp);
  if (model.covariance) {
    let variance = 0;
    row.forEach((a, i) => row.forEach((b, j) => { variance += a * model.covariance[i][j] * b; }));
    const half = model.z * Math.sqrt(Math.max(variance, 0));
    result.low = share(lp - half);
    result.high = share(lp + half);
  }
  return result;
}

// The page.

function percent(share) {
  const text = (100 * share).toFixed(1);
  if (text === "0.0") { return "below 0.1%"; }
  if (text === "100.0") { return "above 99.9%"; }
  return text + "%";
}

function readValues(model) {
  const values = {};
  model.predictors.forEach((predictor, at) => {
    const field = document.getElementById("field-" + at);
    const text = field.value.trim();
    values[predictor.name] = predictor.type === "factor" ? text : text === "" ? NaN : Number(text);
  });
  return values;
}

function show(model) {
  const result = compute(model, readValues(model));
  const risk = document.getElementById("risk");
  const range = document.getElementById("interval");
  const points = document.getElementById("points");
  const warning = document.getElementById("warning");
  const label = (name) => model.predictors.find((one) => one.name === name).label;
  model.predictors.forEach((predictor, at) => {
    const cell = document.getElementById("points-" + at);
    cell.textContent = result.points === null ? "" : result.each[at].toFixed(1);
  });
  if (result.missing.length) {
    risk.textContent = "Fill in every field. Still empty: " + result.missing.map(label).join(", ") + ".";
    range.textContent = "";
    points.textContent = "";
  } else {
    risk.textContent = model.has_risk ? model.risk_words + ": " + percent(result.risk)
      : "This model gives points only. What risk they mean is not known.";
    range.textContent = result.risk === null ? "" : result.low === null
      ? "The model's interval is not known."
      : model.level + "% interval of the model's risk: " + percent(result.low) + " to " +
        percent(result.high) + ". It covers chance in the patients of the fit only, not " +
        "what becomes of this patient.";
    points.textContent = result.points === null ? "" : "Total points: " + result.points.toFixed(1);
  }
  const outside = result.outside.map((name) => {
    const one = model.predictors.find((each) => each.name === name);
    const unit = one.unit ? " " + one.unit : "";
    return one.label + " lies outside " + one.low + " to " + one.high + unit;
  });
  warning.hidden = outside.length === 0;
  warning.textContent = outside.length === 0 ? "" : "Warning: " + outside.join("; ") +
    ". No patient of the fit was there: do not rely on this result.";
}

if (typeof document !== "undefined") {
  const model = JSON.parse(document.getElementById("model").textContent);
  const form = document.getElementById("calculator");
  form.addEventListener("input", () => show(model));
  form.addEventListener("reset", () => setTimeout(() => show(model), 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  show(model);
}
if (typeof module !== "undefined") {
  module.exports = { compute };
}
