// Filters the matrix. What is chosen stands in the address, so that a link shows the same.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const form = document.querySelector(".filters");
  const controls = ["name", "theme", "kind", "feature", "kernel", "verdict"].map(find);
  const columns = [...document.querySelectorAll("thead [data-column]")].map((head) => head.textContent);
  const listed = (row, key, wanted) => !wanted || row.dataset[key].split("|").includes(wanted);

  function filter() {
    const [name, theme, kind, feature, kernel, verdict] = controls.map((c) => c.value.trim());
    const column = columns.indexOf(kernel);
    for (const cell of document.querySelectorAll("[data-column]")) {
      cell.classList.toggle("off", column >= 0 && Number(cell.dataset.column) !== column);
    }
    let shown = 0;
    for (const body of document.querySelectorAll("tbody")) {
      let any = false;
      for (const row of body.querySelectorAll("tr[data-name]")) {
        const verdicts = [...row.querySelectorAll("td:not(.off) [data-verdict]")].map((a) => a.dataset.verdict);
        const show =
          row.dataset.name.includes(name) &&
          (!theme || body.dataset.theme === theme) &&
          listed(row, "kinds", kind) &&
          listed(row, "features", feature) &&
          (!verdict || verdicts.includes(verdict));
        row.classList.toggle("away", !show);
        any ||= show;
        shown += show ? 1 : 0;
      }
      body.classList.toggle("away", !any);
    }
    find("shown").value = shown === 1 ? "1 test" : shown + " tests";
    const chosen = new URLSearchParams(controls.filter((c) => c.value).map((c) => [c.id, c.value]));
    try {
      history.replaceState(null, "", "#" + chosen);
    } catch {
      /* The link is a convenience. */
    }
  }

  for (const [id, value] of new URLSearchParams(location.hash.slice(1))) {
    if (controls.some((c) => c.id === id)) find(id).value = value;
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  filter();
})();
