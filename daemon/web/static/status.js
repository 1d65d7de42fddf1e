// SPDX-License-Identifier: Apache-2.0
"use strict";

const interval = 2000, maxWait = 30000; // milliseconds
const kept = 150; // samples: five minutes
const byId = (id) => document.getElementById(id);
const series = new Map(); // title to values
let before = null, wait = interval, shown = "";

function create(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// The region is announced by screen readers, so it changes only if its text does.
function showSummary(view) {
  const text = JSON.stringify([view.healthy, view.headline, view.problems]);
  if (text === shown) return;
  shown = text;
  const sign = view.healthy ? "✓" : "✗";
  document.title = sign + " genltestd";
  byId("summary").className = view.healthy ? "healthy" : "faulty";
  byId("sign").textContent = sign;
  byId("words").textContent = view.headline;
  byId("problems").hidden = view.problems.length === 0;
  byId("problems").replaceChildren(...view.problems.map((p) => create("li", { textContent: p })));
}

function showTables(view) {
  document.querySelectorAll("tbody").forEach((body, i) => {
    const t = view.tables[i];
    body.replaceChildren(...(t.rows ?? []).map((row) => create("tr", { role: "row" }, ...row.map((cell, column) => {
      const td = create("td", { role: "cell", textContent: cell });
      td.dataset.label = t.columns[column];
      return td;
    }))));
  });
}

function chart(title, unit, value) {
  const values = series.get(title) ?? [];
  series.set(title, values);
  values.push(value);
  if (values.length > kept) values.shift();
  const most = Math.max(...values), round = (n) => n.toLocaleString("en", { maximumFractionDigits: n < 10 ? 1 : 0 });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${kept - 1} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: now ${round(value)} ${unit}, at most ${round(most)} ${unit} in the last five minutes`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((v, i) => `${kept - values.length + i},${98 - (most > 0 ? 94 * v / most : 0)}`).join(" "));
  svg.append(line);
  const now = create("b", { textContent: `${round(value)} ${unit}` });
  return create("figure", {}, create("figcaption", {}, title, now, `at most ${round(most)} ${unit}`), svg);
}

function showCharts(view) {
  if (before && view.time > before.time) {
    const rate = (key) => Math.max(0, view[key] - before[key]) / (view.time - before.time);
    const list = [chart("Received", "events/s", rate("received")), chart("Lost", "events/s", rate("lost"))];
    for (const name of Object.keys(view.behind_seconds)) list.push(chart(`Behind: ${name}`, "s", view.behind_seconds[name]));
    byId("charts").replaceChildren(...list);
    byId("charts").hidden = false;
  }
  before = view;
}

async function poll() {
  try {
    const response = await fetch("status.json", { signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const view = await response.json();
    showSummary(view);
    showTables(view);
    showCharts(view);
    byId("about").textContent = view.about;
    wait = interval;
  } catch {
    showSummary({ healthy: false, headline: "The daemon does not answer; this page shows its last state", problems: [] });
    wait = Math.min(2 * wait, maxWait);
  }
  setTimeout(poll, wait);
}

poll();
