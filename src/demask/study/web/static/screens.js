// What stands between the trials: introductions, breaks, feedback, questions, the end.

import { announce, el, fill, grow } from "./dom.js";

const screen = () => document.getElementById("screen");

/** What a researcher wrote in Markdown. */
export function written(tree) {
  return tree.length ? [el("div", { class: "written" }, ...grow(tree))] : [];
}

/** Show texts and elements with one button; resolves when it is pressed. It has the focus: space goes on. */
export function page(heading, paragraphs, button) {
  return new Promise((resolve) => {
    const go = el("button", { type: "button", class: "main", click: resolve }, button);
    const parts = paragraphs.map((part) => (typeof part === "string" ? el("p", {}, part) : part));
    screen().replaceChildren(el("section", { class: "page" }, el("h1", {}, heading), ...parts, el("p", {}, go)));
    announce(heading);
    scrollTo(0, 0);
    go.focus();
  });
}

/** Say whether a practice answer was right, below the trial that is still there. */
export function feedback(trial, block, value, words) {
  return new Promise((resolve) => {
    const label = block.answers.find((answer) => answer.value === trial.right)?.label ?? trial.right;
    const text = !trial.right ? words.noted : value === trial.right ? words.right : fill(words.wrong, { answer: label });
    const kind = !trial.right ? "" : value === trial.right ? "right" : "wrong";
    const go = el("button", { type: "button", class: "main", click: resolve }, words.continue);
    screen().querySelector(".hint").replaceWith(el("div", { class: `feedback ${kind}` }, el("p", {}, text), go));
    announce(text);
    go.focus();
    go.scrollIntoView({ block: "nearest" });
  });
}

/** Ask everything about the person that is not answered yet; resolves with [name, value] pairs. */
export function ask(questions, words, { required = false } = {}) {
  return new Promise((resolve) => {
    const fields = questions.map((question) => field(question, words, required));
    const send = (event) => {
      event.preventDefault();
      const data = new FormData(event.target);
      resolve([...data].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
    };
    const form = el("form", { submit: send }, ...fields, el("p", {}, el("button", { class: "main" }, required ? words.continue : words.done)));
    const text = required ? words.about_you_start_text : words.about_you_text;
    screen().replaceChildren(el("section", { class: "page" }, el("h1", {}, words.about_you), el("p", {}, text), form));
    announce(words.about_you);
    scrollTo(0, 0);
    form.querySelector("input, textarea")?.focus();
  });
}

function field(question, words, required) {
  if (question.kind === "choice") {
    const choices = required ? question.choices : [...question.choices, ["", words.no_answer]];
    return el("fieldset", {}, el("legend", {}, question.text),
      ...choices.map(([value, label]) => el("label", { class: "choice" }, el("input", { type: "radio", name: question.name, value, required, ...(value === "" ? { checked: true } : {}) }), label)));
  }
  const input = question.kind === "number"
    ? el("input", { name: question.name, required, inputmode: "decimal", autocomplete: "off", pattern: "-?[0-9]{1,9}([.,][0-9]{1,9})?" })
    : el("textarea", { name: question.name, required, rows: 4, maxlength: 2000, autocomplete: "off" });
  return el("label", { class: "field" }, question.text, input);
}

/** A code with a button that copies it. */
function copyable(code, id, words) {
  const shown = el("code", { id }, code);
  const copied = el("span", { role: "status" });
  const copy = el("button", { type: "button", class: "quiet", click: async () => {
    getSelection().selectAllChildren(shown); // Where the clipboard is closed to us, it is one key away.
    await navigator.clipboard?.writeText(code).then(() => (copied.textContent = words.copied), () => {});
  } }, words.copy);
  return el("p", { class: "code" }, shown, copy, copied);
}

/** The way back to the service that sent somebody. */
function leaving(session, words) {
  const parts = [];
  if (session.leave_code) parts.push(el("h2", {}, words.completion_code), copyable(session.leave_code, "leave-code", words));
  if (session.leave_url) parts.push(el("p", {}, el("a", { href: session.leave_url, class: "button", id: "leave-link" }, words.completion_link)));
  return parts;
}

/** The last page: what it was about, the way back, and the code that finds the answers again. */
export function end(code, session) {
  const { words } = session;
  const about = written(session.debrief ?? []);
  screen().replaceChildren(el("section", { class: "page end" }, el("h1", {}, words.thanks), el("p", {}, words.thanks_text),
    ...leaving(session, words), ...(about.length ? [el("h2", {}, words.debrief), ...about] : []),
    el("p", {}, words.your_code), copyable(code, "own-code", words)));
  announce(words.thanks);
  scrollTo(0, 0);
}

/** For somebody whom a quota sends away. */
export function sentAway(session) {
  const { words } = session;
  screen().replaceChildren(el("section", { class: "page screened" }, el("h1", {}, words.screened), el("p", {}, words.screened_text), ...leaving(session, words)));
  announce(words.screened);
}

/** Ask once more before everything is deleted. */
export function confirmWithdrawal(words) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { close: () => { dialog.remove(); resolve(dialog.returnValue === "yes"); } },
      el("form", { method: "dialog" }, el("h2", {}, words.withdraw), el("p", {}, words.withdraw_text),
        el("p", { class: "row" }, el("button", { value: "no", autofocus: true }, words.withdraw_no), el("button", { value: "yes", class: "danger" }, words.withdraw_yes))));
    // Keys are the dialog's while it is open, or a digit would answer the trial behind it.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(dialog);
    dialog.showModal();
  });
}
