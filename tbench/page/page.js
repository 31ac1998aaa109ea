"use strict";
// What the page does: languages, themes, charts with a keyboard, and the table of cases. Names that users have chosen
// are put in place as text only.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const find = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const said = (words) => words[root.lang];
  const word = (name, values = {}) =>
    said(page.words[name]).replace(/\{(\w+)\}/g, (_, key) => (key in values ? values[key] : ""));
  const column = (packed) => (packed.t ? packed.t.map((k) => (k === null ? null : page.texts[k])) : packed.v);
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const kept = (name, value) => {
    try {
      if (value !== undefined) localStorage.setItem(`tbench-${name}`, value);
      return localStorage.getItem(`tbench-${name}`);
    } catch {
      return null; // a file that was opened from a mail may have no storage
    }
  };

  // ------------------------------------------------------------------ a note beside a mark

  const tip = document.getElementById("tip");
  function note(value, x, y) {
    if (!value) {
      tip.hidden = true;
      return;
    }
    const entries = Object.entries(value).filter(([, shown]) => shown !== null && shown !== "" && shown !== "null");
    tip.replaceChildren(
      ...entries.reverse().map(([name, shown], k) => element(k ? "span" : "b", String(shown))),
    );
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(8, y - box.height - 12) : y + 18}px`;
  }

  function beside(mark) {
    const box = mark.getBoundingClientRect();
    note(mark.__data__.tooltip, box.right, box.bottom);
  }

  // A mark that was focused keeps its note: focusing scrolls.
  const scrolled = () => {
    const focused = document.activeElement;
    if (tip.hidden) return;
    if (focused && focused.__data__ && focused.__data__.tooltip) beside(focused);
    else note(null);
  };

  function withKeyboard(drawing) {
    const marks = all('[role="graphics-symbol"]', drawing).filter((mark) => mark.__data__ && mark.__data__.tooltip);
    marks.forEach((mark, k) => mark.setAttribute("tabindex", k ? "-1" : "0"));
    drawing.addEventListener("focusin", ({ target }) => {
      if (!marks.includes(target)) return;
      for (const mark of marks) if (mark.getAttribute("tabindex") === "0") mark.setAttribute("tabindex", "-1");
      target.setAttribute("tabindex", "0");
      beside(target);
    });
    drawing.addEventListener("focusout", () => note(null));
    drawing.onkeydown = (event) => {
      const at = marks.indexOf(document.activeElement);
      if (at < 0) return;
      const to = {
        ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1,
      }[event.key];
      if (event.key === "Escape") note(null);
      if (to === undefined) return;
      event.preventDefault();
      marks[Math.max(0, Math.min(marks.length - 1, to))].focus();
    };
  }

  // ------------------------------------------------------------------ charts

  const figures = new Map(all("figure[data-chart]").map((figure) => [figure.dataset.chart, figure]));
  const views = new Map();
  const turns = new Map();
  const chosen = new Map();

  function records(name, panel) {
    const chart = page.charts[name];
    const names = Object.keys(chart.columns);
    chart.unpacked ??= Object.fromEntries(names.map((key) => [key, column(chart.columns[key])]));
    const found = [];
    chart.panel.forEach((number, k) => {
      if (number !== panel) return;
      const record = {};
      for (const key of names) if (chart.unpacked[key][k] !== null) record[key] = chart.unpacked[key][k];
      found.push(record);
    });
    return found;
  }

  async function draw(name, section) {
    const figure = figures.get(name);
    const chart = page.charts[name];
    const panel = chart.panels.indexOf(chosen.get(section));
    figure.hidden = panel < 0;
    if (panel < 0) return;
    const drawing = find(".drawing", figure);
    const values = records(name, panel);
    const width = Math.max(260, drawing.clientWidth);
    const spec = structuredClone(chart.describe[root.lang]);
    const config = structuredClone(page.config);
    config.legend.columns = Math.max(1, Math.floor(width / 210));
    config.legend.labelLimit = Math.min(400, width - 60);
    if (width < 480) config.axis.labelFontSize = 10;
    if (spec.height.step) spec.height = spec.height.step * new Set(values.map((one) => one.line)).size;
    Object.assign(spec, {
      config, width, autosize: { type: "fit-x", contains: "padding" }, data: { name: "figures", values },
      description: `${said(chart.title)}. ${said(chart.summaries[panel])}`,
    });
    const { series } = spec.usermeta;
    const domain = [...new Set(values.filter((one) => series in one).map((one) => one[series]))];
    for (const { encoding } of spec.layer)
      for (const channel of ["color", "shape"])
        if (encoding[channel]?.field === series) encoding[channel].scale = { ...encoding[channel].scale, domain };
    find(".summary", figure).textContent = said(chart.summaries[panel]);
    const options = {
      renderer: "svg", actions: false, ast: true, logLevel: 1,
      // Without an event where a chart is given up.
      tooltip: (_, event, item, value) => (event ? note(value, event.clientX, event.clientY) : note(null)),
    };
    const turn = (turns.get(name) ?? 0) + 1; // a later drawing of the same chart overtakes this one
    turns.set(name, turn);
    try {
      const fresh = element("div");
      const made = await vegaEmbed(fresh, spec, options);
      if (turns.get(name) !== turn) {
        made.finalize();
        return;
      }
      views.get(name)?.finalize();
      views.set(name, made);
      drawing.replaceChildren(fresh);
      withKeyboard(fresh);
    } catch (problem) {
      drawing.textContent = word("failed", { why: problem.message });
    }
    fill(find("details.data", figure), chart, values);
  }

  // The figures of a chart as a table, made when it is opened.
  const MOST = 1000;
  function fill(details, chart, values) {
    const place = find(".scroll", details);
    const put = () => {
      const names = Object.keys(chart.fields);
      const shown = values.filter((one) => names.some((name) => name in one && name !== "line")).slice(0, MOST);
      const table = element("table");
      const head = table.createTHead().insertRow();
      for (const name of names) {
        const cell = element("th", said(chart.fields[name]));
        cell.scope = "col";
        head.append(cell);
      }
      const body = table.createTBody();
      for (const one of shown) {
        const row = body.insertRow();
        for (const name of names) {
          const value = one[name];
          const number = typeof value === "number";
          row.append(element("td", value === undefined ? "" : number ? precise(value) : value, number ? "right" : ""));
        }
      }
      place.replaceChildren(table);
      if (shown.length < values.length && shown.length === MOST)
        place.append(element("p", word("shortened", { shown: MOST, all: values.length }), "explained"));
    };
    details.ontoggle = () => details.open && put();
    if (details.open) put();
  }
  const precise = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6))));

  let passes = 0;
  async function drawAll() {
    const pass = ++passes;
    delete root.dataset.ready;
    for (const [section, { charts }] of Object.entries(page.sections))
      for (const name of charts) {
        await draw(name, section);
        if (pass !== passes) return;
      }
    root.dataset.ready = root.lang;
  }

  function choose(section, panel) {
    chosen.set(section, panel);
    const picker = find(`[data-pick="${section}"]`);
    if (picker) picker.value = panel;
    return Promise.all(page.sections[section].charts.map((name) => draw(name, section)));
  }

  for (const [section, { panels }] of Object.entries(page.sections)) {
    chosen.set(section, panels[0]);
    const picker = find(`[data-pick="${section}"]`);
    if (!picker) continue;
    picker.append(...panels.map((panel) => Object.assign(element("option", panel || "–"), { value: panel })));
    picker.onchange = () => choose(section, picker.value);
  }

  let widths = innerWidth;
  let waiting;
  addEventListener("resize", () => {
    if (innerWidth === widths) return;
    widths = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 200);
  });
  addEventListener("scroll", scrolled, { passive: true });

  // ------------------------------------------------------------------ the table of cases

  const cases = Object.fromEntries(
    ["ids", "statuses", "notes", "commands", "samples"].map((name) => [name, column(page.cases[name])]),
  );
  const columns = page.cases.columns.map((one) => ({
    ...one, values: column(one.values), shown: column(one.shown), tones: one.tones && column(one.tones),
  }));
  const FEW = 400; // rows that are shown at once; of more only the first, so that sorting and filtering stay quick
  const STEP = 100;
  const begun = () => (state.order.length <= FEW ? FEW : STEP);
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const state = { column: -1, down: false, order: cases.ids.map((_, k) => k), limit: FEW };
  state.limit = begun();
  const made = new Map(); // rows, by case
  const haystack = cases.ids.map((id, k) => `${id} ${cases.notes[k]} ${cases.statuses[k]}`.toLowerCase());

  // `axis=a,b` as after -k; any other word must occur somewhere.
  function matcher(text) {
    const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((term) => {
      const [axis, values] = term.split(/=(.*)/s);
      if (values === undefined || !values) return (k) => haystack[k].includes(term);
      const wanted = values.split(",").filter(Boolean).map((value) => ` ${axis}=${value} `);
      if (axis === "component") return (k) => values.split(",").some((value) => haystack[k].startsWith(`${value}/`));
      if (axis === "phase") return (k) => values.split(",").some((value) => haystack[k].split(" ")[0].endsWith(`/${value}`));
      if (axis === "status") return (k) => values.split(",").includes(cases.statuses[k]);
      return (k) => wanted.some((value) => ` ${haystack[k]} `.includes(value));
    });
    return (k) => tests.every((test) => test(k));
  }

  const before = (one, other) =>
    typeof one === "number" && typeof other === "number"
      ? one - other
      : String(one).localeCompare(String(other), "en", { numeric: true });

  function arranged() {
    const matches = matcher(document.getElementById("filter").value);
    const status = document.getElementById("status").value;
    state.order = cases.ids.map((_, k) => k).filter((k) => (!status || cases.statuses[k] === status) && matches(k));
    if (state.column >= 0) {
      const { values } = columns[state.column];
      const missing = (k) => values[k] === null || values[k] === "";
      state.order.sort((a, b) => {
        if (missing(a) || missing(b)) return missing(a) - missing(b) || a - b; // last, whichever way
        return (state.down ? before(values[b], values[a]) : before(values[a], values[b])) || a - b;
      });
    }
    state.limit = begun();
    show();
  }

  function show() {
    const shown = state.order.slice(0, state.limit);
    body.replaceChildren(...shown.map((k) => made.get(k) ?? line(k)));
    for (const open of all('.open[aria-expanded="true"]', body)) closed(open);
    if (!shown.length) {
      const row = body.insertRow();
      row.append(Object.assign(element("td", word("none"), "tone-quiet"), { colSpan: columns.length + 1 }));
    }
    const more = document.getElementById("more");
    more.hidden = shown.length === state.order.length;
    more.textContent = word("more", { n: Math.min(FEW, state.order.length - shown.length) });
    document.getElementById("count").textContent = word("count", { shown: state.order.length, all: cases.ids.length });
  }

  function line(k) {
    const row = element("tr");
    made.set(k, row);
    row.dataset.case = k;
    for (const one of columns) {
      const tone = one.tones && one.tones[k] ? ` tone-${one.tones[k]}` : "";
      const kind = one.right ? "right" : one.name === "case" || one.name === "reason" ? "long" : "word";
      row.append(element("td", one.shown[k] ?? "", kind + tone));
    }
    const open = element("button", "+", "open");
    open.type = "button";
    open.setAttribute("aria-expanded", "false");
    open.setAttribute("aria-label", `${word("details")}: ${cases.ids[k]}`);
    open.onclick = () => unfold(row, open, k);
    const cell = element("td", undefined, "word");
    cell.append(open);
    row.prepend(cell);
    return row;
  }

  function closed(open) {
    open.setAttribute("aria-expanded", "false");
    open.textContent = "+";
  }

  function unfold(row, open, k) {
    if (open.getAttribute("aria-expanded") === "true") {
      closed(open);
      row.nextElementSibling.remove();
      return;
    }
    open.setAttribute("aria-expanded", "true");
    open.textContent = "−";
    const detail = element("tr", undefined, "detail");
    const cell = Object.assign(element("td"), { colSpan: columns.length + 1 });
    cell.append(element("p", word("case"), "label"), element("p", cases.ids[k]));
    if (cases.notes[k]) cell.append(element("p", word("notes"), "label"), element("p", cases.notes[k]));
    if (cases.commands[k]) {
      const command = element("div", undefined, "command");
      const copy = element("button", word("copy"));
      copy.type = "button";
      copy.dataset.copy = "";
      command.append(element("code", cases.commands[k]), copy);
      cell.append(element("p", word("command"), "label"), command);
    }
    if (cases.samples[k] && page.sections.raw) {
      const see = element("button", word("samples"));
      see.type = "button";
      see.onclick = () => choose("raw", cases.samples[k]).then(() => document.getElementById("raw").scrollIntoView());
      cell.append(see);
    }
    detail.append(cell);
    row.after(detail);
  }

  function headings() {
    const row = element("tr");
    row.append(Object.assign(element("th"), { ariaLabel: word("details") }));
    columns.forEach((one, k) => {
      const cell = element("th", undefined, one.right ? "right" : "");
      cell.scope = "col";
      const button = element("button", said(one.heading));
      button.type = "button";
      button.onclick = () => {
        state.down = state.column === k ? !state.down : false;
        state.column = k;
        headings();
        arranged();
        find(`th:nth-child(${k + 2}) button`, table).focus();
      };
      if (state.column === k) cell.ariaSort = state.down ? "descending" : "ascending";
      cell.append(button);
      row.append(cell);
    });
    table.tHead.replaceChildren(row);
  }

  function statuses() {
    const picker = document.getElementById("status");
    const now = picker.value;
    const found = [...new Set(cases.statuses)].sort();
    picker.replaceChildren(
      Object.assign(element("option", word("any")), { value: "" }),
      ...found.map((one) => Object.assign(element("option", one), { value: one })),
    );
    picker.value = now;
    document.getElementById("by-status").hidden = found.length < 2;
  }

  document.getElementById("filter").oninput = arranged;
  document.getElementById("status").onchange = arranged;
  document.getElementById("filters").onsubmit = (event) => event.preventDefault();
  document.getElementById("more").onclick = () => {
    state.limit += FEW;
    show();
  };
  addEventListener("beforeprint", () => {
    state.limit = Infinity;
    show();
  });

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    const code = find("code", button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code); // where a page may not write: selected, to be copied by hand
      document.execCommand("copy");
    }
    const was = [...button.childNodes];
    button.textContent = word("copied");
    setTimeout(() => button.replaceChildren(...was), 1500);
  });

  // ------------------------------------------------------------------ language and theme

  const THEMES = ["auto", "light", "dark"];
  function inTheme(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    document.getElementById("theme").textContent = `${word("theme")}: ${word(name)}`;
  }
  let theme = THEMES.includes(kept("theme")) ? kept("theme") : "auto";
  document.getElementById("theme").onclick = () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    kept("theme", theme);
    inTheme(theme);
  };

  function inLanguage(language) {
    root.lang = language;
    const button = document.getElementById("language");
    button.textContent = word("language");
    button.lang = language === "en" ? "zh" : "en";
    document.getElementById("filter").placeholder = word("filter_hint");
    inTheme(theme);
    statuses();
    headings();
    made.clear();
    show();
    return drawAll();
  }
  document.getElementById("language").onclick = () => {
    const next = root.lang === "en" ? "zh" : "en";
    kept("language", next);
    inLanguage(next);
  };

  window.tbench = { views, choose };
  inLanguage(kept("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
})();
