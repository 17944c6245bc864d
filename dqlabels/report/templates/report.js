"use strict";
// Sorting, searching, filtering and saving of the rows that are already on the page. Without it all of them are shown.
(() => {
  const table = document.getElementById("rows");
  if (!table) return;
  const FIRST = 20;
  const items = Array.from(table.tBodies);
  const search = document.getElementById("search");
  const said = document.getElementById("said");
  const clear = document.getElementById("clear");
  const save = document.getElementById("save");
  const cells = Array.from(document.querySelectorAll("button[data-given]"));
  let cell = null;
  let all = items.length <= FIRST;

  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    items.forEach((item, at) => {
      const fits = (all || cell || wanted || at < FIRST) &&
        (!cell || (item.dataset.given === cell.given && item.dataset.suggested === cell.suggested)) &&
        (!wanted || item.textContent.toLowerCase().includes(wanted));
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    const where = cell ? `, given ${cell.from}, suggested ${cell.to}` : "";
    said.textContent = `${shown} of ${items.length} listed rows shown${where}`;
    clear.hidden = all && !cell && !wanted;
  };
  const choose = (button) => {
    const pressed = button && button.getAttribute("aria-pressed") !== "true";
    for (const other of cells) {
      const same = pressed && other.dataset.given === button.dataset.given && other.dataset.suggested === button.dataset.suggested;
      other.setAttribute("aria-pressed", same ? "true" : "false");
    }
    cell = pressed
      ? { given: button.dataset.given, suggested: button.dataset.suggested, from: button.dataset.from, to: button.dataset.to }
      : null;
    show();
  };
  const sort = (head, at) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (item) => item.rows[0].cells[at].dataset.sort ?? item.rows[0].cells[at].textContent.trim();
    const numeric = items.every((item) => item.rows[0].cells[at].dataset.sort !== undefined);
    items.sort((a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b))) * (down ? -1 : 1));
    table.append(...items);
    show();
  };
  const save_rows = () => {
    // The mark at the beginning tells spreadsheets that the text is UTF-8.
    const file = new Blob(["\ufeff", document.getElementById("csv").textContent], { type: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${save.dataset.name.replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 60)}_flagged.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  for (const button of cells) {
    button.addEventListener("click", () => {
      choose(button);
      if (cell) document.getElementById("worst").scrollIntoView();
    });
  }
  Array.from(table.tHead.rows[0].cells).forEach((head, at) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(head, at));
  });
  search.addEventListener("input", show);
  clear.addEventListener("click", () => {
    search.value = "";
    all = true;
    choose(null);
    search.focus();
  });
  if (save) save.addEventListener("click", save_rows);
  window.addEventListener("beforeprint", () => items.slice(0, 10).forEach((item) => { item.querySelector("details").open = true; }));
  for (const tool of document.querySelectorAll(".needs-js")) tool.hidden = false;
  show();
})();
