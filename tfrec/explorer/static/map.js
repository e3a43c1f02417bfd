// The map: items in two dimensions, on a canvas; pan, zoom, click adds.

import { ask, Gone } from "./api.js";
import { byId, element, say, svg, titleOf } from "./dom.js";
import { shown } from "./lists.js";
import { add, change, state } from "./state.js";

const NEAR = 12; // px from an item that a click means it
const GROUPS = 8;
const canvas = byId("map");
let map = null; // what the server answered, and for what
let view = { x: 0, y: 0, zoom: 1 };
let pointer = null;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const size = () => Math.min(canvas.clientWidth, canvas.clientHeight) * 0.48 * view.zoom;
const toScreen = ([x, y]) => [
  canvas.clientWidth / 2 + (x - view.x) * size(),
  canvas.clientHeight / 2 - (y - view.y) * size(),
];

function nearest(x, y, within) {
  let best = -1;
  let least = within * within;
  map?.points.forEach((point, place) => {
    const [px, py] = toScreen(point);
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [place, distance];
  });
  return best;
}

function shades() {
  if (map.groups) {
    const palette = Array.from({ length: GROUPS }, (_, number) => colour(`--c${number}`));
    return map.groups.group.map((number) => palette[number] ?? colour("--rare"));
  }
  const most = Math.log1p(Math.max(1, ...map.items.map((item) => item.count)));
  const steps = Array.from({ length: 11 }, (_, step) =>
    `color-mix(in srgb, ${colour("--high")} ${10 * step}%, ${colour("--low")})`);
  return map.items.map((item) => steps[Math.round((10 * Math.log1p(item.count)) / most)]);
}

function ring(context, place, text, stroke) {
  const [x, y] = toScreen(map.points[place]);
  context.strokeStyle = stroke;
  context.fillStyle = stroke;
  context.lineWidth = 2;
  context.beginPath();
  if (text) context.rect(x - 6, y - 6, 12, 12);
  else context.arc(x, y, 7, 0, 7);
  context.stroke();
  if (text) context.fillText(text, x + 9, y + 4);
}

export function drawMap() {
  if (!map || byId("map-body").hidden) return;
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "13px system-ui, sans-serif";
  const side = Math.min(6, 2 + Math.sqrt(view.zoom));
  map.shades ??= shades();
  map.points.forEach((point, place) => {
    const [x, y] = toScreen(point);
    context.fillStyle = map.shades[place];
    context.fillRect(x - side / 2, y - side / 2, side, side);
  });
  for (const id of shown()) if (map.place.has(id)) ring(context, map.place.get(id), "", colour("--plus"));
  state.history.forEach((id, number) => {
    if (map.place.has(id)) ring(context, map.place.get(id), String(number + 1), colour("--minus"));
  });
  if (document.activeElement === canvas) {
    const [x, y] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    context.fillStyle = colour("--text");
    context.fillRect(x - 8, y, 17, 1);
    context.fillRect(x, y - 8, 1, 17);
  }
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const [dx, dy] = [x - canvas.clientWidth / 2, canvas.clientHeight / 2 - y];
  const before = size();
  view.zoom = Math.min(60, Math.max(0.8, view.zoom * factor));
  // What is below the pointer stays there.
  view.x += dx / before - dx / size();
  view.y += dy / before - dy / size();
  drawMap();
}

function tellNear(place) {
  const item = map?.items[place];
  byId("map-near").textContent = item ? `${titleOf(item)} (${item.id}, ${item.count} times)` : "";
}

function choose(place) {
  if (place < 0) return;
  add(map.items[place].id);
  say(`Added ${titleOf(map.items[place])}.`);
}

function onKey(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const centre = () => nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity);
  if (step) {
    view.x += (step[0] * 25) / size();
    view.y += (step[1] * 25) / size();
    drawMap();
  } else if (event.key === "+" || event.key === "=") zoom(1.4);
  else if (event.key === "-") zoom(1 / 1.4);
  else if (event.key === "Enter") choose(centre());
  else return;
  event.preventDefault();
  tellNear(centre());
}

function legend() {
  const swatch = (name) =>
    svg("svg", { viewBox: "0 0 9 9", "aria-hidden": "true" },
      svg("rect", { width: 9, height: 9, fill: `var(${name})` }));
  const entry = (name, text) => element("li", {}, swatch(name), text);
  const groups = map.groups
    ? [...map.groups.values.map((value, number) => entry(`--c${number}`, value)), entry("--rare", "other")]
    : [entry("--low", "rare"), entry("--high", "popular")];
  byId("legend").replaceChildren(
    ...groups, entry("--minus", "history, numbered"), entry("--plus", "recommended"));
  const part = map.items.length < map.of
    ? ` The ${map.items.length.toLocaleString("en")} most popular of ${map.of.toLocaleString("en")} items.` : "";
  byId("map-method").textContent = `Where an item lies: ${map.method}.${part}`;
}

export async function showMap() {
  byId("map-body").hidden = !state.map;
  byId("map-toggle").setAttribute("aria-expanded", String(state.map));
  byId("map-toggle").textContent = state.map ? "Hide the map" : "Show the map";
  byId("colour").value = state.colour;
  if (!state.map) return;
  const key = `${state.run} ${state.colour}`;
  if (map?.key !== key) {
    byId("map-near").textContent = "Computing the map …";
    try {
      const answer = await ask("map", { run: state.run, column: state.colour });
      if (key !== `${state.run} ${state.colour}`) return;
      const place = new Map(answer.items.map((item, number) => [item.id, number]));
      map = { ...answer, key, place };
      byId("map-near").textContent = "";
      legend();
    } catch (error) {
      map = null;
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      if (!(error instanceof Gone)) byId("map-near").textContent = error.message;
      return;
    }
  }
  drawMap();
}

export function startMap(columns) {
  byId("colour").replaceChildren(
    element("option", { value: "" }, "popularity"),
    ...columns.map((name) => element("option", { value: name }, name)));
  byId("colour").addEventListener("change", (event) => change({ colour: event.target.value }));
  byId("map-toggle").addEventListener("click", () => change({ map: !state.map }));
  byId("closer").addEventListener("click", () => zoom(1.4));
  byId("farther").addEventListener("click", () => zoom(1 / 1.4));
  byId("whole").addEventListener("click", () => {
    view = { x: 0, y: 0, zoom: 1 };
    drawMap();
  });
  canvas.addEventListener("keydown", onKey);
  canvas.addEventListener("focus", drawMap);
  canvas.addEventListener("blur", drawMap);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    pointer = { x: event.offsetX, y: event.offsetY, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pointer) return tellNear(nearest(event.offsetX, event.offsetY, NEAR));
    const [dx, dy] = [event.offsetX - pointer.x, event.offsetY - pointer.y];
    pointer = { x: event.offsetX, y: event.offsetY, moved: pointer.moved + Math.abs(dx) + Math.abs(dy) };
    view.x -= dx / size();
    view.y += dy / size();
    drawMap();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (pointer && pointer.moved < 4) choose(nearest(event.offsetX, event.offsetY, NEAR));
    pointer = null;
  });
  canvas.addEventListener("pointercancel", () => { pointer = null; });
  addEventListener("resize", drawMap);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (map) map.shades = null;
    drawMap();
  });
}
