"use strict";

const get = (id) => document.getElementById(id);
const state = { overview: null, skip: 0, shown: 0, repeat: null, answer: null, image: null };

async function ask(path, options = {}) {
  get("message").textContent = "";
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

// every action of the user ends here if it fails
function tell(error) {
  get("message").textContent = error.message;
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const cameraName = (camera) => (camera < 0 ? "unknown camera" : `camera ${camera}`);
const timeText = (time) => (time === null ? "" : new Date(time * 1000).toISOString().replace("T", " ").slice(0, 19));
const placeText = (row) =>
  [cameraName(row.camera), timeText(row.time), row.frame >= 0 ? `frame ${row.frame}` : ""].filter(Boolean).join(", ");

function crop(row) {
  return make("img", { src: `/crop/${row.row}`, loading: "lazy", alt: `row ${row.row}, ${placeText(row)}` });
}

function rowCard(row) {
  const card = make("div", { className: "card" });
  const search = make("button", { type: "button", title: "search for this person" }, crop(row));
  search.onclick = () => searchRow(row.row);
  card.append(search, make("p", {}, placeText(row)));
  if (row.pid >= 0) card.append(make("p", {}, `identity ${row.pid}`));
  if (state.overview.has_network) {
    const frame = make("button", { type: "button" }, "whole image");
    frame.onclick = () => showFrame(row);
    card.append(frame);
  }
  return card;
}

async function loadRows() {
  const words = new URLSearchParams({ skip: state.skip });
  if (get("camera").value) words.set("camera", get("camera").value);
  const rows = await ask(`/api/rows?${words}`);
  get("rows").replaceChildren(...rows.map(rowCard));
  state.shown = rows.length;
  get("back").disabled = state.skip === 0;
  get("next").disabled = rows.length < state.overview.page_rows;
}

function turn(pages) {
  state.skip = Math.max(0, state.skip + pages * state.overview.page_rows);
  loadRows().catch(tell);
}

function limits() {
  const camera = get("where").value;
  return camera ? `&camera=${camera}` : "";
}

function search(run) {
  state.repeat = () => run().then(showAnswer).catch(tell);
  return state.repeat();
}

function searchRow(row) {
  state.image = null;
  return search(() => ask(`/api/search?row=${row}${limits()}`, { method: "POST" }));
}

function searchImage(blob, name) {
  state.image = blob;
  const path = () => `/api/search?name=${encodeURIComponent(name)}${limits()}`;
  return search(() => ask(path(), { method: "POST", body: blob }));
}

function showAnswer(answer) {
  state.answer = answer;
  get("answer").hidden = false;
  const query = answer.query;
  const shown = get("query");
  shown.replaceChildren();
  if (query.row !== undefined) shown.append(crop(query));
  else paint(state.image, shown);
  const text = query.row === undefined ? query.name : `row ${query.row}: ${placeText(query)}`;
  get("summary").textContent = `${answer.matches.length} nearest to ${text}`;
  get("matches").replaceChildren(...answer.matches.map(matchCard));
  showTimeline(answer.matches);
  get("answer").scrollIntoView({ block: "start" });
}

// an image from elsewhere, drawn: the page's policy allows images of this server only
async function paint(blob, place) {
  const bitmap = await createImageBitmap(blob);
  const canvas = make("canvas", { width: (bitmap.width * 128) / bitmap.height, height: 128 });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, 128);
  place.replaceChildren(canvas);
}

function matchCard(match) {
  const card = rowCard(match);
  card.id = `match-${match.row}`;
  const sure = match.probability === null ? "" : `, ${Math.round(100 * match.probability)} %`;
  card.append(make("p", {}, `${match.score.toFixed(3)}${sure}`));
  const marks = make("div", { className: "marks" });
  for (const value of ["same", "different"]) {
    const mark = make("button", { type: "button" }, value);
    mark.dataset.value = value;
    mark.onclick = () => setLabel(match, match.label === value ? "removed" : value);
    marks.append(mark);
  }
  card.append(marks);
  showLabel(card, match);
  return card;
}

function showLabel(card, match) {
  for (const value of ["same", "different"]) {
    card.classList.toggle(value, match.label === value);
    const mark = card.querySelector(`[data-value=${value}]`);
    if (mark) mark.setAttribute("aria-pressed", match.label === value);
  }
}

async function setLabel(match, value) {
  const query = state.answer.query;
  const said = { query: query.query, query_name: query.name, row: match.row, value };
  try {
    await ask("/api/label", { method: "POST", body: JSON.stringify(said) });
  } catch (error) {
    tell(error);
    return;
  }
  match.label = value === "removed" ? null : value;
  for (const id of [`match-${match.row}`, `spot-${match.row}`]) {
    const element = get(id);
    if (element) showLabel(element, match);
  }
}

// a line for each camera; without times, matches stand at their frames
function showTimeline(matches) {
  const moment = (match) => match.time ?? (match.frame >= 0 ? match.frame : null);
  const hasTimes = matches.some((match) => match.time !== null);
  const placed = matches.filter((match) => (hasTimes ? match.time !== null : moment(match) !== null));
  const moments = placed.map(moment);
  const first = Math.min(...moments);
  const last = Math.max(...moments);
  const lines = [...new Set(placed.map((match) => match.camera))].sort((a, b) => a - b).map((camera) => {
    const track = make("div", { className: "track" });
    for (const match of placed.filter((one) => one.camera === camera).reverse()) {
      const spot = make("button", { type: "button", id: `spot-${match.row}`, title: placeText(match) }, crop(match));
      spot.style.left = `${last > first ? (100 * (moment(match) - first)) / (last - first) : 50}%`;
      spot.onclick = () => showMatch(match.row);
      showLabel(spot, match);
      track.append(spot);
    }
    return make("div", { className: "line" }, make("span", {}, cameraName(camera)), track);
  });
  const name = (value) => (hasTimes ? timeText(value) : `frame ${value}`);
  if (placed.length) {
    lines.push(make("div", { className: "axis" }, make("span", {}, name(first)), make("span", {}, name(last))));
  }
  get("timeline").replaceChildren(...lines);
}

function showMatch(row) {
  for (const card of document.querySelectorAll(".card.found")) card.classList.remove("found");
  const card = get(`match-${row}`);
  card.classList.add("found");
  card.scrollIntoView({ block: "center" });
  card.querySelector("button").focus({ preventScroll: true });
}

async function showFrame(row) {
  const answer = await fetch(`/frame/${row.row}`);
  if (!answer.ok) return tell(new Error((await answer.json()).error));
  return showImage(await answer.blob(), row.name, row.box);
}

// show an image with the box that is known, and search for what the user draws a box around
async function showImage(blob, name, known = null) {
  const bitmap = await createImageBitmap(blob);
  const canvas = get("canvas");
  const context = canvas.getContext("2d");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const outline = (color, x, y, width, height) => {
    context.strokeStyle = color;
    context.lineWidth = Math.max(2, canvas.width / 300);
    context.strokeRect(x, y, width, height);
  };
  const draw = () => {
    context.drawImage(bitmap, 0, 0);
    if (known) outline("#ffa000", known[0], known[1], known[2] - known[0], known[3] - known[1]);
  };
  draw();
  get("frame").hidden = false;
  get("frame").scrollIntoView({ block: "start" });
  let start = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const corners = (event) => {
    const end = place(event);
    const [x, y] = [0, 1].map((axis) => Math.max(0, Math.min(start[axis], end[axis])));
    const [right, below] = [0, 1].map((axis) => Math.max(start[axis], end[axis]));
    return [x, y, Math.min(right, canvas.width) - x, Math.min(below, canvas.height) - y];
  };
  canvas.onpointerdown = (event) => {
    start = place(event);
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!start) return;
    draw();
    outline("#ffff00", ...corners(event));
  };
  const searchBox = ([x, y, width, height]) => {
    if (width < 4 || height < 4) return;
    const cut = make("canvas", { width, height });
    cut.getContext("2d").drawImage(bitmap, x, y, width, height, 0, 0, width, height);
    cut.toBlob((part) => searchImage(part, `${name} [${x}, ${y}, ${x + width}, ${y + height}]`), "image/png");
  };
  canvas.onpointerup = (event) => {
    if (!start) return;
    const box = corners(event).map(Math.round);
    start = null;
    searchBox(box);
  };
  const box = (known || [0.4, 0.25, 0.6, 0.75].map((part, i) => part * [canvas.width, canvas.height][i % 2])).map(Math.round);
  canvas.onkeydown = (event) => {
    const sides = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] }[event.key];
    if (!sides && event.key !== "Enter") return;
    event.preventDefault();
    const inside = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
    if (!sides) return searchBox(inside);
    const [axis, sign] = sides;
    const most = [canvas.width, canvas.height][axis];
    const step = sign * Math.max(1, Math.round(most / 100));
    // Shift moves the right and lower sides only
    const by = Math.max(event.shiftKey ? box[axis] + 4 - box[axis + 2] : -box[axis], Math.min(step, most - box[axis + 2]));
    if (!event.shiftKey) box[axis] += by;
    box[axis + 2] += by;
    draw();
    outline("#ffff00", box[0], box[1], box[2] - box[0], box[3] - box[1]);
  };
}

function takeFile(file) {
  if (!file) return;
  searchImage(file, file.name);
  showImage(file, file.name).catch(() => {});
}

function prepare() {
  get("camera").onchange = () => {
    state.skip = 0;
    loadRows().catch(tell);
  };
  get("back").onclick = () => turn(-1);
  get("next").onclick = () => turn(1);
  get("where").onchange = () => state.repeat();
  get("file").onchange = (event) => takeFile(event.target.files[0]);
  const drop = get("drop");
  document.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  document.ondragleave = () => drop.classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (state.overview.has_network) takeFile(event.dataTransfer.files[0]);
  };
}

async function begin() {
  prepare();
  state.overview = await ask("/api/overview");
  const { rows, identities, cameras, has_network: hasNetwork } = state.overview;
  get("overview").textContent = `${rows} rows, ${cameras.length} cameras, ${identities} identities`;
  get("drop").hidden = !hasNetwork;
  for (const { camera, rows: count } of cameras) {
    for (const id of ["camera", "where"]) {
      get(id).append(make("option", { value: camera }, `${cameraName(camera)} (${count})`));
    }
  }
  await loadRows();
}

begin().catch(tell);
