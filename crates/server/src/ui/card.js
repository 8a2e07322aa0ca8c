// A card: one image and what became of it. Names and messages only ever become text, never markup.

import { breakable, element } from "./element.js";
import * as words from "./words.js";

let cards = 0;

export class Card {
  constructor(file) {
    cards += 1;
    const id = `card-${cards}`;
    this.file = file;
    this.url = URL.createObjectURL(file);
    const title = element("h3", "file-name", { id }, file.name || "pasted image");
    const size = element("p", "file-size", {}, words.fileSize(file.size));
    this.body = element("div", "card-body");
    const text = element("div", "card-text", {}, title, size, this.body);
    this.item = element("li", "card", { "aria-labelledby": id }, this.thumbnail(), text);
    this.waiting("Waiting for its turn");
  }

  thumbnail() {
    const frame = element("div", "thumbnail");
    const image = element("img", "", { alt: "", decoding: "async", src: this.url });
    // Browsers show no TIFF, and nobody shows a damaged file.
    image.addEventListener("error", () => frame.replaceChildren(extension(this.file.name)), { once: true });
    frame.append(image);
    return frame;
  }

  show(state, ...children) {
    this.item.dataset.state = state;
    this.body.replaceChildren(...children);
  }

  waiting(text) {
    this.show("waiting", element("p", "waiting", {}, text));
  }

  answered({ body, timing }) {
    const drift = body.drift;
    const verdict = words.verdict(drift);
    this.item.dataset.verdict = verdict.kind;
    this.show(
      "done",
      element("p", "class", {}, words.name(body.class)),
      confidence(body),
      element(
        "div",
        `verdict ${verdict.kind}`,
        {},
        element("p", "verdict-title", {}, verdict.title),
        element("p", "verdict-text", {}, verdict.text),
        ...(drift ? [score(drift)] : []),
      ),
      ...(drift?.neighbors.length ? [neighbors(drift.neighbors)] : []),
      details(body, timing),
    );
  }

  failed(error, again) {
    const retry = element("button", "quiet", { type: "button" }, "Try again");
    retry.addEventListener("click", again, { once: true });
    const message = element("p", "error-text", {}, words.sentence(error.message));
    const code = element("p", "error-code", {}, error.code ?? "");
    this.show("failed", element("div", "error", {}, element("p", "error-title", {}, "Not classified"), message, code), retry);
  }

  remove() {
    URL.revokeObjectURL(this.url);
    this.item.remove();
  }
}

function extension(fileName) {
  const match = /\.([a-z0-9]{1,5})$/i.exec(fileName);
  return element("span", "extension", { "aria-hidden": "true" }, match ? match[1].toUpperCase() : "?");
}

function confidence(body) {
  const text = words.percent(body.confidence);
  const filled = element("span", "meter-filled");
  filled.style.inlineSize = `${body.confidence * 100}%`;
  const meter = element("div", "meter", {
    role: "meter", "aria-label": "Confidence", "aria-valuemin": "0", "aria-valuemax": "1",
    "aria-valuenow": body.confidence, "aria-valuetext": text,
  }, filled);
  return element("div", "confidence", {}, meter, element("span", "confidence-text", {}, `${text} sure`));
}

/** The score beside its threshold, drawn and in numbers. */
function score(drift) {
  const parts = [`Score ${words.number(drift.score)}`];
  if (drift.threshold === null) return element("p", "numbers", {}, parts[0]);
  parts.push(`threshold ${words.number(drift.threshold)}`, `p-value ${words.number(drift.p_value)}`);
  // From zero where all is positive, as distances are; other scores have no natural end.
  const width = Math.max(Math.abs(drift.threshold), Math.abs(drift.score - drift.threshold)) * 1.05 || 1;
  const start = drift.threshold < 0 || drift.score < 0 ? Math.min(drift.threshold - width, drift.score) : 0;
  const end = Math.max(drift.threshold + width, drift.score);
  const at = (value) => `${((value - start) / (end - start)) * 100}%`;
  const point = element("span", "scale-point");
  point.style.insetInlineStart = at(drift.score);
  const limit = element("span", "scale-limit");
  limit.style.insetInlineStart = at(drift.threshold);
  const scale = element("div", "scale", { "aria-hidden": "true" }, limit, point);
  return element("div", "", {}, scale, element("p", "numbers", {}, parts.join(" · ")));
}

function neighbors(list) {
  const head = ["Nearest training images", "Class", "Distance"];
  const rows = list.map(({ id, label, distance }) =>
    element(
      "tr",
      "",
      {},
      element("td", "", {}, ...breakable(id)),
      element("td", "", {}, label === null ? "–" : words.name(label)),
      element("td", "figure", {}, words.number(distance)),
    ),
  );
  const cells = head.map((text, i) => element("th", i === 2 ? "figure" : "", { scope: "col" }, text));
  return element("table", "neighbors", {}, element("thead", "", {}, element("tr", "", {}, ...cells)), element("tbody", "", {}, ...rows));
}

function details(body, header) {
  const { total, stages } = words.timing(header);
  const list = element("dl", "details");
  const add = (term, parts) => list.append(element("dt", "", {}, term), element("dd", "", {}, parts.join(", ")));
  const probabilities = Object.entries(body.probabilities);
  add("Probabilities", probabilities.map(([label, share]) => `${words.name(label)} ${words.percent(share)}`));
  if (stages.length > 0) add("Time", stages.map(({ label, time }) => `${label} ${words.milliseconds(time)}`));
  if (body.drift) add("Drift score", [body.drift.method]);
  add("Model", [`${body.model.name} ${body.model.version}`]);
  const title = total === undefined ? "Details" : `Answered in ${words.milliseconds(total)}`;
  return element("details", "", {}, element("summary", "", {}, title), list);
}
