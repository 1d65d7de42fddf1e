// SPDX-License-Identifier: Apache-2.0
"use strict";

const interval = 2000, maxWait = 30000; // milliseconds
const kept = 300; // seconds of a chart
const byId = (id) => document.getElementById(id);
const series = new Map(); // title to points of time and value
let last = null, wait = interval, announced = null;

function create(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// showList shows sentences in a list, which is hidden while it is empty.
function showList(id, sentences) {
  byId(id).hidden = sentences.length === 0;
  byId(id).replaceChildren(...sentences.map((s) => create("li", { textContent: `${s.what}: ${s.why}` })));
}

function showSummary(healthy, headline, problems) {
  const sign = healthy ? "✓" : "✗";
  document.title = sign + " genltestd";
  byId("summary").className = healthy ? "healthy" : "faulty";
  byId("sign").textContent = sign;
  byId("words").textContent = headline;
  showList("problems", problems);
  announce([headline, ...new Set(problems.map((p) => p.what))].join(". "));
}

// Screen readers read the news when they change. The problems contain counters that change with
// each answer, and the first state is a part of the page.
function announce(news) {
  if (announced !== null && announced !== news) byId("news").textContent = news;
  announced = news;
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

function chart(title, unit, time, value) {
  const points = [...series.get(title) ?? [], { time, value }].filter((p) => p.time >= time - kept);
  series.set(title, points);
  const most = Math.max(...points.map((p) => p.value));
  const round = (n) => n.toLocaleString("en", { maximumFractionDigits: n < 10 ? 1 : 0 });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${kept} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: now ${round(value)} ${unit}, at most ${round(most)} ${unit} in the last five minutes`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.map((p) => `${kept - time + p.time},${98 - (most > 0 ? 94 * p.value / most : 0)}`).join(" "));
  svg.append(line);
  const now = create("b", { textContent: `${round(value)} ${unit}` });
  return create("figure", {}, create("figcaption", {}, title, now, `at most ${round(most)} ${unit}`), svg);
}

function showCharts(view) {
  if (!last || view.time <= last.time) return;
  const rate = (key) => Math.max(0, view[key] - last[key]) / (view.time - last.time);
  const time = performance.now() / 1000; // not affected by steps of the clocks
  const list = [chart("Received", "events/s", time, rate("received")), chart("Lost", "events/s", time, rate("lost"))];
  for (const name of Object.keys(view.behind_seconds)) list.push(chart(`Behind: ${name}`, "s", time, view.behind_seconds[name]));
  byId("charts").replaceChildren(...list);
  byId("charts").hidden = false;
}

async function poll() {
  try {
    const response = await fetch("status.json", { signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const view = await response.json();
    showSummary(view.healthy, view.headline, view.problems);
    showList("notes", view.notes);
    showTables(view);
    showCharts(view);
    byId("at").textContent = view.at;
    byId("about").textContent = view.about;
    last = view;
    wait = interval;
  } catch {
    const age = { what: "The page shows an old state", why: `the last answer is from ${byId("at").textContent}` };
    showSummary(false, "The daemon does not answer", [age, ...last?.problems ?? []]);
    wait = Math.min(2 * wait, maxWait);
  }
  setTimeout(poll, wait);
}

poll();
