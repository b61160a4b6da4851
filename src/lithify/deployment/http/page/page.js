"use strict";
// Everything on this page comes from the server's own routes, /v1 and what is below it.

const $ = (id) => document.getElementById(id);
const SHOWN = 10;
const state = { models: [], model: null, file: null, url: null };

// Building: elements are made, never HTML from strings, so that nothing in an answer is ever read as markup.

function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share > 0.9995) return "> 99.9 %";
  if (share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

function figure(value) {
  if (value === null || !Number.isFinite(value)) return "?";
  return Math.abs(value) >= 1e7 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(3)
    : value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1e4 ? 6 : 4 });
}

// Talking to the server

class Refused extends Error {}

function sentence(body, status) {
  const error = body && body.error;
  if (!error) return `The server answered ${status}.`;
  if (typeof error === "string") return error;
  const parts = [error.message];
  if (error.expected) parts.push(`Expected: ${error.expected}.`);
  if (error.found) parts.push(`Found: ${error.found}.`);
  if (error.hint) parts.push(error.hint);
  return parts.join(" ");
}

async function ask(path, options = {}, why = "") {
  const token = sessionStorage.getItem("lithify-token");
  const headers = { Accept: "application/json", ...(options.headers || {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused("The server cannot be reached. Is it still running?");
  }
  if (response.status === 401) {
    await door(why || (token ? "That token is not known here. It stays in this tab until you close it." : ""));
    return ask(path, options, "That token is not known here. It stays in this tab until you close it.");
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    throw new Refused(`The server answered ${response.status} with something that cannot be read.`);
  }
  if (!response.ok) throw new Refused(sentence(body, response.status));
  return body;
}

function door(why) {
  if (why) $("door-why").textContent = why;
  $("token").value = "";
  const dialog = $("door");
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      const token = $("token").value.trim();
      if (!token) return reject(new Refused("Without a token this server tells nothing. Reload the page to give one."));
      sessionStorage.setItem("lithify-token", token);
      resolve();
    };
  });
}

// Choosing a model

async function start() {
  try {
    state.models = (await ask("/v1")).models;
  } catch (error) {
    $("title").textContent = "No models";
    return alarm(error);
  }
  if (!state.models.length) {
    $("title").textContent = "No models";
    $("about").textContent = "Nothing is served here that you may use.";
    return;
  }
  $("models").replaceChildren(
    ...state.models.map((model) => el("a", { href: `#${encodeURIComponent(model.name)}` }, model.name))
  );
  await follow();
}

// The fragment names the model, and after a slash what to do at once: #spam, #spam/example, #spam/explain
async function follow() {
  const [name, action] = decodeURIComponent(location.hash.slice(1)).split("/");
  const found = state.models.find((model) => model.name === name) || state.models[0];
  if (!found) return;
  if (!state.model || state.model.name !== found.name) await choose(found.name);
  if (action && state.model) {
    fill();
    await send(action === "explain" ? "explain" : "predict");
  }
}

