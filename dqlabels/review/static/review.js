"use strict";
// Text from the data only ever becomes text nodes. Keys are handled one after the other, so that none is lost while
// an answer is being saved.
(() => {
  const PAGE = 25;
  const el = (id) => document.getElementById(id);
  const window_id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
  const rows = new Map();
  const standing = new Map();
  let about = null, last = 0, progress = null, at = 0, table = false, choosing = false, picked = 0, shown_classes = [];
  let busy = Promise.resolve();

  const make = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const data = (text) => make("bdi", text, { dir: "auto" });
  const line = (tag, ...parts) => {
    const node = make(tag);
    node.append(...parts);
    return node;
  };
  const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
  const times = (ratio) => (ratio >= 1 ? `×${ratio.toFixed(1)}` : `÷${(1 / ratio).toFixed(1)}`);

  const trouble = (text) => {
    el("trouble").textContent = text || "";
    el("trouble").hidden = !text;
  };
  const ask = async (path, said) => {
    const options = said === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(said) };
    let answer;
    try {
      answer = await fetch(path, { cache: "no-store", ...options });
    } catch {
      throw new Error("The program is not reachable. What is marked as saved is on the disk; start it again to go on.");
    }
    const facts = await answer.json().catch(() => ({ error: `The program answered with status ${answer.status}.` }));
    if (answer.status === 409) return { ...facts, conflict: true };
    if (!answer.ok) throw new Error(facts.error);
    return facts;
  };
  const take = (state) => {
    for (const [row, decision] of state.changed) {
      if (decision) standing.set(row, decision);
      else standing.delete(row);
    }
    last = state.last;
    progress = state.progress;
  };
  const load = async (start, count) => {
    const missing = [];
    for (let k = start; k < Math.min(start + count, about.total); k++) if (!rows.has(k)) missing.push(k);
    if (!missing.length) return;
    const found = await ask(`/api/rows?start=${missing[0]}&count=${count}`);
    for (const item of found.items) rows.set(item.at, item);
  };

  const say_progress = () => {
    if (!progress) return;
    const all = progress.total && progress.decided === progress.total ? " All rows are decided." : "";
    el("progress").textContent = `${progress.decided} of ${progress.total} rows decided; labels found wrong: ${progress.wrong}, unclear: ${progress.unclear}.${all}`;
    el("done").style.width = progress.total ? `${(100 * progress.decided) / progress.total}%` : "0";
    const rate = progress.rate;
    el("rate").replaceChildren();
    if (rate) el("rate").append(line("strong", `Noise rate${progress.finished ? "" : " so far"} ${percent(rate.estimate)}`), ` (${percent(rate.confidence, 0)} interval ${percent(rate.low)} to ${percent(rate.high)}). `);
    el("conclusion").textContent = progress.conclusion;
    el("conclusion").hidden = !progress.conclusion;
    el("rate").append(line("span", progress.note));
    el("rate").lastChild.className = "soft small";
  };
  const words = (decision) => {
    const what = { accept: "accepted", keep: "kept", choose: "chosen", unclear: "unclear" }[decision.verdict];
    return decision.verdict === "unclear" ? ["Saved: unclear"] : [`Saved: ${what} `, data(decision.label)];
  };
  const why = (item) => {
    const box = el("why");
    box.replaceChildren();
    if (about.blind || !item.explanation) return;
    const lines = [...item.explanation.toward, ...item.explanation.against];
    box.append(line("p", "The model gives ", percent(item.suggested_prob), " to ", data(item.suggested), " and ", percent(item.given_prob), " to ", data(item.given), `. Quality ${item.quality.toFixed(3)}, ${item.kind}.`));
    if (!lines.length) return;
    box.append(make("h3", "Values that speak for or against, and the nearest rows with the suggested label"));
    const grid = make("table");
    const heads = make("tr");
    for (const head of ["Column", "This row", "Among given", "Among suggested", "Times"]) heads.append(make("th", head, { scope: "col" }));
    for (const near of item.explanation.nearest) heads.append(make("th", `Row ${near.row}`, { scope: "col" }));
    grid.append(line("thead", heads));
    const body = make("tbody");
    for (const one of lines) {
      const row = make("tr");
      row.append(line("th", data(one.column)), line("td", data(one.value)), make("td", percent(one.given_share)), make("td", percent(one.suggested_share)), make("td", times(one.ratio)));
      row.firstChild.setAttribute("scope", "row");
      for (const near of item.explanation.nearest) row.append(line("td", data(near.values[one.column])));
      body.append(row);
    }
    grid.append(body);
    const scroll = make("div", null, { class: "scroll", role: "region", "aria-label": "Values and neighbours", tabindex: "0" });
    scroll.append(grid);
    box.append(scroll);
  };
  const button = (text, key, act, first) => {
    const node = make("button", null, { type: "button" });
    if (first) node.className = "first";
    node.append(...text, make("kbd", key));
    node.addEventListener("click", () => queue(act));
    return node;
  };
  const show_one = () => {
    const item = rows.get(at);
    if (!item) {
      el("title").textContent = about.total ? "" : "No row is suspected, so there is none to review.";
      for (const id of ["answers", "values", "why", "standing", "rate"]) el(id).replaceChildren();
      el("values-head").hidden = true;
      return;
    }
    el("title").replaceChildren(`Row ${item.row} (${at + 1} of ${about.total}): `, data(item.given));
    if (!about.blind) el("title").append(" → ", data(item.suggested));
    const decision = standing.get(item.row);
    el("standing").replaceChildren(...(decision ? words(decision) : ["Not decided yet."]));
    const answers = el("answers");
    answers.replaceChildren();
    if (!about.blind) answers.append(button(["Accept ", data(item.suggested)], "A", () => decide("accept", item.suggested_code), true));
    answers.append(button(["Keep ", data(item.given)], "K", () => decide("keep", item.given_code)));
    if (about.classes.length <= 9) {
      about.classes.forEach((name, code) => {
        if (code !== item.given_code && (about.blind || code !== item.suggested_code)) answers.append(button([data(name)], String(code + 1), () => decide_class(code)));
      });
    }
    answers.append(button(["Choose another"], "C", choose), button(["Unclear"], "U", () => decide("unclear", -1)));
    el("choices").hidden = !choosing;
    why(item);
    el("values").replaceChildren(...item.values.map(([name, value]) => {
      const box = line("div", line("dt", data(name)), value ? line("dd", data(value)) : make("dd", "missing", { class: "soft" }));
      if (value.length > 120) box.className = "long";
      return box;
    }));
  };
  const show_table = () => {
    const start = Math.floor(at / PAGE) * PAGE;
    const heads = ["", "Row", "Given", ...(about.blind ? [] : ["Suggested", "Quality", "Kind"]), "Decision"];
    el("heads").replaceChildren(...heads.map((head) => (head ? make("th", head, { scope: "col" }) : make("td"))));
    el("body").replaceChildren();
    for (let k = start; k < Math.min(start + PAGE, about.total); k++) {
      const item = rows.get(k);
      const decision = standing.get(item.row);
      const row = make("tr", null, k === at ? { "aria-current": "true" } : {});
      const go = make("button", "Open", { type: "button", "aria-label": `Open row ${item.row}` });
      go.addEventListener("click", () => queue(async () => { at = k; await set_view(false); }));
      row.append(line("td", go), make("td", item.row), line("td", data(item.given)));
      if (!about.blind) row.append(line("td", data(item.suggested)), make("td", item.quality.toFixed(3)), make("td", item.kind));
      row.append(line("td", ...(decision ? words(decision) : [""])));
      el("body").append(row);
    }
    el("where").textContent = about.total ? `${start + 1} to ${Math.min(start + PAGE, about.total)} of ${about.total}` : "none";
  };
  const show = async () => {
    say_progress();
    const start = table ? Math.floor(at / PAGE) * PAGE : at;
    await load(start, PAGE);
    el("one").hidden = table;
    el("many").hidden = !table;
    el("view").setAttribute("aria-pressed", String(table));
    if (table) show_table();
    else show_one();
  };
  const set_view = async (wanted) => {
    table = wanted;
    choosing = false;
    await show();
  };
  const go = async (to) => {
    at = Math.max(0, Math.min(to, about.total - 1));
    choosing = false;
    await show();
  };
  const first_open = async (from) => {
    for (let k = from; k < about.total; k++) {
      await load(k, PAGE);
      if (!standing.has(rows.get(k).row)) return k;
    }
    return -1;
  };

  const decide = async (verdict, code) => {
    const item = rows.get(at);
    if (!item) return;
    const seen = standing.get(item.row);
    const answer = await ask("/api/decide", { row: item.row, verdict, code, seen: seen ? seen.id : 0, window: window_id, since: last });
    if (answer.conflict) {
      if (answer.decision) standing.set(item.row, answer.decision);
      else standing.delete(item.row);
      await show();
      trouble("Another window answered this row in the meantime; its answer is shown and kept. Answer again to replace it.");
      return;
    }
    take(answer);
    choosing = false;
    const next = await first_open(at + 1);
    at = next >= 0 ? next : at;
    await show();
  };
  const decide_class = async (code) => {
    const item = rows.get(at);
    if (!item || code < 0 || code >= about.classes.length) return;
    const verdict = code === item.given_code ? "keep" : !about.blind && code === item.suggested_code ? "accept" : "choose";
    await decide(verdict, code);
  };
  const undo = async () => {
    const answer = await ask("/api/undo", { window: window_id, since: last });
    take(answer);
    if (answer.undone) for (const [k, item] of rows) if (item.row === answer.undone.row) at = k;
    await show();
    if (!answer.undone) trouble("There is nothing of this window to undo.");
  };

  const choose = async () => {
    if (!about.total) return;
    if (table) await set_view(false);
    choosing = true;
    picked = 0;
    el("choices").hidden = false;
    el("wanted").value = "";
    list();
    el("wanted").focus();
  };
  const list = () => {
    const wanted = el("wanted").value.trim().toLowerCase();
    shown_classes = about.classes.map((name, code) => [name, code]).filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 50);
    picked = Math.max(0, Math.min(picked, shown_classes.length - 1));
    el("list").replaceChildren(...shown_classes.map(([name, code], k) => {
      const node = make("li", null, { role: "option", id: `class-${code}`, "aria-selected": String(k === picked) });
      node.append(data(name));
      node.addEventListener("click", () => queue(() => decide_class(code)));
      return node;
    }));
    const now = shown_classes[picked];
    if (now) el("wanted").setAttribute("aria-activedescendant", `class-${now[1]}`);
    else el("wanted").removeAttribute("aria-activedescendant");
    if (now) el(`class-${now[1]}`).scrollIntoView({ block: "nearest" });
  };
  el("wanted").addEventListener("input", () => { picked = 0; list(); });
  el("wanted").addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      picked += event.key === "ArrowDown" ? 1 : -1;
      list();
    } else if (event.key === "Enter") {
      const now = shown_classes[picked];
      if (now) queue(async () => { await decide_class(now[1]); el("title").focus(); });
    } else if (event.key === "Escape") {
      queue(async () => { choosing = false; await show(); el("title").focus(); });
    } else return;
    event.preventDefault();
  });

  const queue = (act) => {
    busy = busy.then(async () => {
      trouble("");
      try {
        await act();
      } catch (error) {
        trouble(`Not saved. ${error.message}`);
      }
    });
    return busy;
  };
  const keys = {
    a: () => accept(), Enter: () => accept(), k: () => keep(), u: () => decide("unclear", -1), z: undo, c: () => choose(),
    ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1),
    ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), n: () => go(at + 1), p: () => go(at - 1),
    t: () => set_view(!table), o: () => to_open(),
  };
  const accept = async () => {
    const item = rows.get(at);
    if (item && !about.blind) await decide("accept", item.suggested_code);
  };
  const keep = async () => {
    const item = rows.get(at);
    if (item) await decide("keep", item.given_code);
  };
  const to_open = async () => {
    const found = await first_open(0);
    await go(found < 0 ? at : found);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !about) return;
    if (event.key === "Enter" && event.target.closest("button")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!table && (key === "ArrowDown" || key === "ArrowUp")) return; // scrolls
    const act = /^[1-9]$/.test(key) ? () => (about.classes.length <= 9 ? decide_class(Number(key) - 1) : null) : keys[key];
    if (!act) return;
    event.preventDefault();
    queue(act);
  });
  for (const [id, act] of Object.entries({
    view: () => set_view(!table), back: () => go(at - 1), next: () => go(at + 1), open: to_open, undo,
    before: () => go(at - PAGE), after: () => go(at + PAGE),
  })) el(id).addEventListener("click", () => queue(act));

  queue(async () => {
    about = await ask("/api/about");
    el("label").textContent = about.label;
    document.title = `Review of ${about.label}`;
    take(await ask("/api/state?since=0"));
    await to_open();
  });
  // What other windows decided appears here too.
  setInterval(() => {
    if (!about || document.hidden) return;
    busy = busy.then(async () => {
      const state = await ask(`/api/state?since=${last}`).catch(() => null);
      if (!state || state.last === last) return;
      take(state);
      if (!choosing) await show();
    });
  }, 2000);
})();
