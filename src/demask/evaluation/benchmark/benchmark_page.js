"use strict";
// Without this script every row is shown, in the order of the file.
const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

function sort(head, column) {
  const body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
  const words = head.dataset.words !== undefined;
  const rows = [...body.rows].sort((one, two) => {
    const [a, b] = [value(one, column), value(two, column)];
    if (words) return up * a.localeCompare(b);
    // What has no figure stands last, whichever way.
    if (a === "" || b === "") return (a === "") - (b === "");
    return up * (Number(a) - Number(b));
  });
  body.append(...rows);
}

for (const head of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => sort(head, head.cellIndex));
}

const filter = document.querySelector("form.filter");
if (filter) {
  const show = () => {
    const chosen = new FormData(filter);
    for (const row of document.querySelectorAll("tr[data-setting]")) {
      row.hidden = ["setting", "slice"].some((name) => chosen.get(name) && chosen.get(name) !== row.dataset[name]);
    }
    // A column in which every row says the same is left out.
    for (const name of ["setting", "slice"]) document.body.toggleAttribute(`data-one-${name}`, chosen.get(name) !== "");
  };
  filter.hidden = false;
  filter.addEventListener("change", show);
  filter.addEventListener("submit", (event) => event.preventDefault());
  show();
}

addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