async function choose(name) {
  $("answer").replaceChildren();
  try {
    state.model = await ask(`/v1/${encodeURIComponent(name)}`);
  } catch (error) {
    return alarm(error);
  }
  const { kind, task, labels, card } = state.model;
  document.title = `${name} · Lithify`;
  for (const link of $("models").children) {
    if (link.textContent === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const words = { table: "a row of a table", mail: "a message", text: "a text", image: "an image" }[kind];
  const some = labels.length > 8 ? `${labels.slice(0, 8).join(", ")} and ${labels.length - 8} more` : labels.join(", ");
  $("title").textContent = name;
  $("about").textContent = task === "regression"
    ? `Predicts a value from ${words}. Trained on ${card.rows.toLocaleString("en")} rows.`
    : `Tells of ${words} which it is: ${some}. Trained on ${card.rows.toLocaleString("en")} rows.`;
  clear();
  $("inputs").replaceChildren(...({ table: tableForm, mail: textForm, text: textForm, image: imageForm }[kind])());
}

// Forms

function tableForm() {
  const inputs = state.model.fields.map(({ name, kind }, at) => {
    const id = `field-${at}`;
    const known = state.model.values[name] || [];
    let input;
    let list = null;
    if (kind === "boolean") {
      input = el("select", { id }, el("option", { value: "" }, "missing"), el("option", { value: "true" }, "true"), el("option", { value: "false" }, "false"));
    } else if (kind === "text") {
      input = el("textarea", { id, class: "small" });
    } else if (kind === "category") {
      input = el("input", { id, list: `${id}-known`, autocomplete: "off", placeholder: known.slice(0, 2).join(", ") + (known.length > 2 ? ", …" : "") });
      list = el("datalist", { id: `${id}-known` }, ...known.map((value) => el("option", { value })));
    } else {
      input = el("input", { id, inputmode: kind === "number" ? "decimal" : "text", autocomplete: "off", placeholder: known.length ? `such as ${known[Math.floor(known.length / 2)]}` : "" });
    }
    const label = el("label", { for: id }, name, " ", el("span", { class: "soft" }, kind));
    return el("div", kind === "text" ? { class: "wide" } : {}, label, input, list);
  });
  return [el("div", { class: "fields" }, ...inputs), chooser("Or drop a CSV of many rows anywhere here, or", ".csv,.tsv,.jsonl,.ndjson")];
}

function textForm() {
  const words = state.model.kind === "mail" ? "Message, with its headers" : "Text";
  const area = el("textarea", { id: "text", spellcheck: "false", placeholder: `Type or paste ${state.model.kind === "mail" ? "a message" : "a text"} here, or drop files.` });
  return [el("label", { for: "text" }, words), area, chooser("Files can be dropped here, or", "", true)];
}

function imageForm() {
  const preview = el("div", { id: "preview" });
  return [el("div", { class: "drop" }, preview, chooser("Drop or paste an image here, or", "image/*", true))];
}

function chooser(words, accept, multiple = false) {
  const input = el("input", { type: "file", id: "file", class: "hidden", accept: accept || false, multiple });
  input.addEventListener("change", () => take([...input.files]));
  return el("div", { class: "soft hint" }, `${words} `, input, el("label", { for: "file", class: "button" }, "choose a file"));
}

function clear() {
  state.file = null;
  if (state.url) URL.revokeObjectURL(state.url);
  state.url = null;
  const preview = $("preview");
  if (preview) preview.replaceChildren();
}

function fill() {
  clear();
  const body = state.model.example.body;
  if (state.model.kind === "table") {
    state.model.fields.forEach(({ name }, at) => { $(`field-${at}`).value = body[name] === undefined ? "" : String(body[name]); });
  } else if (state.model.kind === "image") {
    const bytes = Uint8Array.from(atob(body.image), (letter) => letter.charCodeAt(0));
    preview(new File([bytes], "example.png", { type: "image/png" }));
  } else {
    $("text").value = body.message || body.text;
  }
}

function preview(file) {
  clear();
  state.file = file;
  state.url = URL.createObjectURL(file);
  const image = el("img", { src: state.url, alt: file.name || "the image" });
  image.onload = () => image.classList.toggle("tiny", image.naturalWidth <= 128);
  image.onerror = () => $("preview").replaceChildren(el("p", {}, file.name || "An image"), el("p", { class: "soft" }, "This browser cannot show it, the model may still read it."));
  $("preview").replaceChildren(image);
}

async function take(files) {
  if (!files.length || !state.model) return;
  const { kind } = state.model;
  if (files.length > 1 || kind === "table") {
    const form = new FormData();
    files.forEach((file) => form.append("file", file));
    return post("predict", form, {});
  }
  const [file] = files;
  if (kind === "image") {
    preview(file);
    return send("predict");
  }
  state.file = file;
  $("text").value = (await file.slice(0, 200000).text()) + (file.size > 200000 ? "\n…" : "");
  return send("predict");
}

// Sending

function row() {
  const cells = {};
  state.model.fields.forEach(({ name, kind }, at) => {
    const said = $(`field-${at}`).value;
    if (said.trim() === "") cells[name] = null;
    else if (kind === "boolean") cells[name] = said === "true";
    else if (kind === "number" && Number.isFinite(Number(said))) cells[name] = Number(said);
    else cells[name] = said;
  });
  return cells;
}

async function send(verb) {
  if (!state.model) return;
  const { kind } = state.model;
  if (kind === "table") return post(verb, JSON.stringify(row()), { "Content-Type": "application/json" });
  if (kind === "image") {
    if (!state.file) return alarm(new Refused("There is no image yet. Drop one, paste one, or choose a file."));
    return post(verb, state.file, { "Content-Type": state.file.type || "application/octet-stream" });
  }
  const body = state.file || $("text").value;
  if (!state.file && !body.trim()) return alarm(new Refused("There is nothing to judge yet. Type or paste something."));
  return post(verb, body, { "Content-Type": kind === "mail" ? "message/rfc822" : "text/plain" });
}

async function post(verb, body, headers) {
  const buttons = document.querySelectorAll("#form button");
  buttons.forEach((button) => { button.disabled = true; });
  const { name } = state.model;
  try {
    const found = await ask(`/v1/${encodeURIComponent(name)}/${verb}`, { method: "POST", body, headers });
    if (state.model.name === name) await show(found);
  } catch (error) {
    alarm(error);
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

// Showing

function alarm(error) {
  const words = error instanceof Refused ? error.message : "Something in this page failed. Reload it and try again.";
  $("answer").replaceChildren(el("p", { class: "alert", role: "alert" }, words));
}

async function show(found) {
  const parts = found.predictions ? several(found) : one(found);
  if (found.contributions) parts.push(...(await explained(found)));
  parts.push(el("p", { class: "digest soft" }, "Model ", el("code", {}, found.model)));
  $("answer").replaceChildren(...parts);
}

function one(found) {
  if (found.label === undefined) return value(found);
  const shares = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]);
  const said = found.verdict || found.label;
  const beside = found.verdict && found.verdict !== found.label ? `looks like ${found.label}` : percent(found.probabilities[found.label]);
  const parts = [el("p", { class: "says" }, said, el("small", {}, beside))];
  if (found.novelty !== undefined && found.novelty >= 0.99) {
    parts.push(el("p", { class: "warn" }, "This is unlike anything the model was trained on: its label is no answer."));
  }
  parts.push(bars(shares.slice(0, SHOWN), found.label));
  if (shares.length > SHOWN) parts.push(el("p", { class: "soft" }, `and ${shares.length - SHOWN} less probable labels`));
  if (found.labels) {
    const words = found.labels.length === 1 ? "Only this label is in its set" : "Labels that cannot be ruled out";
    parts.push(el("p", {}, `${words}: `, el("strong", {}, found.labels.join(", "))));
  }
  if (found.novelty !== undefined) parts.push(el("p", { class: "soft" }, `More unusual than ${percent(found.novelty)} of familiar inputs.`));
  return parts;
}

function value(found) {
  const parts = [el("p", { class: "says" }, figure(found.value))];
  if (found.interval) {
    const [low, high] = found.interval;
    const words = low === null || high === null
      ? "Too few rows were there to say how far off it may be."
      : `Most likely between ${figure(low)} and ${figure(high)}.`;
    parts.push(el("p", {}, words));
  }
  return parts;
}

function bars(shares, best) {
  const rows = shares.flatMap(([label, share]) => {
    const bar = el("div");
    bar.style.width = `${100 * share}%`;
    const kind = label === best ? "best" : "";
    return [el("dt", { class: kind }, label), el("dd", { class: "track", "aria-hidden": "true" }, bar), el("dd", { class: `share ${kind}` }, percent(share))];
  });
  return el("dl", { class: "bars" }, ...rows);
}

function several(found) {
  const shown = found.predictions.slice(0, 1000);
  const rows = shown.map((each, at) => {
    const name = each.input || String(at + 1);
    if (each.problem) return el("tr", {}, el("td", {}, name), el("td", { colspan: 2 }, each.problem));
    const said = each.label === undefined ? figure(each.value) : each.verdict || each.label;
    const share = each.label !== undefined ? percent(each.probabilities[each.label])
      : each.interval ? `${figure(each.interval[0])} to ${figure(each.interval[1])}` : "";
    return el("tr", {}, el("td", {}, name), el("td", {}, said), el("td", { class: "number" }, share));
  });
  const count = found.predictions.length;
  const head = el("tr", {}, el("th", {}, "input"), el("th", {}, "says"), el("th", { class: "number" }, ""));
  return [
    el("p", { class: "says" }, `${count.toLocaleString("en")} ${count === 1 ? "prediction" : "predictions"}`),
    ...(found.notes || []).map((note) => el("p", { class: "soft" }, note)),
    el("div", { class: "scroll", tabindex: "0" }, el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))),
    ...(count > shown.length ? [el("p", { class: "soft" }, `The first ${shown.length.toLocaleString("en")} are shown.`)] : []),
  ];
}

