// The page: asks what there is, then shows what the URL says.

import { ask, Gone, onceBack } from "./api.js";
import { byId, element } from "./dom.js";
import { forgetPerson, nameHistory, person, showHistory, startHistory, takePerson } from "./history.js";
import { showLists, startLists } from "./lists.js";
import { drawMap, showMap, startMap } from "./map.js";
import { startSearch } from "./search.js";
import { change, onChange, start, state, tell } from "./state.js";

const ALL = new Set(Object.keys(state));
const LISTED = ["history", "run", "other", "k", "user"];

function choices(about) {
  const options = () =>
    about.engines.map((engine, number) => element("option", { value: number }, engine.name));
  byId("run").replaceChildren(...options());
  byId("other").replaceChildren(element("option", { value: -1 }, "nothing"), ...options());
  byId("beside").hidden = about.engines.length < 2;
  for (const name of ["run", "other", "k"]) {
    byId(name).addEventListener("change", (event) => change({ [name]: Number(event.target.value) }));
  }
  const titles = about.titles || !about.items ? "" : ", without titles: ids are shown";
  byId("data").textContent = about.items
    ? `${about.items.toLocaleString("en")} items${titles}, ${about.people.toLocaleString("en")} ${about.split} users`
    : "A server, without a dataset: ids are typed.";
}

async function show(changed) {
  for (const name of ["run", "other", "k"]) byId(name).value = String(state[name]);
  showHistory();
  nameHistory();
  if (state.user && person?.name !== state.user) await takePerson(state.user, false);
  if (!state.user) forgetPerson();
  if (LISTED.some((name) => changed.has(name))) await showLists();
  if (changed.has("map") || changed.has("colour") || changed.has("run")) await showMap();
  else drawMap();
}

async function begin() {
  let about;
  try {
    about = await ask("about");
  } catch (error) {
    // It is asked again, and the page begins when it answers.
    if (error instanceof Gone) onceBack(begin);
    else byId("data").textContent = error.message;
    return;
  }
  choices(about);
  startSearch(about.items > 0);
  startHistory(about.people);
  startLists(about);
  startMap(about.columns);
  onceBack(() => show(ALL));
  onChange(show);
  start();
  tell(ALL);
}

begin();
