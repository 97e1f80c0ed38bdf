"use strict";
// The model's arithmetic. It knows nothing of the page, so that it can be tried on its own.

function isKnown(predictor, value) {
  return predictor.levels ? predictor.levels.includes(value)
    : typeof value === "number" && Number.isFinite(value);
}

function isOutside(predictor, value) {
  return predictor.levels ? predictor.unseen.includes(value)
    : value < predictor.low || value > predictor.high;
}

function riskOf(equation, model, values) {
  // Returns the risk as the model predicts it, and after recalibration.
  let sum = equation.intercept;
  for (const term of equation.terms) {
    const predictor = model.predictors[term.at], value = values[predictor.name];
    let column = term.missing;
    if (isKnown(predictor, value)) {
      column = term.level === null ? value : Number(value === term.level);
    }
    sum += term.coefficient * column;
  }
  const share = (logit) => 1 / (1 + Math.exp(-logit));
  const risk = share(sum);
  if (equation.recalibration === null) { return [risk, risk]; }
  const within = Math.min(Math.max(risk, model.margin), 1 - model.margin);
  const [intercept, slope] = equation.recalibration;
  return [risk, share(intercept + slope * Math.log(within / (1 - within)))];
}

function quantile(sorted, share) {
  const place = share * (sorted.length - 1), below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

function compute(model, values) {
  const result = { missing: [], filled: [], outside: [], risk: null, low: null, high: null, event: null };
  for (const predictor of model.predictors) {
    const value = values[predictor.name];
    if (!isKnown(predictor, value)) {
      (predictor.required ? result.missing : result.filled).push(predictor.name);
    } else if (isOutside(predictor, value)) {
      result.outside.push(predictor.name);
    }
  }
  if (result.missing.length) { return result; }
  const [first, ...refits] = model.equations.map((each) => riskOf(each, model, values));
  result.risk = first[1];
  result.event = model.threshold === null ? null : first[0] >= model.threshold;
  if (refits.length) {
    const sorted = refits.map((each) => each[1]).sort((a, b) => a - b);
    result.low = quantile(sorted, model.tail);
    result.high = quantile(sorted, 1 - model.tail);
  }
  return result;
}

// The page.

function percent(share) { return (100 * share).toFixed(1) + "%"; }

function readValues(model) {
  const values = {};
  model.predictors.forEach((predictor, at) => {
    const text = document.getElementById("field-" + at).value.trim();
    values[predictor.name] = predictor.levels ? text : text === "" ? NaN : Number(text);
  });
  return values;
}

function show(model) {
  const result = compute(model, readValues(model));
  const set = (id, text) => {
    const element = document.getElementById(id);
    element.textContent = text;
    element.hidden = text === "";
  };
  const names = (list) => list.map((name) =>
    model.predictors.find((one) => one.name === name).label).join(", ");
  const none = result.risk === null;
  set("risk", none ? "No risk yet: fill in " + names(result.missing) + "." : percent(result.risk));
  set("interval", result.low === null ? "" :
    "95% interval of the model's risk: " + percent(result.low) + " to " + percent(result.high) + ".");
  set("event", none || result.event === null ? "" : result.event
    ? "At or above the study's threshold: the model predicts the outcome."
    : "Below the study's threshold: the model predicts no outcome.");
  set("outside", result.outside.length === 0 ? "" : "Outside what the model has seen: " +
    names(result.outside) + ". The risk is an extrapolation.");
  set("filled", none || result.filled.length === 0 ? "" : "Not known, and filled in as in training: " +
    names(result.filled) + ".");
}

if (typeof document !== "undefined") {
  const model = JSON.parse(document.getElementById("model").textContent);
  const form = document.getElementById("form");
  form.addEventListener("input", () => show(model));
  form.addEventListener("reset", () => setTimeout(() => show(model), 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  show(model);
}
if (typeof module !== "undefined") { module.exports = { compute }; }
