"use strict";
const cards = [...document.querySelectorAll(".one")];
const text = document.getElementById("text");
const state = document.getElementById("state");
const found = document.getElementById("found");
const failed = document.getElementById("failed");

function show() {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const card of cards) {
    const fits = (!state.value || card.dataset.state === state.value)
      && words.every((word) => card.dataset.text.includes(word));
    card.hidden = !fits;
    count += fits;
  }
  if (failed) failed.hidden = !failed.querySelector(".one:not([hidden])");
  found.textContent = count === cards.length ? "" : `${count} of ${cards.length} shown`;
}

async function copied(content) {
  try {
    await navigator.clipboard.writeText(content);
  } catch {
    const area = document.createElement("textarea");
    area.value = content;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await copied(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
text.addEventListener("input", show);
state.addEventListener("change", show);
