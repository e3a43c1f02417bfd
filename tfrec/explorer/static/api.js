// Asking the explorer's own server, and noticing when it is gone.

import { byId } from "./dom.js";

const AGAIN_AFTER = 2000;
let back = null;

export class Gone extends Error {}

// What is known of items, by id, from whatever answer named them.
export const items = new Map();

function remember(answer) {
  for (const item of [answer.items, answer.history, answer.next].flat()) {
    if (item?.id != null) items.set(item.id, item);
  }
}

export function onceBack(action) {
  back = action;
}

function gone() {
  const banner = byId("gone");
  if (!banner.hidden) return;
  banner.textContent =
    "The explorer does not answer. Is its command (tfrec explore) still " +
    "running? It is asked again every two seconds.";
  banner.hidden = false;
  const timer = setInterval(async () => {
    try {
      const response = await fetch("api/about");
      if (!response.ok) return;
    } catch {
      return;
    }
    clearInterval(timer);
    banner.hidden = true;
    back?.();
  }, AGAIN_AFTER);
}

// Returns the answer; throws Gone, an Error with the server's message, or
// what fetch throws when the signal aborts it.
export async function ask(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) query.append(name, one);
  }
  let response, answer;
  try {
    response = await fetch(`api/${path}?${query}`, { signal });
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    gone();
    throw new Gone("The explorer does not answer.");
  }
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  remember(answer);
  return answer;
}
