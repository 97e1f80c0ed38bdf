// Filters the whole table, which rows.js holds; without a filter the page shows its own rows.
"use strict";

const SHOWN = 200; // masks; as many as a page has
const form = document.getElementById("filter");
const table = document.querySelector("table.rows");
const pagers = document.querySelectorAll("nav.pages");
const own = [...table.tBodies];
const answer = form.querySelector("output");
let masks = null;
let matching = [];
let first = 0;

window.preflight = {
  receive(texts, rows) {
    masks = rows.map(([verdict, caseId, level, reader, file, findings]) => ({
      verdict, caseId, level, reader, file,
      findings: findings.map(([severity, code, message, remedy, other]) => ({
        severity, code: texts[code], message: texts[message], remedy: texts[remedy],
        file: other || file,
      })),
    }));
    filter();
  },
};

function wanted() {
  const chosen = Object.fromEntries(new FormData(form));
  chosen.text = chosen.text.trim().toLowerCase();
  return chosen;
}

function filter() {
  const chosen = wanted();
  const any = Object.values(chosen).some((value) => value !== "");
  const words = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();
  history.replaceState(null, "", words ? "#" + words : location.pathname);
  for (const pager of pagers) pager.hidden = any;
  if (!any) {
    show(own);
    answer.textContent = "";
    return;
  }
  if (masks === null) {
    answer.textContent = "Loading …";
    if (!document.querySelector("script[src='rows.js']")) {
      const script = document.createElement("script");
      script.src = "rows.js";
      script.onerror = () => { answer.textContent = "rows.js is not in this folder."; };
      document.head.append(script);
    }
    return;
  }
  matching = masks.filter((mask) =>
    (!chosen.verdict || mask.verdict === chosen.verdict)
    && (!chosen.reader || mask.reader === chosen.reader)
    && (!chosen.finding || mask.findings.some((one) => one.code === chosen.finding))
    && (!chosen.text || [mask.caseId, mask.file, ...mask.findings.map((one) => one.file)]
      .some((text) => text.toLowerCase().includes(chosen.text))));
  first = 0;
  turn(0);
}

function turn(step) {
  first += step;
  const last = Math.min(first + SHOWN, matching.length);
  show(matching.slice(first, last).map(body));
  answer.replaceChildren(matching.length
    ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${matching.length.toLocaleString("en")} masks `
    : "No mask matches.");
  const steps = [[-SHOWN, "earlier", first > 0], [SHOWN, "later", last < matching.length]];
  for (const [by, name, possible] of steps) {
    if (!possible) continue;
    const button = element("button", "", name);
    button.type = "button";
    button.onclick = () => turn(by);
    answer.append(button, " ");
  }
}

function show(bodies) {
  for (const part of [...table.tBodies]) part.remove();
  table.append(...bodies);
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}

function body(mask) {
  const part = document.createElement("tbody");
  const lines = mask.findings.length
    ? mask.findings : [{ severity: "", message: "none", remedy: "", file: mask.file }];
  lines.forEach((finding, index) => {
    const row = part.insertRow();
    if (index === 0) {
      const link = element("a", "", mask.caseId);
      link.href = `cases/${mask.caseId}.html`;
      const named = element("td", "case", "");
      named.append(link);
      const cells = [element("td", `verdict ${mask.verdict}`, mask.verdict), named,
        element("td", "", mask.level), element("td", "", mask.reader)];
      for (const cell of cells) cell.rowSpan = lines.length;
      row.append(...cells);
    }
    row.append(element("td", "file", finding.file),
      element("td", finding.severity, finding.message), element("td", "remedy", finding.remedy));
  });
  return part;
}

function fromAddress() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  filter();
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
window.addEventListener("hashchange", fromAddress);
if (location.hash) fromAddress();
