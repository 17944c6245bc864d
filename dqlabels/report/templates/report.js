"use strict";
// Sorting, searching and filtering of the rows that are already on the page. Without it all of them are shown.
(() => {
  const table = document.getElementById("rows");
  if (!table) return;
  const items = Array.from(table.tBodies);
  const search = document.getElementById("search");
  const said = document.getElementById("said");
  const clear = document.getElementById("clear");
  const cells = Array.from(document.querySelectorAll("button[data-given]"));
  let cell = null;

  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const item of items) {
      const fits = (!cell || (item.dataset.given === cell.given && item.dataset.suggested === cell.suggested)) &&
        (!wanted || item.textContent.toLowerCase().includes(wanted));
      item.hidden = !fits;
      shown += fits;
    }
    const where = cell ? `, given ${cell.from}, suggested ${cell.to}` : "";
    said.textContent = `${shown} of ${items.length} listed rows shown${where}`;
    clear.hidden = !cell && !wanted;
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
  const open = (item, wanted) => {
    const opener = item.querySelector(".opener");
    opener.setAttribute("aria-expanded", wanted ? "true" : "false");
    item.querySelector(".detail").hidden = !wanted;
  };
  const sort = (head, at) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (item) => item.rows[0].cells[at].dataset.sort ?? item.rows[0].cells[at].textContent.trim();
    const numeric = items.every((item) => item.rows[0].cells[at].dataset.sort !== undefined);
    items.sort((a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b))) * (down ? -1 : 1));
    table.append(...items);
  };

  for (const item of items) {
    open(item, false);
    item.querySelector(".opener").addEventListener("click", (event) => {
      open(item, event.currentTarget.getAttribute("aria-expanded") !== "true");
    });
  }
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
    choose(null);
    search.focus();
  });
  window.addEventListener("beforeprint", () => items.slice(0, 10).forEach((item) => open(item, true)));
  document.documentElement.classList.add("js");
  for (const tool of document.querySelectorAll(".needs-js")) tool.hidden = false;
  show();
})();
