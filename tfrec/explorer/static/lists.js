// What each run recommends: scores, spreads, why, and how two runs differ.

import { ask, Gone } from "./api.js";
import { byId, element, say, svg, titleOf } from "./dom.js";
import { itemOf, person } from "./history.js";
import { add, state } from "./state.js";

const SLOW = 1000; // ms until a list says that it waits
let engines = [];
let lists = []; // one for each run shown
let asked = null;

export function startLists(about) {
  engines = about.engines;
}

// The ids that are on show, of the first list: for the map.
export const shown = () => (lists[0]?.answer?.items ?? []).map((item) => item.id);

const query = (list) => ({
  run: list.run,
  history: state.history,
  user: state.user,
});

function bar(list, item, place) {
  const [low, high] = list.intervals?.[place] ?? [];
  const x = (score) => `${(100 * (score - list.from)) / (list.to - list.from)}%`;
  const whisker =
    low == null
      ? null
      : svg("line", { class: "spread", x1: x(low), x2: x(high), y1: "50%", y2: "50%" });
  const about =
    low == null ? "" : `, draws from ${low.toFixed(3)} to ${high.toFixed(3)}`;
  return svg(
    "svg",
    { class: "bar", role: "img", "aria-label": `score ${item.score.toFixed(3)}${about}` },
    svg("rect", { class: "ground", width: "100%", height: "100%" }),
    svg("rect", { class: "fill", width: x(item.score), height: "100%" }),
    whisker,
  );
}

// The bars start a little below the least of what is shown.
function scale(list) {
  const scores = list.answer.items.map((item) => item.score);
  scores.push(...(list.intervals ?? []).flat().filter((score) => score != null));
  const least = Math.min(...scores);
  const most = Math.max(...scores);
  list.from = least - 0.1 * (most - least) - 1e-6;
  list.to = most + 1e-6;
}

function mark(list, item, place) {
  const other = lists[1 - lists.indexOf(list)];
  if (lists.length < 2 || !other.answer) return null;
  const there = other.answer.items.findIndex((each) => each.id === item.id);
  if (there < 0) return element("span", { class: "mark only" }, "only here");
  const step = there - place;
  const text = step === 0 ? "same place" : `${step > 0 ? "▲" : "▼"} ${Math.abs(step)}`;
  const label = step === 0 ? text : `${Math.abs(step)} places ${step > 0 ? "higher" : "lower"} than beside`;
  return element("span", { class: "mark", role: "img", "aria-label": label }, text);
}

function reasons(list, place) {
  if (!state.history.length) {
    return element("p", { class: "why quiet" }, "The history is empty: nothing to leave out.");
  }
  const whole = list.answer.items[place].score;
  const without = list.without.map((row) => row[place]);
  const adds = without.map((score) => (score == null ? null : whole - score));
  const most = Math.max(1e-9, ...adds.map((value) => Math.abs(value ?? 0)));
  const strongest = Math.max(...adds.map((value) => value ?? -Infinity));
  const rows = state.history.map((id, number) => {
    const value = adds[number];
    const half = value == null ? 0 : (50 * Math.abs(value)) / most;
    const text = value == null
      ? "not in the list without it"
      : `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(3)} (${without[number].toFixed(3)} without it)`;
    return element(
      "li",
      { class: value != null && value === strongest && value > 0 ? "most" : null },
      `${titleOf(itemOf(id))}: ${text}`,
      svg(
        "svg",
        { class: "bar", "aria-hidden": "true" },
        svg("rect", {
          class: value < 0 ? "minus" : "plus",
          x: `${value < 0 ? 50 - half : 50}%`,
          width: `${half}%`,
          height: "100%",
        }),
        svg("line", { class: "zero", x1: "50%", x2: "50%", y1: "0", y2: "100%" }),
      ),
    );
  });
  return element("ul", { class: "why", "aria-label": "What each item of the history adds" }, ...rows);
}

async function toggleWhy(list, id) {
  if (list.open.has(id)) {
    list.open.delete(id);
  } else {
    try {
      const item = list.answer.items.map((each) => each.id);
      list.without ??= (await ask("why", { ...query(list), item }, asked.signal)).without;
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof Gone)) say(error.message);
      if (error.name !== "AbortError") fail(list, error);
      return;
    }
    list.open.add(id);
  }
  draw(list);
}

