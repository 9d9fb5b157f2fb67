/* What works in the pages of the report and of the site: the menu, the questions and the search. */
(() => {
const HERE = document.currentScript.src;
const SHOWN = 12; // results of a search

function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
}

/* On narrow screens the menu is folded away. */
function foldMenu() {
  const menu = document.querySelector(".menu details"), wide = window.matchMedia("(min-width: 62.01rem)");
  const follow = () => { menu.open = wide.matches; };
  if (menu) {
    follow();
    wide.addEventListener("change", follow);
  }
}

/* What scrolls sideways can be reached with the keyboard. */
function reachScrollers() {
  for (const box of document.querySelectorAll("pre, .scroll")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

/* A question's folded options become a form, which explains each option that is chosen. */
function makeForm(question) {
  const multiple = "multiple" in question.dataset, asked = question.querySelector(".asked");
  const options = [...question.querySelectorAll("li")].map((item) => ({
    right: "right" in item.dataset,
    input: element("input", { type: multiple ? "checkbox" : "radio", name: question.id }),
    text: () => item.querySelector("em").cloneNode(true),
    reason: () => item.querySelector("span").cloneNode(true),
  }));
  const labels = options.map(({ input, text }) => element("label", {}, input, element("span", {}, ...text().childNodes)));
  const feedback = element("div", { role: "status" }), choices = element("fieldset", {}, ...labels);
  const form = element("form", {}, choices, element("button", {}, "Check"), feedback);
  choices.setAttribute("aria-labelledby", asked.id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    feedback.replaceChildren(...explained(options));
  });
  asked.after(form);
  question.classList.add("live");
}

function explained(options) {
  const chosen = options.filter(({ input }) => input.checked);
  if (!chosen.length) return [element("p", {}, "Choose first.")];
  const solved = options.every(({ right, input }) => right === input.checked);
  const lines = (solved ? options : chosen).map(({ right, text, reason }) =>
    element("li", { className: right ? "right" : "wrong" }, text(), " ", reason()));
  const missing = !solved && chosen.every(({ right }) => right);
  if (missing) lines.push(element("li", {}, "What you chose is right, but something is missing."));
  return [element("p", {}, element("b", {}, solved ? "Right." : "Not right yet.")), element("ul", {}, ...lines)];
}

/* Every word must begin a word of the section: best in a page's title, then in its heading, then in its text. */
function search(query) {
  const typed = query.trim().toLowerCase(), words = typed.match(/[\p{L}\p{N}_]+/gu) ?? [], found = [];
  if (!words.length) return found;
  const begins = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}_])${word}`, "giu"));
  const count = (text, pattern) => text.match(pattern)?.length ?? 0;
  for (const [file, title, sections] of globalThis.SEARCH_INDEX) {
    sections.forEach(([anchor, heading, text], place) => {
      const scores = begins.map((begin) => (place ? 0 : 60) * Math.min(1, count(title, begin))
        + 30 * Math.min(1, count(heading, begin)) + Math.min(8, count(text, begin)));
      const whole = heading.toLowerCase(), start = whole.startsWith(typed) ? 60 + 60 * (whole === typed) : 0;
      const score = scores.every(Boolean) ? scores.reduce((sum, one) => sum + one, start) : 0;
      if (score) found.push({ address: anchor ? `${file}#${anchor}` : file, title, heading, text, begins, score });
    });
  }
  return found.sort((one, other) => other.score - one.score);
}

/* The text around the first word that was found, with all of them marked. */
function excerpt(text, begins) {
  const pattern = begins.map((begin) => `${begin.source}[\\p{L}\\p{N}_]*`).join("|");
  const first = Math.max(0, text.search(new RegExp(pattern, "iu")));
  const start = first > 60 ? text.indexOf(" ", first - 60) + 1 : 0, end = text.indexOf(" ", start + 170);
  const pieces = text.slice(start, end < 0 ? undefined : end).split(new RegExp(`(${pattern})`, "iu"));
  const marked = pieces.map((piece, place) => (place % 2 ? element("mark", {}, piece) : piece));
  return [start ? "… " : "", ...marked, end < 0 ? "" : " …"];
}

function prepareSearch() {
  const form = document.querySelector(".search"), [input, box] = form.children;
  const [said, list] = box.children;
  let loading = null;
  const load = () => (loading ??= new Promise((resolve) => {
    document.head.append(element("script", { src: new URL("search_index.js", HERE), onload: resolve }));
  }));
  const show = async () => {
    await load();
    const found = search(input.value);
    box.hidden = !input.value.trim();
    said.textContent = found.length ? `${found.length} section${found.length > 1 ? "s" : ""}` : "Nothing found";
    if (found.length > SHOWN) said.textContent += `, the best ${SHOWN} first`;
    list.replaceChildren(...found.slice(0, SHOWN).map(({ address, title, heading, text, begins }) => element("li", {},
      element("a", { href: new URL(address, HERE) }, element("b", {}, heading || title),
        heading === title ? "" : ` · ${title}`, element("span", {}, ...excerpt(text, begins))))));
  };
  const close = () => { box.hidden = true; };
  input.addEventListener("focus", load, { once: true });
  input.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.click();
  });
  form.addEventListener("click", (event) => event.target.closest("a") && close());
  form.addEventListener("focusout", (event) => event.relatedTarget && !form.contains(event.relatedTarget) && close());
  form.addEventListener("keydown", (event) => {
    const places = [input, ...list.querySelectorAll("a")], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) places[places.indexOf(document.activeElement) + step]?.focus();
    else if (event.key === "Escape") { close(); input.focus(); } else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const busy = event.composedPath()[0].closest?.("input, textarea, select");
    if (event.key !== "/" || busy || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    input.focus();
  });
  form.hidden = false;
}

foldMenu();
reachScrollers();
window.addEventListener("resize", reachScrollers);
document.querySelectorAll(".question").forEach(makeForm);
prepareSearch();
})();
