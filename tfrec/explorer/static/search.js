// The field that finds items while somebody types: a combobox.

import { ask, Gone } from "./api.js";
import { byId, element, say, titleOf } from "./dom.js";
import { add } from "./state.js";

const WAIT = 80; // ms without a key before it asks
let found = [];
let active = -1;
let timer = 0;
let asked = null;

function close() {
  clearTimeout(timer);
  asked?.abort();
  byId("found").hidden = true;
  byId("search").setAttribute("aria-expanded", "false");
  byId("search").removeAttribute("aria-activedescendant");
  active = -1;
}

function choose(item) {
  add(item.id);
  say(`Added ${titleOf(item)}.`);
  byId("search").value = "";
  byId("finding").textContent = "";
  close();
}

function activate(place) {
  active = place;
  [...byId("found").children].forEach((option, number) => {
    option.setAttribute("aria-selected", String(number === place));
    if (number === place) option.scrollIntoView({ block: "nearest" });
  });
  byId("search").setAttribute("aria-activedescendant", `found-${place}`);
}

function show(answer) {
  found = answer.items;
  byId("found").replaceChildren(
    ...found.map((item, place) =>
      element(
        "li",
        {
          role: "option",
          id: `found-${place}`,
          "aria-selected": "false",
          // Not click: the field would lose the focus first.
          onmousedown: (event) => {
            event.preventDefault();
            choose(item);
          },
        },
        titleOf(item),
        element("span", { class: "quiet" }, ` ${item.id}, ${item.count} times`),
      ),
    ),
  );
  const any = found.length > 0;
  byId("found").hidden = !any;
  byId("search").setAttribute("aria-expanded", String(any));
  byId("finding").textContent = any
    ? `${found.length}${answer.more ? " of more" : ""} found`
    : "No title or id has that.";
  if (any) activate(0);
}

async function find(text) {
  asked?.abort();
  asked = new AbortController();
  try {
    show(await ask("search", { q: text }, asked.signal));
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Gone) return;
    byId("finding").textContent = error.message;
  }
}

// Of a server without a dataset, nothing can be found: ids are typed.
export function startSearch(hasItems) {
  const field = byId("search");
  if (!hasItems) field.placeholder = "Type an id, Enter adds";
  field.addEventListener("input", () => {
    clearTimeout(timer);
    const text = field.value.trim();
    if (!text || !hasItems) {
      byId("finding").textContent = "";
      close();
    } else {
      timer = setTimeout(() => find(text), WAIT);
    }
  });
  field.addEventListener("keydown", (event) => {
    const open = !byId("found").hidden;
    if (event.key === "Escape") {
      close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const typed = field.value.trim();
      if (open && active >= 0) choose(found[active]);
      else if (typed && !hasItems) choose({ id: typed });
    } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : found.length - 1;
      activate((active + step) % found.length);
    }
  });
  field.addEventListener("blur", close);
}
