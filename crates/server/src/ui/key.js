// The form that asks for a key.

import { element } from "./element.js";

/** Puts the form, which nobody sees yet, in front of what else is in `place`. Gives a function for `Service`, which
 * shows it and gives a promise of what is entered. `next` has the focus then. */
export function keyForm(place, next) {
  const hint = element("p", "hint", { id: "key-hint" }, "This server answers only to those who have a key. It is kept until this tab is closed.");
  const input = element("input", "", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: "", "aria-describedby": "key-hint",
  });
  const button = element("button", "primary", { type: "submit" }, "Use this key");
  const label = element("label", "", { for: "key" }, "API key");
  const form = element("form", "key", { id: "key-form", hidden: "" }, label, hint, element("div", "row", {}, input, button));
  place.prepend(form);
  return (wasRefused) => {
    form.hidden = false;
    if (wasRefused) hint.textContent = "The server does not know this key. Try another.";
    input.focus();
    return new Promise((resolve) => {
      form.addEventListener(
        "submit",
        (event) => {
          event.preventDefault();
          const key = input.value.trim();
          input.value = "";
          form.hidden = true;
          next.focus();
          resolve(key);
        },
        { once: true },
      );
    });
  };
}
