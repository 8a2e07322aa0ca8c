// The form that asks for a key.

const at = (id) => document.getElementById(id);

/** Gives a function for `Service`, which shows the form and gives a promise of what is entered. `next` has the focus
 * then. */
export function keyForm(next) {
  return (wasRefused) => {
    const form = at("key-form");
    form.hidden = false;
    if (wasRefused) at("key-hint").textContent = "The server does not know this key. Try another.";
    at("key").focus();
    return new Promise((resolve) => {
      form.addEventListener(
        "submit",
        (event) => {
          event.preventDefault();
          const key = at("key").value.trim();
          at("key").value = "";
          form.hidden = true;
          next.focus();
          resolve(key);
        },
        { once: true },
      );
    });
  };
}
