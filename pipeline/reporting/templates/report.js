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
  // A button above each table copies it: as a table for a document, as columns for a spreadsheet.
  function plain(cell) {
    var text = cell.innerText === undefined ? cell.textContent : cell.innerText;
    return text.replace(/\u2212/g, "-").replace(/[\u2195\u2191\u2193]/g, "").replace(/\s+/g, " ").trim();
  }
  function columns(table) {
    return Array.prototype.map.call(table.rows, function (row) {
      return Array.prototype.map.call(row.cells, plain).join("\t");
    }).join("\n");
  }
  function markup(table) {
    var rows = Array.prototype.map.call(table.rows, function (row) {
      var cells = Array.prototype.map.call(row.cells, function (cell) {
        var place = document.createElement(cell.tagName);
        place.textContent = plain(cell);
        return place.outerHTML;
      });
      return "<tr>" + cells.join("") + "</tr>";
    });
    return "<table>" + rows.join("") + "</table>";
  }
  function copy(table) {
    var done = false;
    function fill(event) {
      event.clipboardData.setData("text/plain", columns(table));
      event.clipboardData.setData("text/html", markup(table));
      event.preventDefault();
      done = true;
    }
    // Not navigator.clipboard: browsers withhold it from pages that are opened from a folder.
    document.addEventListener("copy", fill);
    try { done = document.execCommand("copy") && done; } catch (error) { done = false; }
    document.removeEventListener("copy", fill);
    return done;
  }
  document.querySelectorAll("main .wide > table").forEach(function (table) {
    var bar = document.createElement("p");
    var button = document.createElement("button");
    var said = document.createElement("span");
    bar.className = "copy";
    button.type = "button";
    button.textContent = "Copy table";
    button.setAttribute("aria-label", "Copy table " + table.id.replace(/^table-/, ""));
    said.setAttribute("role", "status");
    button.addEventListener("click", function () {
      said.textContent = copy(table) ? "Copied" : "Not copied: select the table and press Ctrl+C";
    });
    bar.appendChild(button);
    bar.appendChild(said);
    table.parentNode.parentNode.insertBefore(bar, table.parentNode);
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