async function explained(found) {
  const target = found.explained === null ? "a higher value" : found.explained;
  const parts = [
    el("h3", {}, "What pushed it which way"),
    el("p", { class: "soft" }, el("span", { class: "key towards" }), `towards ${target}`, el("span", { class: "key" }), "away from it"),
  ];
  if (found.heat && state.file) {
    const canvas = await heated(state.file, found.heat);
    if (canvas) parts.push(canvas);
  }
  const items = found.contributions;
  const shown = items.slice(0, found.heat ? 6 : 12);
  const rest = items.slice(shown.length).reduce((sum, item) => sum + item.weight, 0);
  const largest = Math.max(...items.map((item) => Math.abs(item.weight)), 1e-300);
  const line = (weight, words, bar, kind = "") => {
    const push = el("div", bar ? { class: `push ${weight > 0 ? "towards" : ""}` } : {});
    push.style.width = `${Math.max(2, (100 * Math.abs(weight)) / largest)}%`;
    const size = found.explained === null ? figure(Math.abs(weight)) : Math.abs(weight).toFixed(3);
    return [el("dt", { class: kind }, `${weight < 0 ? "−" : "+"}${size}`), el("dd", { "aria-hidden": "true" }, bar ? push : ""), el("dd", { class: kind }, words)];
  };
  const lines = shown.flatMap((item) => line(item.weight, item.text.trim() || "(blank)", true));
  if (items.length > shown.length) lines.push(...line(rest, items.length - shown.length === 1 ? "1 weaker one" : `${items.length - shown.length} weaker ones`, false));
  lines.push(...line(found.base, "base: where nothing is known", false));
  lines.push(...line(found.score, found.explained === null ? "what is predicted" : "score", false, "sum"));
  parts.push(el("dl", { class: "pushes" }, ...lines));
  return parts;
}

