// The page that watches: it asks every few seconds while somebody looks at it.

import { Curve } from "./curve.js";
import * as say from "./drift.js";
import { keyForm } from "./key.js";
import { Refusal, Service } from "./service.js";
import * as words from "./words.js";

/** Time between two looks, in milliseconds. */
const PERIOD = 3000;

/** The same while the server does not answer. */
const LONGEST_PERIOD = 30_000;

const at = (id) => document.getElementById(id);
const service = new Service(keyForm(document.querySelector("main"), at("verdict")));
const curves = {
  share: new Curve(at("share"), { name: "Share of images out of distribution", isShare: true }),
  evidence: new Curve(at("evidence"), { name: "Evidence of drift", isLogarithmic: true }),
};
let shown = null;
let seen = null;
let failures = 0;
let timer = 0;

async function look() {
  clearTimeout(timer);
  try {
    const drift = await service.drift(waiting);
    const isNew = seen === null || drift.images_ever !== seen.images || drift.epoch.number !== seen.epoch;
    if (isNew) showHistory(drift, await service.history(waiting));
    show(drift);
    seen = { images: drift.images_ever, epoch: drift.epoch.number };
    failures = 0;
    notice(drift.recording.available ? "" : `New predictions are not being recorded: ${words.sentence(drift.recording.reason)}`);
    at("age").textContent = `As of ${say.time(Date.now())}; looked at every ${PERIOD / 1000} s.`;
  } catch (error) {
    failures += 1;
    failed(error);
  }
  schedule(Math.min(PERIOD * 2 ** Math.min(failures, 4), failures ? LONGEST_PERIOD : PERIOD));
}

function schedule(milliseconds) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, milliseconds);
}

function waiting(seconds, isBusy) {
  notice(`${isBusy ? "The server is busy" : "No answer"}: trying again in ${seconds} s. ${old()}`);
}

function failed(error) {
  const text = error instanceof Refusal ? words.sentence(error.message) : "The answer could not be shown.";
  if (error.code === "no_monitor") at("numbers").hidden = at("verdict").hidden = true;
  notice(`${text} ${error.code === "no_monitor" ? "" : old()}`);
  if (!(error instanceof Refusal)) throw error;
}

/** What is still on the page may be wrong by now. */
function old() {
  return shown === null ? "" : "What stands below is from before.";
}

function notice(text) {
  if (at("notice").textContent !== text) at("notice").textContent = text;
  at("notice").hidden = text.trim() === "";
}

function show(drift) {
  const { kind, title } = say.verdict(drift);
  at("verdict").className = `verdict ${kind}`;
  at("verdict").hidden = at("numbers").hidden = false;
  at("verdict-title").textContent = title;
  at("summary").textContent = drift.summary;
  at("reasons").replaceChildren(...say.reasons(drift.reasons));
  at("advice").textContent = say.advice(drift);
  at("facts").replaceChildren(...say.facts(drift));
  at("properties").replaceChildren(...say.properties(drift.properties));
  at("properties-part").hidden = drift.properties.length === 0;
  at("streams").replaceChildren(...say.streams(drift.streams));
  at("streams-part").hidden = drift.streams.length < 2;
  at("classes").replaceChildren(...say.classes(drift.classes));
  at("strangest").replaceChildren(...say.strangest(drift.strangest));
  document.title = `${title} – Drift`;
  if (shown !== null && shown !== drift.verdict) at("announcer").textContent = `${title}. ${drift.summary}`;
  shown = drift.verdict;
}

function showHistory(drift, { stretches }) {
  const { evidence, unit, window: last } = drift;
  const judged = stretches.filter(({ share }) => share.images > 0);
  const each = judged[0] ? judged[0].last_sequence - judged[0].first_sequence + 1 : 0;
  curves.share.show(
    judged.map(({ last_sequence: x, share: { share: y, interval } }) => ({ x, y, ...interval })),
    last?.expected_share ?? null,
    "expected",
    last ? `Each point: ${words.images(each)}. The last ${words.images(last.recent.images)}: ${say.share(last.recent)}.` : "The reference has no calibration.",
  );
  const course = stretches.filter((one) => one.evidence).map((one) => ({ x: one.last_sequence, y: one.evidence.largest }));
  curves.evidence.show(course, evidence?.alarm_at ?? null, "alarm", evidence ? `Now ${words.number(evidence.value)}.` : "");
  at("evidence-hint").textContent = evidence
    ? `Grows by 1 a group on average as long as nothing has changed. Without drift it reaches the dashed line once in ${Math.round(evidence.alarm_at).toLocaleString("en")} groups at most. ${words.sentence(unit.message)}`
    : "";
}

/** By a request of ours, since a link could not send a key. */
async function saveReport() {
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await service.file("drift/report"));
    link.download = "drift-report.html";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    notice(`There is no report: ${words.sentence(error.message)}`);
  }
}

at("report").addEventListener("click", () => void saveReport());

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else void look();
});

void look();
