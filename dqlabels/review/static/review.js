"use strict";
// Text from the data only ever becomes text nodes. Keys are handled one after the other, so that none is lost while
// an answer is being saved.
(() => {
  const PAGE = 25;
  // Rows that are decided in one request.
  const MANY = 300;
  const el = (id) => document.getElementById(id);
  const window_id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
  const rows = new Map(); // by place in the queue
  const standing = new Map(); // by row number
  const chosen = new Set(); // places
  const batches = []; // how many decisions each act of this window made
  // `view` holds the places that the reviewer wants to see, `at` is the one of them that is shown.
  let about = null, last = 0, progress = null, view = [], at = 0, table = false, choosing = false, picked = 0, shown_classes = [], noted = -1;
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
  const current = () => rows.get(view[at]);
  const number_of = (place) => about.rows[place];

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
    const missing = view.slice(start, start + count).filter((place) => !rows.has(place));
    if (!missing.length) return;
    const found = await ask(`/api/rows?places=${missing.join(",")}`);
    for (const item of found.items) rows.set(item.at, item);
  };

  // What is said above the rows.
  const say_progress = () => {
    if (!progress) return;
    const all = progress.total && progress.decided === progress.total ? " All rows are decided." : "";
    el("progress").textContent = `${progress.decided} of ${progress.total} rows decided; labels found wrong: ${progress.wrong}, unclear: ${progress.unclear}.${all}`;
    el("done").style.width = progress.total ? `${(100 * progress.decided) / progress.total}%` : "0";
    say_expected(progress.expected);
    const rate = progress.rate;
    el("rate").replaceChildren();
    if (rate) el("rate").append(line("strong", `Noise rate${progress.finished ? "" : " so far"} ${percent(rate.estimate)}`), ` (${percent(rate.confidence, 0)} interval ${percent(rate.low)} to ${percent(rate.high)}). `);
    el("conclusion").textContent = progress.conclusion;
    el("conclusion").hidden = !progress.conclusion;
    el("rate").append(line("span", progress.note));
    el("rate").lastChild.className = "soft small";
  };
  const say_expected = (expected) => {
    el("expected").hidden = !expected;
    if (!expected) return;
    const read = expected.read ? `${progress.wrong} of ${expected.read} labels read were wrong; ${expected.decided.toFixed(1)} were expected. ` : "";
    const open = expected.left ? `Among the ${expected.left} rows still open about ${expected.open.toFixed(expected.open < 10 ? 1 : 0)} wrong labels are expected.` : "";
    el("expected").textContent = read + open;
  };
  const words = (decision) => {
    const what = { accept: "accepted", keep: "kept", choose: "chosen", unclear: "unclear" }[decision.verdict];
    const said = decision.verdict === "unclear" ? ["Saved: unclear"] : [`Saved: ${what} `, data(decision.label)];
    return decision.note ? [...said, " (", data(decision.note), ")"] : said;
  };

  // One row.
  const why = (item) => {
    const box = el("why");
    box.replaceChildren();
    if (about.blind) return;
    if (item.said) box.append(line("p", data(item.said), ` Quality ${item.quality.toFixed(3)}, ${item.how_sure}.`));
    if (!item.explanation) return;
    const lines = [...item.explanation.toward, ...item.explanation.against];
    box.append(line("p", "The model gives ", percent(item.suggested_prob), " to ", data(item.suggested), " and ", percent(item.given_prob), " to ", data(item.given), `. Quality ${item.quality.toFixed(3)}, ${item.how_sure}.`));
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
  const cell = (item, { name, text, kind }) => {
    const box = line("div", line("dt", data(name)));
    if (kind === "image") {
      const source = `/api/image?place=${item.at}&column=${encodeURIComponent(name)}`;
      box.append(line("dd", make("img", null, { src: source, alt: `${name} of row ${item.row}`, loading: "lazy" })));
    } else box.append(text ? line("dd", data(text)) : make("dd", "missing", { class: "soft" }));
    if (kind === "image" || text.length > 120) box.className = "long";
    return box;
  };
  const button = (text, key, act, first) => {
    const node = make("button", null, { type: "button" });
    if (first) node.className = "first";
    node.append(...text, ...(key ? [make("kbd", key)] : []));
    node.addEventListener("click", () => queue(act));
    return node;
  };
  // Classes that are neither the given nor the suggested one, which have buttons of their own.
  const others = (item) => about.classes.map((name, code) => [name, code]).filter(([, code]) => code !== item.given_code && (about.blind || code !== item.suggested_code));
  const show_answers = (item) => {
    const answers = el("answers");
    answers.replaceChildren();
    if (!about.blind) answers.append(button(["Accept ", data(item.suggested)], "A", () => decide("accept", item.suggested_code), true));
    answers.append(button(["Keep ", data(item.given)], "K", () => decide("keep", item.given_code)));
    const rest = others(item);
    if (about.free) answers.append(button(["Another answer"], "C", choose));
    else if (about.classes.length <= 9) answers.append(...rest.map(([name, code]) => button([data(name)], String(code + 1), () => decide_class(code))));
    else if (rest.length) answers.append(button(["Choose another"], "C", choose));
    answers.append(button(["Unclear"], "U", () => decide("unclear", -1)));
    if (!about.blind && !about.free) answers.append(button(["Rows like this one"], "L", alike));
  };
  const show_one = () => {
    const item = current();
    for (const id of ["values-head", "noting"]) el(id).hidden = !item;
    if (!item) {
      el("title").textContent = about.rows.length ? "No row fits. Show all rows, or choose others." : "No row is suspected, so there is none to review.";
      for (const id of ["answers", "values", "why", "standing"]) el(id).replaceChildren();
      if (!about.rows.length) el("rate").replaceChildren();
      return;
    }
    el("title").replaceChildren(`Row ${item.row} (${at + 1} of ${view.length}): `, data(item.given));
    if (!about.blind) el("title").append(" → ", data(item.suggested));
    const decision = standing.get(item.row);
    el("standing").replaceChildren(...(decision ? words(decision) : ["Not decided yet."]));
    // A note that is not saved yet stays while the page is drawn again.
    if (noted !== item.row) el("note").value = decision ? decision.note || "" : "";
    noted = item.row;
    show_answers(item);
    el("choices").hidden = !choosing;
    why(item);
    el("values").replaceChildren(...item.values.map((value) => cell(item, value)));
    el("values-head").hidden = !item.values.length;
  };

  // Many rows.
  const show_together = () => {
    const box = el("together");
    while (box.lastChild !== el("chosen")) box.lastChild.remove();
    const open = open_places();
    el("all").setAttribute("aria-pressed", String(open.length > 0 && open.every((place) => chosen.has(place))));
    el("chosen").textContent = chosen.size ? `${chosen.size} chosen` : "None chosen";
    if (!chosen.size) return;
    if (!about.blind) box.append(button(["Accept suggestions"], "A", () => decide_many("accept", -1), true));
    box.append(button(["Keep labels"], "K", () => decide_many("keep", -1)), button(["Unclear"], "U", () => decide_many("unclear", -1)));
    if (about.free) return;
    const pick = make("select", null, { "aria-label": "Label for the chosen rows" });
    pick.append(make("option", "Set to …", { value: "" }), ...about.classes.map((name, code) => make("option", name, { value: code })));
    pick.addEventListener("change", () => { if (pick.value) queue(() => decide_many("choose", Number(pick.value))); });
    box.append(pick);
  };
  // Rows that are decided already are chosen one by one, so that no answer is replaced unseen.
  const open_places = () => view.filter((place) => !standing.has(number_of(place)));
  const mark = (place, wanted) => {
    if (wanted) chosen.add(place);
    else chosen.delete(place);
  };
  const show_table = () => {
    const start = Math.floor(at / PAGE) * PAGE;
    const heads = ["Chosen", "", "Row", "Given", ...(about.blind ? [] : ["Suggested", "Quality", "Speaks for it"]), "Decision"];
    el("heads").replaceChildren(...heads.map((head) => (head ? make("th", head, { scope: "col" }) : make("td"))));
    el("body").replaceChildren();
    for (let k = start; k < Math.min(start + PAGE, view.length); k++) {
      const place = view[k], item = rows.get(place);
      const decision = standing.get(item.row);
      const row = make("tr", null, k === at ? { "aria-current": "true" } : {});
      const box = make("input", null, { type: "checkbox", "aria-label": `Choose row ${item.row}` });
      box.checked = chosen.has(place);
      box.addEventListener("change", () => { mark(place, box.checked); show_together(); });
      const go = make("button", "Open", { type: "button", "aria-label": `Open row ${item.row}` });
      go.addEventListener("click", () => queue(async () => { at = k; await set_view(false); }));
      row.append(line("td", box), line("td", go), make("td", item.row), line("td", data(item.given)));
      if (!about.blind) row.append(line("td", data(item.suggested)), make("td", item.quality.toFixed(3)), line("td", ...speaking(item)));
      row.append(line("td", ...(decision ? words(decision) : [""])));
      el("body").append(row);
    }
    el("where").textContent = view.length ? `${start + 1} to ${Math.min(start + PAGE, view.length)} of ${view.length}` : "none";
    show_together();
  };
  const speaking = (item) => item.said ? [data(item.said)] : item.explanation.toward.slice(0, 2).flatMap((one, k) => [k ? ", " : "", data(`${one.column}: ${one.value}`)]);
  const show = async () => {
    say_progress();
    const start = table ? Math.floor(at / PAGE) * PAGE : at;
    await load(start, PAGE);
    el("one").hidden = table;
    el("many").hidden = !table;
    el("view").setAttribute("aria-pressed", String(table));
    el("found").textContent = view.length === about.rows.length ? "" : `${view.length} of ${about.rows.length} rows`;
    if (table) show_table();
    else show_one();
  };
  const set_view = async (wanted) => {
    table = wanted;
    choosing = false;
    await show();
  };
  const go = async (to) => {
    at = Math.max(0, Math.min(to, view.length - 1));
    choosing = false;
    await show();
  };
  const first_open = (from) => {
    for (let k = from; k < view.length; k++) if (!standing.has(number_of(view[k]))) return k;
    return -1;
  };

  // Which rows are wanted.
  const wanted_rows = () => {
    const asked = new URLSearchParams();
    for (const id of ["text", "given", "suggested", "order"]) if (el(id).value) asked.set(id, el(id).value);
    if (el("column").value !== "") {
      asked.set("column", el("column").value);
      asked.set("value", el("value").value);
    }
    return asked;
  };
  const choose_rows = async () => {
    const asked = wanted_rows();
    view = (await ask(`/api/places?${asked}`)).places;
    chosen.clear();
    asked.delete("order");
    el("everything").hidden = !asked.size;
    const open = first_open(0);
    await go(open < 0 ? 0 : open);
  };
  const list_values = () => {
    const found = about.columns.find(({ name }) => name === el("column").value);
    el("value").replaceChildren(...(found ? found.values : []).map((value) => make("option", value || "missing", { value })));
    el("value-label").hidden = !found;
  };
  const alike = async () => {
    const item = current();
    if (!item || about.blind || about.free) return;
    const told = item.explanation.toward.find((one) => about.columns.some(({ name, values }) => name === one.column && values.includes(one.value)));
    el("text").value = "";
    el("given").value = String(item.given_code);
    el("suggested").value = String(item.suggested_code);
    el("column").value = told ? told.column : "";
    list_values();
    if (told) el("value").value = told.value;
    table = true;
    await choose_rows();
  };
  const set_up_filters = () => {
    if (about.blind || !about.rows.length) return;
    const options = (id, codes) => el(id).append(make("option", "any", { value: "" }), ...codes.map((code) => make("option", about.classes[code], { value: code })));
    for (const id of ["given", "suggested"]) options(id, [...new Set(about.pairs.map((pair) => pair[id]))].sort((a, b) => a - b));
    el("column").append(make("option", "any", { value: "" }), ...about.columns.map(({ name }) => make("option", name, { value: name })));
    for (const id of ["given", "suggested", "value", "order"]) el(id).addEventListener("change", () => queue(choose_rows));
    el("column").addEventListener("change", () => { list_values(); queue(choose_rows); });
    let waiting = 0;
    el("text").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => queue(choose_rows), 200);
    });
    el("filters").addEventListener("submit", (event) => event.preventDefault());
    el("choosing").hidden = false;
    el("choosing").open = window.innerWidth > 640;
  };
  const show_all = async () => {
    for (const id of ["text", "given", "suggested", "column"]) el(id).value = "";
    list_values();
    await choose_rows();
  };

  // Decisions.
  const decide = async (verdict, code, stay, typed) => {
    if (table && chosen.size) return decide_many(verdict, code);
    const item = current();
    if (!item) return;
    const seen = standing.get(item.row);
    const note = table ? (seen && seen.note) || "" : el("note").value.trim();
    const answer = await ask("/api/decide", { row: item.row, verdict, code, note, answer: typed || "", seen: seen ? seen.id : 0, window: window_id, since: last });
    if (answer.conflict) {
      if (answer.decision) standing.set(item.row, answer.decision);
      else standing.delete(item.row);
      await show();
      trouble("Another window answered this row in the meantime; its answer is shown and kept. Answer again to replace it.");
      return;
    }
    take(answer);
    batches.push(1);
    choosing = false;
    if (!stay) {
      const next = first_open(at + 1);
      at = next >= 0 ? next : at;
    }
    await show();
  };
  const decide_many = async (verdict, code) => {
    const places = view.filter((place) => chosen.has(place));
    let made = 0, passed = 0;
    for (let from = 0; from < places.length; from += MANY) {
      const part = places.slice(from, from + MANY).map((place) => [number_of(place), (standing.get(number_of(place)) || { id: 0 }).id]);
      const answer = await ask("/api/decide_all", { rows: part, verdict, code, window: window_id, since: last });
      take(answer);
      made += answer.made;
      passed += answer.passed_over.length;
    }
    if (made) batches.push(made);
    chosen.clear();
    await show();
    if (passed) trouble(`Another window answered ${passed} of these rows in the meantime; its answers are kept.`);
  };
  // What was typed where the labels are no classes.
  const decide_text = (typed) => decide("choose", -2, false, typed);
  const decide_class = async (code) => {
    if (code < 0 || code >= about.classes.length) return;
    if (table && chosen.size) return decide_many("choose", code);
    const item = current();
    if (!item) return;
    const verdict = code === item.given_code ? "keep" : !about.blind && code === item.suggested_code ? "accept" : "choose";
    await decide(verdict, code);
  };
  const undo = async () => {
    const answer = await ask("/api/undo", { window: window_id, since: last, count: batches.pop() || 1 });
    take(answer);
    if (answer.undone) {
      const place = view.findIndex((one) => number_of(one) === answer.undone.row);
      if (place >= 0) at = place;
    }
    await show();
    if (!answer.undone) trouble("There is nothing of this window to undo.");
  };
  // A note on a row that is decided already is saved with the same answer.
  const save_note = async () => {
    const item = current();
    const decision = item && standing.get(item.row);
    if (!decision || (decision.note || "") === el("note").value.trim()) return;
    if (about.free && decision.verdict === "choose") await decide("choose", -2, true, decision.label);
    else await decide(decision.verdict, decision.code, true);
  };

  const choose = async () => {
    if (!view.length) return;
    if (table) await set_view(false);
    if (!about.free && !others(current()).length) return;
    choosing = true;
    picked = 0;
    el("choices").hidden = false;
    el("wanted").value = "";
    list();
    el("wanted").focus();
  };
  const list = () => {
    const wanted = el("wanted").value.trim().toLowerCase();
    shown_classes = others(current()).filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 50);
    const typed = el("wanted").value.trim();
    if (about.free && typed) shown_classes = [[typed, -2], ...shown_classes.filter(([name]) => name !== typed)];
    picked = Math.max(0, Math.min(picked, shown_classes.length - 1));
    el("list").replaceChildren(...shown_classes.map(([name, code], k) => {
      const node = make("li", null, { role: "option", id: `class-${code}`, "aria-selected": String(k === picked) });
      node.append(data(name));
      node.addEventListener("click", () => queue(() => (code === -2 ? decide_text(name) : decide_class(code))));
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
      if (now) queue(async () => { await (now[1] === -2 ? decide_text(now[0]) : decide_class(now[1])); el("title").focus(); });
    } else if (event.key === "Escape") {
      el("title").focus(); // at once, so that the next key is not taken for text
      queue(async () => { choosing = false; await show(); });
    } else return;
    event.preventDefault();
  });
  el("note").addEventListener("change", () => queue(save_note));
  for (const id of ["note", "text"]) {
    el(id).addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      el("title").focus(); // leaves the field, which saves what is new in it
    });
  }

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
  const toggle = async () => {
    if (!table || !view.length) return;
    mark(view[at], !chosen.has(view[at]));
    await show();
  };
  const toggle_all = async () => {
    if (!table) return;
    const open = open_places();
    const all = open.every((place) => chosen.has(place));
    for (const place of open) mark(place, !all);
    await show();
  };
  const search = () => {
    if (el("choosing").hidden) return;
    el("choosing").open = true;
    el("text").focus();
  };
  const keys = {
    a: () => accept(), Enter: () => accept(), k: () => keep(), u: () => decide("unclear", -1), z: undo, c: () => choose(),
    ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1),
    t: () => set_view(!table), o: () => to_open(), l: () => alike(), x: toggle, s: toggle_all,
    n: () => { if (!table) el("note").focus(); }, f: search,
  };
  const accept = async () => {
    const item = current();
    if (item && !about.blind) await decide("accept", item.suggested_code);
  };
  const keep = async () => {
    const item = current();
    if (item) await decide("keep", item.given_code);
  };
  const to_open = async () => {
    const found = first_open(0);
    await go(found < 0 ? at : found);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !about) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    if (event.key === "Enter" && event.target.closest("button")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!table && (key === "ArrowDown" || key === "ArrowUp")) return; // scrolls
    const act = /^[1-9]$/.test(key) ? () => (!about.free && about.classes.length <= 9 ? decide_class(Number(key) - 1) : null) : keys[key];
    if (!act) return;
    event.preventDefault();
    queue(act);
  });
  for (const [id, act] of Object.entries({
    view: () => set_view(!table), back: () => go(at - 1), next: () => go(at + 1), open: to_open, undo, all: toggle_all,
    everything: show_all, before: () => go(at - PAGE), after: () => go(at + PAGE),
  })) el(id).addEventListener("click", () => queue(act));

  queue(async () => {
    about = await ask("/api/about");
    el("label").textContent = about.label;
    document.title = `Review of ${about.label}`;
    view = about.rows.map((_, place) => place);
    set_up_filters();
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
