"use strict";
// Draws one case on three linked canvases. Voxels are one byte each, in (z, y, x) order with x to
// the patient's left, y to the back and z to the head; a byte is an index into facts.hu.
(function () {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const message = document.getElementById("message");
  const here = document.getElementById("here");
  const [NX, NY, NZ] = facts.size;
  const STRIDE = [1, NX, NX * NY];
  // A view: the axis it cuts (0 x, 1 y, 2 z), its axes across and down, whether down is reversed
  // (the head is up), and the letters at left, right, top and bottom.
  const VIEWS = [
    { name: "axial", normal: 2, across: 0, down: 1, reversed: false, letters: "RLAP" },
    { name: "sagittal", normal: 0, across: 1, down: 2, reversed: true, letters: "APHF" },
    { name: "coronal", normal: 1, across: 0, down: 2, reversed: true, letters: "RLHF" },
  ];
  const at = facts.size.map((n) => n >> 1);
  const shown = facts.masks.map(() => true);
  let hidden = false;
  let grey = { centre: facts.windows[0].centre, width: facts.windows[0].width };
  let voxels, labels, values;
  let map = facts.maps.length ? 0 : -1, mapHidden = false; // which map is shown

  async function unpacked(id) {
    const text = document.getElementById(id).textContent;
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Sizes on the screen: all views to one scale, side by side where the window is wide enough.
  function layOut() {
    const millimetres = facts.size.map((n, axis) => n * facts.spacing[axis]);
    const widths = VIEWS.map((view) => millimetres[view.across]);
    const heights = VIEWS.map((view) => millimetres[view.down]);
    const room = document.documentElement.clientWidth - 32;
    const sideBySide = room >= 900;
    const across = sideBySide ? widths.reduce((a, b) => a + b) : Math.max(...widths);
    const free = sideBySide ? room - 28 : room;
    const high = Math.max(260, window.innerHeight - 230) / Math.max(...heights);
    const scale = Math.min(free / across, sideBySide ? high : free / across, 12);
    const ratio = window.devicePixelRatio || 1;
    VIEWS.forEach((view, index) => {
      view.width = Math.round(widths[index] * scale);
      view.height = Math.round(heights[index] * scale);
      for (const [canvas, height] of [[view.canvas, view.height], [view.strip, 14]]) {
        canvas.style.width = view.width + "px";
        canvas.style.height = height + "px";
        canvas.width = Math.round(view.width * ratio);
        canvas.height = Math.round(height * ratio);
        canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      view.slider.style.width = view.width + "px";
    });
  }

  function paintGrey(view) {
    const columns = facts.size[view.across], rows = facts.size[view.down];
    const image = view.cut.createImageData(columns, rows);
    const low = grey.centre - grey.width / 2;
    const tone = facts.hu.map((hu) => Math.max(0, Math.min(255, ((hu - low) / grey.width) * 255)));
    const start = at[view.normal] * STRIDE[view.normal];
    const painted = map >= 0 && !mapHidden, of = painted ? map * NX * NY * NZ : 0;
    for (let row = 0, out = 0; row < rows; row += 1) {
      const down = view.reversed ? rows - 1 - row : row;
      let from = start + down * STRIDE[view.down];
      for (let column = 0; column < columns; column += 1, out += 4) {
        const value = tone[voxels[from]];
        image.data[out] = image.data[out + 1] = image.data[out + 2] = value;
        const step = painted ? values[of + from] : 0;
        if (step) facts.colours[step - 1].forEach((part, n) => { image.data[out + n] = part; });
        image.data[out + 3] = 255;
        from += STRIDE[view.across];
      }
    }
    view.cut.putImageData(image, 0, 0);
    const context = view.canvas.getContext("2d");
    context.imageSmoothingEnabled = !painted; // a map's voxels keep their edges
    context.imageSmoothingQuality = "high";
    context.drawImage(view.cut.canvas, 0, 0, view.width, view.height);
  }

  // The outline of a mask runs along the edges of its voxels: nothing is smoothed away.
  function paintOutline(view, bit) {
    const columns = facts.size[view.across], rows = facts.size[view.down];
    const start = at[view.normal] * STRIDE[view.normal];
    const inside = (column, row) => {
      if (column < 0 || row < 0 || column >= columns || row >= rows) return 0;
      const down = view.reversed ? rows - 1 - row : row;
      return (labels[start + down * STRIDE[view.down] + column * STRIDE[view.across]] >> bit) & 1;
    };
    const dx = view.width / columns, dy = view.height / rows;
    const path = new Path2D();
    for (let row = 0; row <= rows; row += 1) {
      let from = -1; // neighbouring edges are joined, so that dashes run on
      for (let column = 0; column <= columns; column += 1) {
        const edge = column < columns && inside(column, row) !== inside(column, row - 1);
        if (edge && from < 0) from = column;
        if (!edge && from >= 0) {
          path.moveTo(from * dx, row * dy);
          path.lineTo(column * dx, row * dy);
          from = -1;
        }
      }
    }
    for (let column = 0; column <= columns; column += 1) {
      let from = -1;
      for (let row = 0; row <= rows; row += 1) {
        const edge = row < rows && inside(column, row) !== inside(column - 1, row);
        if (edge && from < 0) from = row;
        if (!edge && from >= 0) {
          path.moveTo(column * dx, from * dy);
          path.lineTo(column * dx, row * dy);
          from = -1;
        }
      }
    }
    const context = view.canvas.getContext("2d");
    context.lineCap = "butt";
    context.strokeStyle = facts.masks[bit].colour;
    context.lineWidth = 1.8;
    context.setLineDash(facts.masks[bit].dashes);
    context.stroke(path);
    context.setLineDash([]);
  }

  function place(view, axis) { // where the chosen voxel lies on the screen
    const size = axis === view.across ? view.width : view.height;
    const step = size / facts.size[axis];
    const index = axis === view.down && view.reversed ? facts.size[axis] - 1 - at[axis] : at[axis];
    return (index + 0.5) * step;
  }

  function paintMarks(view) {
    const context = view.canvas.getContext("2d");
    const x = place(view, view.across), y = place(view, view.down), gap = 14;
    context.strokeStyle = "rgba(124, 196, 212, 0.55)";
    context.lineWidth = 1;
    context.beginPath();
    for (const [x0, y0, x1, y1] of [
      [0, y, x - gap, y], [x + gap, y, view.width, y], [x, 0, x, y - gap], [x, y + gap, x, view.height],
    ]) {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    }
    context.stroke();
    context.font = "bold 15px system-ui, sans-serif";
    context.lineWidth = 3;
    context.strokeStyle = "#000";
    context.fillStyle = "#fff";
    const [left, right, top, bottom] = view.letters;
    const places = [
      [left, 6, view.height / 2, "left", "middle"], [right, view.width - 6, view.height / 2, "right", "middle"],
      [top, view.width / 2, 6, "center", "top"], [bottom, view.width / 2, view.height - 6, "center", "bottom"],
    ];
    for (const [letter, px, py, align, base] of places) {
      context.textAlign = align;
      context.textBaseline = base;
      context.strokeText(letter, px, py);
      context.fillText(letter, px, py);
    }
    const length = (10 * view.width) / (facts.size[view.across] * facts.spacing[view.across]);
    context.fillRect(8, view.height - 9, length, 3);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.strokeText("10 mm", 8, view.height - 11);
    context.fillText("10 mm", 8, view.height - 11);
  }

  // Voxels that one of two readers has and the other has not, slice by slice.
  function countDifferences() {
    for (const view of VIEWS) view.different = new Uint32Array(facts.size[view.normal]);
    if (!facts.compared) return;
    const [a, b] = facts.compared;
    for (let z = 0, index = 0; z < NZ; z += 1)
      for (let y = 0; y < NY; y += 1)
        for (let x = 0; x < NX; x += 1, index += 1)
          if (((labels[index] >> a) ^ (labels[index] >> b)) & 1) {
            VIEWS[0].different[z] += 1;
            VIEWS[1].different[x] += 1;
            VIEWS[2].different[y] += 1;
          }
  }

  function paintStrip(view) {
    const context = view.strip.getContext("2d");
    context.fillStyle = "#1d2327";
    context.fillRect(0, 0, view.width, 14);
    const most = Math.max(1, ...view.different), step = view.width / view.different.length;
    context.fillStyle = "#e08a3c";
    view.different.forEach((count, index) => {
      context.fillRect(index * step, 14 - (12 * count) / most, Math.max(step - 0.5, 0.5), (12 * count) / most);
    });
    context.fillStyle = "#7cc4d4";
    context.fillRect((at[view.normal] + 0.5) * step - 1, 0, 2, 14);
  }

  function paint() {
    for (const view of VIEWS) {
      paintGrey(view);
      if (!hidden) facts.masks.forEach((_, bit) => shown[bit] && paintOutline(view, bit));
      paintMarks(view);
      paintStrip(view);
      view.slider.value = at[view.normal];
      view.label.textContent = `${at[view.normal] + 1} of ${facts.size[view.normal]}`;
    }
    document.querySelectorAll("#windows button").forEach((button, index) => {
      const preset = facts.windows[index];
      button.setAttribute("aria-pressed", preset.centre === grey.centre && preset.width === grey.width);
    });
    document.querySelectorAll("#masks button").forEach((button, bit) => {
      button.setAttribute("aria-pressed", shown[bit] && !hidden);
    });
    document.querySelectorAll("#maps button").forEach((button, index) => {
      button.setAttribute("aria-pressed", index === map && !mapHidden);
    });
    paintBar();
    describe();
  }

  const number = (value) => Number(value.toPrecision(3)).toString();

  function paintBar() {
    if (map < 0) return;
    const bar = document.getElementById("bar").getContext("2d");
    facts.colours.forEach((colour, step) => {
      bar.fillStyle = `rgb(${colour.join(",")})`;
      bar.fillRect(step, 0, 1, 12);
    });
    document.getElementById("low").textContent = `≤ ${number(facts.maps[map].low)}`;
    document.getElementById("high").textContent = `≥ ${number(facts.maps[map].high)} (${facts.maps[map].unit})`;
  }

  function mapped(index) { // the value of the map at a voxel, as exact as its colour
    if (map < 0) return "";
    const step = values[map * NX * NY * NZ + index], { name, low, high } = facts.maps[map];
    if (!step) return ` · ${name}: none`;
    return ` · ${name}: about ${number(low + ((step - 1) / (facts.colours.length - 1)) * (high - low))}`;
  }

  let waiting = false;
  function repaint() { // at most once a frame, however fast the wheel turns
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  }

  function describe() {
    const index = at[0] + at[1] * STRIDE[1] + at[2] * STRIDE[2];
    const millimetres = [0, 1, 2].map((row) => facts.corner[row] +
      [0, 1, 2].reduce((sum, axis) => sum + facts.axes[row][axis] * facts.spacing[axis] * at[axis], 0));
    const inside = facts.masks.filter((_, bit) => (labels[index] >> bit) & 1).map((mask) => mask.reader);
    here.textContent = `${facts.hu[voxels[index]]} HU at ${millimetres.map((v) => v.toFixed(1)).join(", ")} mm (LPS)` +
      ` · inside ${inside.length ? inside.join(", ") : "none"} · window ${Math.round(grey.centre)} / ${Math.round(grey.width)}` + mapped(index);
  }

  function move(axis, to) {
    at[axis] = Math.max(0, Math.min(facts.size[axis] - 1, to));
    repaint();
  }

  function jump() { // to the slice with the largest difference in every view
    if (!facts.compared) return;
    for (const view of VIEWS) {
      const most = Math.max(...view.different);
      if (most > 0) at[view.normal] = view.different.indexOf(most);
    }
    repaint();
  }

  function toggle(bit) {
    hidden = false;
    shown[bit] = !shown[bit];
    repaint();
  }

  function choose(index) {
    const preset = facts.windows[index];
    if (!preset) return;
    grey = { centre: preset.centre, width: preset.width };
    repaint();
  }

  function pointTo(view, event) {
    const box = view.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * facts.size[view.across]);
    const row = Math.floor(((event.clientY - box.top) / box.height) * facts.size[view.down]);
    at[view.across] = Math.max(0, Math.min(facts.size[view.across] - 1, column));
    const down = view.reversed ? facts.size[view.down] - 1 - row : row;
    at[view.down] = Math.max(0, Math.min(facts.size[view.down] - 1, down));
    repaint();
  }

  function listen(view) {
    const canvas = view.canvas;
    let turned = 0;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      turned += event.deltaMode === 0 ? event.deltaY / 50 : event.deltaY; // a touchpad sends little
      if (Math.abs(turned) < 1) return;
      move(view.normal, at[view.normal] - Math.sign(turned));
      turned = 0;
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus();
      if (event.button === 0) pointTo(view, event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) pointTo(view, event);
      else if (event.buttons & 2) {
        grey = { centre: grey.centre + event.movementY * 3, width: Math.max(20, grey.width + event.movementX * 5) };
        repaint();
      }
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5 }[event.key];
      if (steps) move(view.normal, at[view.normal] + steps);
      else if (event.key === "Home") move(view.normal, 0);
      else if (event.key === "End") move(view.normal, facts.size[view.normal] - 1);
      else return;
      event.preventDefault();
    });
    view.slider.addEventListener("input", () => move(view.normal, Number(view.slider.value)));
    view.strip.addEventListener("pointerdown", (event) => {
      const share = event.offsetX / view.width;
      move(view.normal, Math.floor(share * facts.size[view.normal]));
    });
  }

  function addButton(parent, text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", act);
    parent.appendChild(button);
    return button;
  }

  async function start() {
    if (typeof DecompressionStream === "undefined") {
      message.textContent = "This browser is too old for the page. It needs Edge or Chrome 80, Firefox 113, or Safari 16.4.";
      return;
    }
    [voxels, labels] = await Promise.all([unpacked("voxels"), unpacked("labels")]);
    if (map >= 0) values = await unpacked("values");
    const whole = map < 0 || values.length === facts.maps.length * voxels.length;
    if (voxels.length !== NX * NY * NZ || labels.length !== voxels.length || !whole) throw new Error("the volume is not whole");
    for (const view of VIEWS) {
      const section = document.getElementById(view.name);
      [view.canvas, view.strip] = section.querySelectorAll("canvas");
      view.slider = section.querySelector("input");
      view.slider.max = facts.size[view.normal] - 1;
      view.label = section.querySelector(".place");
      const cut = document.createElement("canvas");
      cut.width = facts.size[view.across];
      cut.height = facts.size[view.down];
      view.cut = cut.getContext("2d");
      listen(view);
    }
    facts.windows.forEach((preset, index) =>
      addButton(document.getElementById("windows"), `${preset.name} (${index + 1})`, () => choose(index)));
    facts.masks.forEach((mask, bit) => {
      const button = addButton(document.getElementById("masks"), mask.reader, () => toggle(bit));
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.borderTopColor = mask.colour;
      if (mask.dashes.length) swatch.style.borderTopStyle = "dashed";
      button.prepend(swatch);
    });
    facts.maps.forEach((each, index) => addButton(document.getElementById("maps"), each.name, () => {
      mapHidden = index === map && !mapHidden;
      map = index;
      repaint();
    }));
    const jumper = document.getElementById("jump");
    jumper.addEventListener("click", jump);
    jumper.hidden = !facts.compared;
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key >= "1" && event.key <= "9") choose(Number(event.key) - 1);
      else if (event.key === "d") jump();
      else if (event.key === "m") { mapHidden = !mapHidden; repaint(); }
      else if (event.key === "h") { hidden = !hidden; repaint(); }
    });
    window.addEventListener("resize", () => { layOut(); repaint(); });
    countDifferences();
    message.textContent = "";
    layOut();
    paint();
    document.documentElement.dataset.ready = "yes";
  }

  start().catch((error) => {
    message.textContent = "The page cannot be shown: " + error.message + ". Make it again.";
  });
})();
