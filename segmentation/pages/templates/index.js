"use strict";
// The list of cases: filtered, sorted and cut into pages here, so that thousands of rows stay quick.
(function () {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const columns = [
    { key: "rank", title: "No." },
    { key: "case_id", title: "Case", text: true },
    { key: "level", title: "Level", text: true },
    { key: "readers", title: "Readers", text: true },
    { key: "surface_dice", title: "Surface Dice", digits: 3 },
    { key: "dice", title: "Dice", digits: 3 },
    { key: "hausdorff95_mm", title: "95% Hausdorff, mm", digits: 1 },
    { key: "mean_surface_distance_mm", title: "Mean distance, mm", digits: 2 },
    { key: "volume_difference_percent", title: "Volume, %", digits: 1 },
    { key: "corrected", title: "Corrected", text: true },
    { key: "note", title: "Note", text: true },
  ];
  const field = (id) => document.getElementById(id);
  let sorted = { key: "rank", down: false };
  let page = 0;

  function levelOrder(level) { // C before T before L before S, numbers as numbers
    return "CTLS".indexOf(level[0]) * 100 + Number(level.slice(1));
  }

  function compare(a, b) {
    const x = a[sorted.key], y = b[sorted.key];
    if (x === null || y === null) return (x === null) - (y === null) || a.rank - b.rank;
    let order = 0;
    if (sorted.key === "level") order = levelOrder(x) - levelOrder(y);
    else order = typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
    return (sorted.down ? -order : order) || a.rank - b.rank;
  }

  function chosen() {
    const text = field("text").value.trim().toLowerCase();
    const level = field("level").value, corrected = field("corrected").value;
    return rows.filter((row) =>
      (!text || `${row.case_id} ${row.readers}`.toLowerCase().includes(text)) &&
      (!level || row.level === level) &&
      (!corrected || (corrected === "yes") === Boolean(row.corrected))).sort(compare);
  }

  function cell(row, column) {
    const element = document.createElement("td");
    const value = row[column.key];
    if (column.text) element.className = column.key === "note" ? "text note" : "text";
    if (column.key === "case_id" && row.page) {
      const link = document.createElement("a");
      link.href = row.page;
      link.textContent = value;
      element.appendChild(link);
    } else if (value === null) element.textContent = column.text ? "" : "–";
    else element.textContent = column.digits === undefined ? value : value.toFixed(column.digits).replace("-", "−");
    return element;
  }

  function show() {
    const found = chosen();
    const per = Number(field("per").value);
    const last = Math.max(0, Math.ceil(found.length / per) - 1);
    page = Math.min(page, last);
    const body = document.createElement("tbody");
    for (const row of found.slice(page * per, (page + 1) * per)) {
      const line = document.createElement("tr");
      columns.forEach((column) => line.appendChild(cell(row, column)));
      body.appendChild(line);
    }
    document.querySelector("#cases tbody").replaceWith(body);
    field("found").textContent = `${found.length} of ${rows.length} cases`;
    document.querySelectorAll("#cases th").forEach((head, index) => {
      if (columns[index].key !== sorted.key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    });
    const pages = field("pages");
    pages.replaceChildren();
    if (last === 0) return;
    const step = (text, to, usable) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.disabled = !usable;
      button.addEventListener("click", () => { page = to; show(); window.scrollTo(0, 0); });
      pages.appendChild(button);
    };
    step("Before", page - 1, page > 0);
    pages.append(`page ${page + 1} of ${last + 1}`);
    step("Next", page + 1, page < last);
  }

  const head = document.createElement("tr");
  for (const column of columns) {
    const element = document.createElement("th");
    element.scope = "col";
    if (column.text) element.className = "text";
    if (column.title) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.title;
      button.addEventListener("click", () => {
        sorted = { key: column.key, down: sorted.key === column.key && !sorted.down };
        page = 0;
        show();
      });
      element.appendChild(button);
    }
    head.appendChild(element);
  }
  document.querySelector("#cases thead").appendChild(head);
  const levels = [...new Set(rows.map((row) => row.level))].sort((a, b) => levelOrder(a) - levelOrder(b));
  for (const level of levels) field("level").add(new Option(level, level));
  field("filter").addEventListener("input", () => { page = 0; show(); });
  show();
})();