function row(list, item, place, targets) {
  const open = list.open.has(item.id);
  const title = titleOf(item);
  return element(
    "li",
    { class: targets.has(item.id) ? "next" : null },
    element(
      "div",
      { class: "row" },
      element("span", { class: "number" }, String(place + 1)),
      element(
        "button",
        {
          type: "button",
          class: "plain",
          title: "Add to the history",
          "data-key": `add ${item.id}`,
          onclick: () => add(item.id),
        },
        title,
      ),
      targets.has(item.id) ? element("span", { class: "mark hit" }, "came next") : null,
      mark(list, item, place),
      element("span", { class: "score" }, item.score.toFixed(3)),
      element(
        "button",
        {
          type: "button",
          class: "small",
          "data-key": `why ${item.id}`,
          "aria-expanded": String(open),
          "aria-label": `Why ${title}`,
          onclick: () => toggleWhy(list, item.id),
        },
        "why",
      ),
    ),
    bar(list, item, place),
    open && list.without ? reasons(list, place) : null,
  );
}

function next(list) {
  if (!list.answer.next.length) return null;
  const word = (rank) => (rank == null ? "not ranked" : `rank ${rank}`);
  return element(
    "div",
    {},
    element("h3", {}, "What came next"),
    element(
      "ol",
      { class: "next-list" },
      ...list.answer.next.map((item) =>
        element("li", {}, element("span", {}, titleOf(item)), element("span", {}, word(item.rank))),
      ),
    ),
  );
}

function draw(list) {
  const focused = document.activeElement?.dataset?.key;
  const inside = list.node.contains(document.activeElement);
  scale(list);
  const targets = new Set(list.answer.next.map((item) => item.id));
  const about = list.engine.latent
    ? "Scores are log-probabilities; lines are where 90% of 32 draws of the latent lie."
    : `Scores are log-probabilities; ${list.engine.about.model} has no latent here, so no spread.`;
  list.body.replaceChildren(
    element(
      "ol",
      { class: "list", "aria-label": `Recommended by ${list.engine.name}` },
      ...list.answer.items.map((item, place) => row(list, item, place, targets)),
    ),
    element("p", { class: "quiet" }, about),
    next(list) ?? "",
  );
  if (focused && inside) list.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  if (list.place >= 0) list.body.querySelectorAll(".list .plain")[list.place]?.focus();
  list.place = -1;
}

// The row that has the focus, which a new list is to give to the same place.
function focusedPlace(list) {
  const rows = [...(list?.body.querySelectorAll(".list > li") ?? [])];
  return rows.findIndex((each) => each.contains(document.activeElement));
}

function fail(list, error) {
  if (error instanceof Gone) return;
  list.body.replaceChildren(
    element("p", { class: "error", role: "alert" }, error.message),
    element("button", { type: "button", onclick: () => showLists() }, "Try again"),
  );
}

async function load(list, signal) {
  const wait = setTimeout(() => {
    list.wait.textContent = `Waiting for ${list.engine.name} …`;
  }, SLOW);
  try {
    const wanted = (person && state.user === person.name ? person.next : []).map((i) => i.id);
    const asking = { ...query(list), k: state.k, next: wanted };
    list.answer = await ask("recommend", asking, signal);
    for (const each of lists) if (each.answer) draw(each);
    if (!list.engine.latent) return;
    const item = list.answer.items.map((each) => each.id);
    list.intervals = (await ask("spread", { ...query(list), item }, signal)).intervals;
    draw(list);
  } catch (error) {
    if (error.name !== "AbortError") fail(list, error);
  } finally {
    clearTimeout(wait);
    list.wait.textContent = "";
    list.node.setAttribute("aria-busy", "false");
  }
}

export async function showLists() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  const runs = [state.run, state.other].filter((run) => run >= 0 && run < engines.length);
  const old = lists;
  lists = [...new Set(runs)].map((run, number) => {
    const before = old[number]?.run === run ? old[number] : null;
    const engine = engines[run];
    const list = { run, engine, open: new Set(), answer: null, intervals: null, without: null };
    // The old list stays until the new one is there: nothing jumps.
    list.place = focusedPlace(before);
    list.body = before?.body ?? element("div");
    list.wait = element("p", { class: "quiet", role: "status" });
    const parts = [element("h2", {}, engine.name), list.wait, list.body];
    list.node = element("section", { "aria-label": engine.name, "aria-busy": "true" }, ...parts);
    return list;
  });
  byId("lists").classList.toggle("two", lists.length > 1);
  byId("lists").replaceChildren(...lists.map((list) => list.node));
  await Promise.all(lists.map((list) => load(list, signal)));
}
