// What is shown, kept in the URL, so that a view can be sent to a colleague.

const listeners = [];

export const state = {
  history: [], // ids, oldest first
  run: 0, // number of the engine
  other: -1, // of the one beside it; -1: none
  k: 10,
  user: "", // whose history it was
  map: false,
  colour: "",
};

const number = (text, least, standard) => {
  const value = Number.parseInt(text, 10);
  return value >= least ? value : standard;
};

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  state.history = given.getAll("i");
  state.run = number(given.get("run"), 0, 0);
  state.other = number(given.get("beside"), -1, -1);
  state.k = Math.min(number(given.get("k"), 1, 10), 100);
  state.user = given.get("user") ?? "";
  state.map = given.get("map") === "1";
  state.colour = given.get("colour") ?? "";
}

function written() {
  const given = new URLSearchParams();
  for (const item of state.history) given.append("i", item);
  if (state.run) given.set("run", state.run);
  if (state.other >= 0) given.set("beside", state.other);
  if (state.k !== 10) given.set("k", state.k);
  if (state.user) given.set("user", state.user);
  if (state.map) given.set("map", "1");
  if (state.colour) given.set("colour", state.colour);
  return `#${given}`;
}

// Calls `listener(changed)`, a set of names, after each change.
export function onChange(listener) {
  listeners.push(listener);
}

export function tell(changed) {
  for (const listener of listeners) listener(changed);
}

export function change(values) {
  Object.assign(state, values);
  // Back and forward of the browser undo and redo.
  if (written() !== location.hash) history.pushState(null, "", written());
  tell(new Set(Object.keys(values)));
}

export function add(item) {
  change({ history: [...state.history, item] });
}

export function start() {
  read();
  const again = () => {
    read();
    tell(new Set(Object.keys(state)));
  };
  addEventListener("popstate", again);
}
