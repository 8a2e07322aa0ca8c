// What `/drift` says, in words and tables.

import { breakable, element } from "./element.js";
import * as words from "./words.js";

const VERDICTS = {
  stable: { kind: "familiar", title: "Nothing has changed" },
  drifting: { kind: "unusual", title: "What comes in has changed" },
  insufficient_data: { kind: "unknown", title: "Too early to say" },
};

const TESTS = {
  appearance: "Appearance",
  properties: "The picture",
  class_mix: "Mix of classes",
  repetition: "Repetition",
};

/** A kind for the looks, and a title. */
export function verdict({ verdict: name, appearance }) {
  if (name === "drifting" && appearance !== "drifting") return { kind: "unusual", title: "The mix of classes has changed" };
  return VERDICTS[name] ?? { kind: "unknown", title: name };
}

const ADVICE = {
  look: "Look at camera, light and part.",
  retrain: "A new model or reference is advised.",
  look_at_mix: "Look at why the classes come in another mix.",
};

/** What to do, in a word. */
export function advice({ advice: name }) {
  return ADVICE[name] ?? "";
}

/** A share with its interval. */
export function share({ images, share: value, interval }) {
  if (images === 0) return "–";
  return `${words.percent(value)} (${words.percent(interval.low)} to ${words.percent(interval.high)})`;
}

/** Accuracy without labels. */
function accuracy({ accuracy: { value, interval }, message }) {
  if (value === null) return words.sentence(message);
  return `${words.percent(value)} (${words.percent(interval.low)} to ${words.percent(interval.high)}) of decisions on images in distribution`;
}

export function reasons(list) {
  return list.map(({ test, message, since, stream }) => {
    const where = stream === null ? "" : ` In stream ${words.name(stream)}.`;
    return element("li", "", {}, element("strong", "", {}, TESTS[test] ?? test), ` ${words.sentence(message)}${where} Since ${time(since.time_ms)}.`);
  });
}

/** Terms and texts. */
export function facts(drift) {
  const { window: last, epoch, evidence, pair } = drift;
  const list = [];
  if (last) list.push([`Of the last ${words.images(last.recent.images)}`, `${share(last.recent)} out of distribution`]);
  if (last) list.push(["Expected without drift", words.percent(last.expected_share)]);
  if (drift.expected_accuracy) list.push(["Expected accuracy", accuracy(drift.expected_accuracy)]);
  if (evidence) list.push(["Groups", `${evidence.groups.toLocaleString("en")} tested in this epoch`]);
  list.push(["Images", `${epoch.images.toLocaleString("en")} in epoch ${epoch.number}, ${drift.images_ever.toLocaleString("en")} ever`]);
  if (drift.last_image_ms !== null) list.push(["Last image", time(drift.last_image_ms)]);
  list.push(["Model and reference", `${pair.model_sha256.slice(0, 8)} / ${pair.reference_sha256.slice(0, 8)}`]);
  return list.map(([term, text]) => element("div", "", {}, element("dt", "", {}, term), element("dd", "", {}, text)));
}

export function classes(list) {
  const rows = list.map((one) => [
    words.name(one.class),
    one.images.toLocaleString("en"),
    share(one.recent),
    share(one.epoch),
    words.percent(one.recent_mix),
    words.percent(one.calibration_mix),
    one.expected_mix === null ? "–" : words.percent(one.expected_mix),
  ]);
  const head = ["Class", "Images in this epoch", "Out of distribution lately", "In this epoch", "Of the last images", "Of the calibration", "Expected"];
  return table(head, rows);
}

export function properties(list) {
  return list.map(({ message }) => element("li", "", {}, words.sentence(message)));
}

export function streams(list) {
  const rows = list.map((one) => [
    one.stream === null ? "not named" : words.name(one.stream),
    (VERDICTS[one.verdict] ?? { title: one.verdict }).title,
    share(one.judged),
    one.groups.toLocaleString("en"),
    one.evidence === null ? "–" : words.number(one.evidence),
    one.last_image_ms === null ? "–" : time(one.last_image_ms),
  ]);
  return table(["Stream", "Verdict", "Out of distribution", "Groups", "Evidence", "Last image"], rows);
}

export function strangest(list) {
  const rows = list.map((image) => {
    const [nearest] = image.neighbors;
    return [
      time(image.time_ms),
      breakable(image.request_id),
      words.name(image.predicted_class),
      image.p_value === null ? "–" : words.number(image.p_value),
      words.number(image.score),
      nearest ? [...breakable(nearest.id), ` (${words.number(nearest.distance)})`] : "–",
    ];
  });
  return table(["When", "Request", "Class", "p-value", "Score", "Nearest training image (distance)"], rows);
}

/** The parts of a table; each cell knows its column's name, which narrow windows show beside it. */
function table(head, rows) {
  const cell = (content, column) =>
    element("td", "", { "data-column": head[column] }, ...(Array.isArray(content) ? content : [content]));
  const titles = head.map((text) => element("th", "", { scope: "col" }, text));
  return [
    element("thead", "", {}, element("tr", "", {}, ...titles)),
    element("tbody", "", {}, ...rows.map((row) => element("tr", "", {}, ...row.map(cell)))),
  ];
}

/** A moment: of today its time, of other days the day too. */
export function time(milliseconds) {
  const moment = new Date(milliseconds);
  const isToday = moment.toDateString() === new Date().toDateString();
  return isToday ? moment.toLocaleTimeString() : moment.toLocaleString();
}
