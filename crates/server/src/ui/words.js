// Numbers and answers in words. Nothing in here touches the page.

/** A share in [0, 1] as people say it; never rounded to certainty. */
export function percent(share) {
  if (share < 1 && share > 0.999) return "over 99.9%";
  if (share > 0 && share < 0.001) return "under 0.1%";
  return `${(share * 100).toFixed(1)}%`;
}

/** Three significant digits, without an exponent where that is short. */
export function number(value) {
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) return value.toExponential(1);
  return Math.abs(value) < 1000 ? value.toPrecision(3) : Math.round(value).toString();
}

/** A number on an axis, with no more digits than it takes. */
export function tick(value) {
  return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential() : String(Number(value.toPrecision(6)));
}

/** A class or an id without the underscores of programs. */
export function name(text) {
  return text.replaceAll("_", " ");
}

/** A message as a sentence. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** How common a p-value is. */
function howCommon(p) {
  const among = "Of pictures like those in training,";
  if (p >= 0.995) return `${among} nearly all look at least this unusual.`;
  if (p >= 0.01) return `${among} about ${Math.round(p * 100)} in 100 look at least this unusual.`;
  return `${among} about 1 in ${Math.round(1 / p).toLocaleString("en")} looks at least this unusual.`;
}

/** Why an answer has no verdict: `unavailable` is the answer's. */
function whyUnknown(unavailable) {
  if (unavailable?.reason === "not_enough_calibration_images") {
    const { class: label, images: found, required } = unavailable;
    return `Only ${images(found)} of class ${name(label)} were set aside to compare with, and it takes ${required}: ` +
      "the score tells how far, not how unusual.";
  }
  if (unavailable?.reason === "not_enough_calibration_groups") {
    const { class: label, groups, required } = unavailable;
    const of = label ? ` of class ${name(label)}` : "";
    return `The pictures${of} to compare with show ${groups} parts, and it takes ${required}: ` +
      "the score tells how far, not how unusual.";
  }
  return "The reference is not calibrated: the score tells how far, not how unusual.";
}

/** What the drift of an answer means: a kind for the looks, a title, and a sentence. */
export function verdict(drift) {
  if (!drift) {
    return { kind: "unknown", title: "Not compared", text: "The server has no reference images to compare with." };
  }
  if (drift.out_of_distribution === null) {
    return { kind: "unknown", title: "Unknown", text: whyUnknown(drift.unavailable) };
  }
  if (drift.out_of_distribution) {
    const text = `Do not rely on the class. ${howCommon(drift.p_value)}`;
    return { kind: "unusual", title: "Unusual", text };
  }
  return { kind: "familiar", title: "Looks like training", text: howCommon(drift.p_value) };
}

const STAGES = {
  read: "upload",
  queue: "waiting",
  decode: "decoding",
  preprocess: "resizing",
  infer: "inference",
  drift: "comparison",
};

/** The stages of a `server-timing` header, longest first, in milliseconds, and their total. */
export function timing(header) {
  const times = new Map();
  for (const entry of (header ?? "").split(",")) {
    const match = /^\s*([a-z]+);dur=([0-9.]+)\s*$/.exec(entry);
    if (match) times.set(match[1], Number(match[2]));
  }
  const stages = Object.entries(STAGES)
    .filter(([stage]) => times.has(stage))
    .map(([stage, label]) => ({ label, time: times.get(stage) }))
    .sort((one, other) => other.time - one.time);
  return { total: times.get("total"), stages };
}

export function milliseconds(time) {
  return time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time).toLocaleString("en")} ms`;
}

export function images(number) {
  return number === 1 ? "1 image" : `${number} images`;
}
