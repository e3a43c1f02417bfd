// The history: reorder by dragging or keys, remove; and the user it was of.

import { ask, Gone, items } from "./api.js";
import { byId, element, say, titleOf } from "./dom.js";
import { change, state } from "./state.js";

export const itemOf = (id) => items.get(id) ?? { id, title: "" };
let dragged = -1;

function move(from, to) {
  if (to < 0 || to >= state.history.length || from === to) return;
  const moved = [...state.history];
  const [item] = moved.splice(from, 1);
  moved.splice(to, 0, item);
  change({ history: moved });
  byId("history").children[to]?.focus();
  say(`${titleOf(itemOf(item))} is number ${to + 1} now.`);
}

function remove(place) {
  const [item] = state.history.slice(place);
  change({ history: state.history.filter((_, number) => number !== place) });
  const rows = byId("history").children;
  (rows[Math.min(place, rows.length - 1)] ?? byId("search")).focus();
  say(`Removed ${titleOf(itemOf(item))}.`);
}

function onKey(event, place) {
  if (event.target !== event.currentTarget) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.key === "Delete" || event.key === "Backspace") remove(place);
  else if (step && event.altKey) move(place, place + step);
  else if (step) byId("history").children[place + step]?.focus();
  else return;
  event.preventDefault();
}

function button(text, label, action) {
  const attributes = { type: "button", class: "small", "aria-label": label };
  return element("button", { ...attributes, onclick: action }, text);
}

function row(id, place) {
  const item = itemOf(id);
  const title = titleOf(item);
  const over = (on) => (event) => {
    event.preventDefault();
    event.currentTarget.classList.toggle("over", on);
  };
  return element(
    "li",
    {
      tabindex: "0",
      draggable: "true",
      class: item.unknown ? "unknown" : null,
      "aria-describedby": "history-help",
      onkeydown: (event) => onKey(event, place),
      ondragstart: (event) => {
        dragged = place;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", title);
      },
      ondragover: over(true),
      ondragleave: over(false),
      ondrop: (event) => {
        over(false)(event);
        if (dragged >= 0) move(dragged, place);
        dragged = -1;
      },
    },
    element("span", { class: "number" }, String(place + 1)),
    element("span", {}, item.unknown ? `${title} (unknown, skipped)` : title),
    button("↑", `Move ${title} up`, () => move(place, place - 1)),
    button("↓", `Move ${title} down`, () => move(place, place + 1)),
    button("×", `Remove ${title}`, () => remove(place)),
  );
}

export function showHistory() {
  byId("history").replaceChildren(...state.history.map(row));
  const none = state.history.length === 0;
  byId("empty").hidden = !none;
  byId("history-help").hidden = none;
  byId("clear").hidden = none;
}

// Asks for the titles of a history that came with the URL.
export async function nameHistory() {
  const unknown = state.history.filter((id) => !items.has(id));
  if (!unknown.length) return;
  try {
    await ask("items", { item: [...new Set(unknown)] });
    showHistory();
  } catch (error) {
    if (!(error instanceof Gone)) byId("who").textContent = error.message;
  }
}

// Who the user of the URL is; what came next is marked in the lists.
export let person = null;

export async function takePerson(name, replace) {
  try {
    person = await ask("person", name ? { name } : {});
  } catch (error) {
    if (!(error instanceof Gone)) byId("who").textContent = error.message;
    person = null;
    return;
  }
  const count = person.next.length + person.unseen;
  const unseen = person.unseen ? `, ${person.unseen} of them never seen in training` : "";
  const older = person.older ? `, the newest of ${person.history.length + person.older}` : "";
  const skipped = person.skipped ? `, and ${person.skipped} that training never saw` : "";
  byId("who").textContent =
    `User ${person.name}: ${person.history.length} items${older}${skipped}, then ${count}${unseen}.`;
  byId("name").value = person.name;
  if (replace) {
    change({ user: person.name, history: person.history.map((i) => i.id) });
  }
}

export function forgetPerson() {
  person = null;
  byId("who").textContent = "";
}

export function startHistory(people) {
  byId("person").hidden = people === 0;
  byId("person").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("name").value.trim();
    if (name) takePerson(name, true);
    else byId("who").textContent = "Type the id of a user, or take one at random.";
  });
  byId("anyone").addEventListener("click", () => takePerson("", true));
  byId("clear").addEventListener("click", () => {
    forgetPerson();
    byId("name").value = "";
    change({ history: [], user: "" });
    byId("search").focus();
  });
}
