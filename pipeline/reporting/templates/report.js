"use strict";
// Sortable tables: a heading becomes a button; numbers sort as numbers, missing values stay last.
(function () {
  function key(cell) {
    var text = cell.textContent.trim().replace(/\u2212/g, "-").replace(/,/g, "");
    if (text === "\u2013" || text === "") { return null; }
    if (text[0] === "<") { text = text.slice(1); }
    var number = parseFloat(text);
    return /^[-+]?[\d.]/.test(text) && !isNaN(number) ? number : text.toLowerCase();
  }
  function compare(a, b, sign) {
    if (a === null || b === null) { return (a === null) - (b === null); }
    if (typeof a === "number" && typeof b === "number") { return sign * (a - b); }
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = table.tHead.rows[0].cells;
    Array.prototype.forEach.call(heads, function (head, index) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(heads, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var body = table.tBodies[0];
        var rows = Array.prototype.map.call(body.rows, function (row) {
          return { row: row, key: key(row.cells[index]) };
        });
        rows.sort(function (a, b) { return compare(a.key, b.key, down ? -1 : 1); });
        rows.forEach(function (entry) { body.appendChild(entry.row); });
      });
    });
  });
  // A printed page shows what is folded away on the screen, unless it is long.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (details) {
      var long = details.querySelector("img, pre") || details.querySelectorAll("tr").length > 40;
      if (!long) { details.open = true; opened.push(details); }
    });
  });
  window.addEventListener("afterprint", function () {
    opened.splice(0).forEach(function (details) { details.open = false; });
  });
})();