// The square in the middle of the picture in faded grey, and its cells over it, the denser the more they weigh.
async function heated(file, heat) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return null;
  }
  const side = 352;
  const canvas = el("canvas", { width: side, height: side, role: "img", "aria-label": "Which parts of the image counted" });
  const pen = canvas.getContext("2d");
  const short = Math.min(picture.width, picture.height);
  pen.imageSmoothingEnabled = short > 128;
  pen.filter = "grayscale(1) contrast(.5) brightness(1.5)";
  pen.drawImage(picture, (picture.width - short) / 2, (picture.height - short) / 2, short, short, 0, 0, side, side);
  pen.filter = "none";
  const largest = Math.max(...heat.flat().map(Math.abs)) || 1;
  const size = side / heat.length;
  heat.forEach((cells, y) => cells.forEach((weight, x) => {
    pen.globalAlpha = 0.86 * Math.min(1, Math.abs(weight) / largest);
    pen.fillStyle = weight > 0 ? "rgb(200 92 46)" : "rgb(4 134 211)";
    pen.fillRect(x * size, y * size, size + 0.5, size + 0.5);
  }));
  return canvas;
}

// Wiring

$("form").addEventListener("submit", (event) => { event.preventDefault(); send("predict"); });
$("form").addEventListener("reset", () => { clear(); $("answer").replaceChildren(); });
$("form").addEventListener("input", (event) => { if (event.target.id === "text") state.file = null; });
$("explain").addEventListener("click", () => send("explain"));
$("example").addEventListener("click", () => { if (state.model) fill(); });
$("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send("predict"); }
});
window.addEventListener("hashchange", follow);
const zone = () => document.querySelector(".drop") || $("form");
document.addEventListener("dragover", (event) => { event.preventDefault(); zone().classList.add("over"); });
document.addEventListener("dragleave", () => zone().classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  zone().classList.remove("over");
  take([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  if (!state.model || state.model.kind !== "image") return;
  const files = [...event.clipboardData.files];
  if (files.length) { event.preventDefault(); take(files); }
});
start();
