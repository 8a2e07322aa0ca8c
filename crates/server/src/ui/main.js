// The page: files in, cards out, a few at a time.

import { Card } from "./card.js";
import { element } from "./element.js";
import { keyForm } from "./key.js";
import { Service } from "./service.js";
import * as words from "./words.js";

/** Uploads at a time: enough to keep a server busy, not so many that others wait. */
const AT_A_TIME = 3;

/** Time in which results are gathered into one announcement, in milliseconds. */
const ANNOUNCEMENT_PAUSE = 700;

const at = (id) => document.getElementById(id);
const service = new Service(keyForm(document.querySelector("main"), at("drop")));
const cards = new Set();
const queue = [];
let running = 0;
let finished = 0;
let stopping = new AbortController();

function add(files) {
  if (files.length === 0) return;
  at("results-section").hidden = false;
  for (const file of files) {
    const card = new Card(file);
    cards.add(card);
    at("cards").append(card.item);
    queue.push(card);
  }
  next();
}

function next() {
  while (running < AT_A_TIME && queue.length > 0) void run(queue.shift());
  showProgress();
}

async function run(card) {
  const { signal } = stopping;
  running += 1;
  card.waiting("Looking at it");
  try {
    const onWait = (seconds, isBusy) =>
      card.waiting(`${isBusy ? "The server is busy" : "No answer"}: trying again in ${seconds} s`);
    const answer = await service.predict(card.file, { signal, onWait });
    if (signal.aborted) return;
    card.answered(answer);
    const { class: label, confidence, drift } = answer.body;
    announce(card, `${words.name(label)}, ${words.percent(confidence)} sure. ${words.verdict(drift).title}.`);
  } catch (error) {
    if (signal.aborted) return;
    card.failed(error, () => again(card));
    announce(card, `not classified. ${words.sentence(error.message)}`);
  } finally {
    if (!signal.aborted) {
      running -= 1;
      finished += 1;
      next();
    }
  }
}

/** The button that was pressed goes with the error, so the focus needs another place. */
function again(card) {
  finished -= 1;
  card.waiting("Waiting for its turn");
  card.item.tabIndex = -1;
  card.item.focus();
  queue.push(card);
  next();
}

function clear() {
  stopping.abort();
  stopping = new AbortController();
  for (const card of cards) card.remove();
  cards.clear();
  queue.length = 0;
  running = 0;
  finished = 0;
  at("results-section").hidden = true;
  at("drop").focus();
}

function showProgress() {
  const all = cards.size;
  at("progress").max = Math.max(all, 1);
  at("progress").value = finished;
  at("progress").hidden = finished === all;
  at("count").textContent = finished === all ? words.images(all) : `${finished} of ${words.images(all)}`;
}

let news = [];
let announcing = 0;

function announce(card, text) {
  news.push(`${card.file.name}: ${text}`);
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const summary = `${words.images(news.length)} finished, ${finished} of ${cards.size} in all.`;
    at("announcer").textContent = news.length > 3 ? summary : news.join(" ");
    news = [];
  }, ANNOUNCEMENT_PAUSE);
}

async function describe() {
  try {
    const model = await service.model();
    const { reference } = model;
    const facts = [
      ["Model", `${model.name} ${model.version}`],
      ["Classes", model.spec.labels.map(words.name).join(", ")],
      ["Compared with", reference ? `${reference.images} training images` : "nothing: the server has no reference"],
    ];
    if (reference?.alpha) facts.push(["False alarms", words.percent(reference.alpha)]);
    facts.push(["Runs on", model.device.toUpperCase()]);
    at("facts").replaceChildren(
      ...facts.map(([term, text]) => element("div", "", {}, element("dt", "", {}, term), element("dd", "", {}, text))),
    );
  } catch (error) {
    say(`What is served here is not known: ${error.message}`);
  }
}

function say(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

/** The files of a drop; a folder in it is named, since a browser gives no content for it. */
function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
  say(folders.length ? "Folders cannot be dropped: open the folder and drop the images in it." : "");
  return items.filter((item) => !folders.includes(item)).map((item) => item.getAsFile()).filter(Boolean);
}

at("drop").addEventListener("click", () => at("files").click());
at("files").addEventListener("change", () => {
  add([...at("files").files]);
  at("files").value = "";
});
at("clear").addEventListener("click", clear);

let entered = 0;
const dragging = (change) => {
  entered = Math.max(0, entered + change);
  document.body.classList.toggle("dragging", entered > 0);
};
document.addEventListener("dragenter", () => dragging(1));
document.addEventListener("dragleave", () => dragging(-1));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  dragging(-entered);
  add(dropped(event.dataTransfer));
});
document.addEventListener("paste", (event) => {
  if (event.target instanceof HTMLInputElement) return;
  add([...event.clipboardData.files]);
});

void describe();
