// Elements of the page. What comes from elsewhere only ever becomes text, never markup.

/** An element with a class, attributes, and children that are elements or text. */
export function element(tag, className, attributes = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The same for drawings. */
export function shape(tag, className, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (className) made.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A path that can be broken where its parts end. */
export function breakable(path) {
  return path.split(/(?<=[/_])/).flatMap((part) => [part, document.createElement("wbr")]);
}
