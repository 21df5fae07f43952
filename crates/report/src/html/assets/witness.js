// Moves through the schedule: keys, slider, links, play; says what the step does.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const last = data.rows.length;
  const perView = data.views.map(pictures);
  const memories = perView.map((own, n) => new Memory(find("memory" + n), own, perView.flat()));
  const lines = [...document.querySelectorAll(".steps > li[data-row]")];
  const schedule = document.querySelector(".schedule");
  const hiddenLanes = new Set();
  let position = 0;
  let timer = null;

  /** The step that a kernel takes in a line; null: it stands still. */
  const stepOf = (view, row) => (row > 0 ? data.rows[row - 1].at[view] : null);

  /** How many steps a kernel has taken after a line. */
  function taken(view, row) {
    for (let at = row; at > 0; at--) {
      const step = stepOf(view, at);
      if (step !== null) return step + 1;
    }
    return 0;
  }

  function go(to) {
    position = Math.max(0, Math.min(last, to));
    for (const line of lines) {
      const row = Number(line.dataset.row);
      if (row === position) line.setAttribute("aria-current", "step");
      else line.removeAttribute("aria-current");
      line.classList.toggle("todo", row > position);
    }
    const line = lines[position - 1];
    if (schedule.scrollHeight > schedule.clientHeight + 1) {
      const top = line ? line.getBoundingClientRect().top - schedule.getBoundingClientRect().top + schedule.scrollTop : 0;
      schedule.scrollTop = Math.max(0, top - schedule.clientHeight * 0.45);
    }
    find("slider").value = position;
    find("count").value = position + " / " + last;
    find("back").disabled = find("first").disabled = position === 0;
    find("next").disabled = find("last").disabled = position === last;
    say();
    memories.forEach((memory, n) => memory.draw(taken(n, position), stepOf(n, position) !== null));
    if (location.hash !== "#" + position) {
      // A page inside of another may have no history of its own.
      try {
        history.replaceState(null, "", "#" + position);
      } catch {
        /* The link is a convenience. */
      }
    }
  }

  /** The next line in a direction whose lane is shown. */
  function beside(direction) {
    let to = position + direction;
    while (to > 0 && to < last && hiddenLanes.has(data.groups[data.rows[to - 1].group].lane)) to += direction;
    return to;
  }

  /** The end of the next call, or of the one before. */
  function besideCall(direction) {
    const group = (row) => (row > 0 ? data.rows[row - 1].group : -1);
    const ends = lines.map((_, n) => n + 1).filter((row) => row === last || group(row) !== group(row + 1));
    if (direction > 0) return ends.find((row) => row > position) ?? last;
    return ends.filter((row) => row < position).pop() ?? 0;
  }

  function say() {
    const out = find("said");
    out.replaceChildren();
    if (position === 0) {
      out.append(make("h2", "", "At the start"));
      out.append(make("p", "said", "This is the memory before anybody does anything. Take the first step with the right arrow key."));
      return;
    }
    const row = data.rows[position - 1];
    const group = data.groups[row.group];
    const lane = data.lanes[group.lane];
    const head = make("h2", "", make("span", "c" + group.lane, lane.name));
    if (group.call) head.append(" ", make("code", "", group.call));
    head.append(" ", make("span", "quiet", "step " + position + " of " + last));
    out.append(head);
    const told = data.views.map((view, n) => (row.at[n] === null ? null : view.steps[row.at[n]]));
    const two = data.views.length > 1 && JSON.stringify(told[0]) !== JSON.stringify(told[1]);
    const sides = two ? make("div", "sides") : out;
    told.forEach((step, n) => {
      if (!two && n > 0) return;
      const side = two ? make("div", "", make("b", "profile", data.views[n].profile)) : out;
      if (step) tell(side, step);
      else side.append(make("p", "said quiet", "stands still"));
      if (two) sides.append(side);
    });
    if (two) out.append(sides);
    if (position === last) data.views.forEach((view) => out.append(ending(view)));
  }

  function tell(out, step) {
    const meaning = step.meaning;
    const said = step.said ? step.said[0].toUpperCase() + step.said.slice(1) + "." : meaning;
    out.append(make("p", "said", said || "Goes on."));
    const how = make("p", "how", make("code", "", step.function));
    if (step.said && meaning) how.append(": " + meaning);
    if (step.lock) how.append(" Covered by " + step.lock + ".");
    out.append(how);
    for (const [kind, text] of step.broken) {
      const alarm = make("p", "alarm", make("strong", "", "\u26A0\uFE0E " + kind));
      if (text) alarm.append(": " + text + ".");
      out.append(alarm);
    }
  }

  function ending(view) {
    const box = make("div", view.bad ? "why" : "why fine");
    const where = data.views.length > 1 ? " on " + view.profile : "";
    box.append(make("h3", "", (view.bad ? "Why" : "The end") + where + ": " + view.ending));
    for (const text of view.why) box.append(make("p", "", text));
    return box;
  }

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => (position < last ? go(beside(1)) : play(false)), 1100) : null;
    find("play").textContent = on ? "Pause" : "Play";
    find("play").setAttribute("aria-pressed", String(on));
  }

  const keys = {
    ArrowRight: () => go(beside(1)),
    ArrowLeft: () => go(beside(-1)),
    ArrowDown: () => go(besideCall(1)),
    ArrowUp: () => go(besideCall(-1)),
    PageDown: () => go(besideCall(1)),
    PageUp: () => go(besideCall(-1)),
    Home: () => go(0),
    End: () => go(last),
    " ": () => play(timer === null),
  };
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, summary, button, pre, dl");
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    const mine = keys[event.key] && plain && (!busy || (event.target.tagName === "BUTTON" && event.key !== " "));
    if (!mine) return;
    event.preventDefault();
    if (event.key !== " ") play(false);
    keys[event.key]();
  });
  const clicks = { first: () => go(0), back: () => go(beside(-1)), next: () => go(beside(1)), last: () => go(last) };
  for (const [id, act] of Object.entries(clicks)) {
    find(id).addEventListener("click", () => {
      play(false);
      act();
    });
  }
  find("play").addEventListener("click", () => play(timer === null));
  find("slider").addEventListener("input", (event) => go(Number(event.target.value)));
  for (const box of document.querySelectorAll("[data-lane][type=checkbox]")) {
    box.addEventListener("change", () => {
      const lane = Number(box.dataset.lane);
      if (box.checked) hiddenLanes.delete(lane);
      else hiddenLanes.add(lane);
      for (const item of document.querySelectorAll(".groups > li[data-lane]")) {
        item.classList.toggle("away", hiddenLanes.has(Number(item.dataset.lane)));
      }
    });
  }
  for (const box of document.querySelectorAll("[data-field]")) {
    box.addEventListener("change", () => {
      document.body.classList.toggle("no-" + box.dataset.field, !box.checked);
      memories.forEach((memory) => memory.arrows());
    });
  }
  const show = document.querySelector(".show");
  document.addEventListener("click", (event) => {
    if (!show.contains(event.target)) show.open = false;
  });
  const linked = () => (/^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : position);
  addEventListener("hashchange", () => go(linked()));
  addEventListener("resize", () => memories.forEach((memory) => memory.arrows()));
  go(linked());
})();
