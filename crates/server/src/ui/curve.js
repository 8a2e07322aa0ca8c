// Curves over images, drawn at the size that there is room for, so that their text can be read in every window.

import { element, shape } from "./element.js";
import * as words from "./words.js";

const HEIGHT = 220;
const MARGIN = { top: 12, right: 12, bottom: 30, left: 52 };

/** Draws into a figure, and again whenever its width changes. */
export class Curve {
  /** `name` is for those who cannot see it; `isShare` and `isLogarithmic` say of what kind the values are. */
  constructor(figure, { name, isShare = false, isLogarithmic = false }) {
    this.figure = figure;
    this.name = name;
    this.isShare = isShare;
    this.isLogarithmic = isLogarithmic;
    this.caption = element("figcaption", "hint");
    this.place = element("div", "curve");
    figure.append(this.place, this.caption);
    new ResizeObserver(() => this.draw()).observe(figure);
  }

  /** `points` are `{ x, y, low, high }`, the last two where there is an interval; `limit` is the dashed line. */
  show(points, limit, limitName, caption) {
    Object.assign(this, { points, limit, limitName });
    this.caption.textContent = caption;
    this.draw();
  }

  draw() {
    const width = this.figure.clientWidth;
    if (!this.points || width === 0) return;
    if (this.points.length === 0) {
      this.place.replaceChildren(element("p", "hint", {}, "Nothing to draw yet."));
      return;
    }
    const at = this.scales(width);
    const drawing = shape("svg", "", {
      role: "img", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": `${this.name}. ${this.caption.textContent}`,
    });
    drawing.append(...this.axes(width, at));
    if (this.points.some(({ low }) => low !== undefined)) {
      const upper = this.points.map(({ x, high }) => `${at.x(x)},${at.y(high)}`);
      const lower = this.points.map(({ x, low }) => `${at.x(x)},${at.y(low)}`).reverse();
      drawing.append(shape("polygon", "band", { points: [...upper, ...lower].join(" ") }));
    }
    const line = this.points.map(({ x, y }) => `${at.x(x)},${at.y(y)}`).join(" ");
    drawing.append(shape("polyline", "line", { points: line }));
    const radius = this.points.length > 30 ? 2 : 3;
    for (const { x, y } of this.points) {
      const isBeyond = this.limit !== null && y >= this.limit;
      drawing.append(shape("circle", isBeyond ? "point beyond" : "point", { cx: at.x(x), cy: at.y(y), r: radius }));
    }
    this.place.replaceChildren(drawing);
  }

  /** From values to places. */
  scales(width) {
    const values = this.points.flatMap(({ y, high }) => [y, high ?? y]);
    if (this.limit !== null) values.push(this.limit * (this.isLogarithmic ? 2 : 1.1));
    const [first, last] = [this.points[0].x, this.points.at(-1).x];
    const top = this.isShare ? Math.min(1, Math.max(...values)) : Math.max(...values);
    const bend = this.isLogarithmic ? (value) => Math.log10(Math.max(value, this.least())) : (value) => value;
    const [low, high] = [this.isLogarithmic ? bend(this.least()) : 0, bend(top) || 1];
    const [left, right] = [MARGIN.left, width - MARGIN.right];
    const [bottom, above] = [HEIGHT - MARGIN.bottom, MARGIN.top];
    return {
      x: (x) => round(last === first ? (left + right) / 2 : left + ((x - first) / (last - first)) * (right - left)),
      y: (y) => round(bottom - ((bend(y) - low) / (high - low)) * (bottom - above)),
      ticks: this.isLogarithmic ? powers(low, high) : steps(high),
    };
  }

  /** The least value that is drawn where the scale is logarithmic: evidence near zero is none either way. */
  least() {
    return Math.max(1e-3, Math.min(0.1, ...this.points.map(({ y }) => y)));
  }

  axes(width, at) {
    const parts = [];
    for (const tick of at.ticks) {
      const y = at.y(tick);
      const text = this.isShare ? `${words.tick(tick * 100)}%` : words.tick(tick);
      parts.push(shape("line", "grid", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
      parts.push(shape("text", "tick", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, text));
    }
    const [first, last] = [this.points[0], this.points.at(-1)];
    const below = HEIGHT - 8;
    parts.push(shape("text", "tick", { x: MARGIN.left, y: below }, `image ${first.x.toLocaleString("en")}`));
    if (last.x !== first.x) {
      const text = last.x.toLocaleString("en");
      parts.push(shape("text", "tick", { x: width - MARGIN.right, y: below, "text-anchor": "end" }, text));
    }
    if (this.limit !== null) {
      const y = at.y(this.limit);
      parts.push(shape("line", "limit", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
      parts.push(shape("text", "tick limit-name", { x: width - MARGIN.right, y: y - 5, "text-anchor": "end" }, this.limitName));
    }
    return parts;
  }
}

function round(place) {
  return Math.round(place * 10) / 10;
}

/** Three to six round numbers from zero to `high`. */
function steps(high) {
  const power = 10 ** Math.floor(Math.log10(high));
  const step = [0.2, 0.5, 1, 2].map((times) => times * power).find((step) => high / step <= 5) ?? 2 * power;
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Powers of ten between two exponents, not more than six. */
function powers(low, high) {
  const every = Math.ceil((high - low) / 6) || 1;
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, i) => 10 ** (first + i * every));
}
