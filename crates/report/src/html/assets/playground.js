// The playground: sends the test, shows what comes back. Nothing is worked out here.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const text = find("text");
  let job = null;
  let edits = 0;

  function make(tag, classes, ...children) {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    element.append(...children);
    return element;
  }

  const status = (message) => (find("status").value = message);

  async function ask(path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(path, options);
    const answer = await response.json().catch(() => ({ error: response.statusText }));
    if (!response.ok) throw new Error(answer.error ?? response.statusText);
    return answer;
  }

  /** Shows a failure, whatever it is, where people look. */
  const told = (work) => async () => {
    try {
      await work();
    } catch (error) {
      status(error.message);
    }
  };

  // The editor.

  function draw(diagnostics) {
    const bad = new Set(diagnostics.map((d) => d.line));
    const lines = text.value.split("\n").map((_, n) => make("span", bad.has(n + 1) ? "bad" : "", n + 1 + "\n"));
    find("lines").replaceChildren(...lines);
    const marks = find("marks");
    marks.replaceChildren();
    let at = 0;
    for (const d of [...diagnostics].sort((a, b) => a.start - b.start)) {
      if (d.start < at) continue;
      const end = Math.max(d.end, d.start + 1);
      marks.append(text.value.slice(at, d.start));
      marks.append(make("mark", d.severity, text.value.slice(d.start, end) || " "));
      at = end;
    }
    marks.append(text.value.slice(at) + "\n");
    const items = diagnostics.map((d) => {
      const go = make("button", "", "Line " + d.line);
      go.addEventListener("click", () => {
        text.focus();
        text.setSelectionRange(d.start, d.end);
      });
      return make("article", d.severity, go, make("pre", "", d.text));
    });
    find("diagnostics").replaceChildren(...items);
    scroll();
  }

  function scroll() {
    for (const id of ["lines", "marks"]) find(id).scrollTop = text.scrollTop;
    find("marks").scrollLeft = text.scrollLeft;
  }

  const diagnose = told(async () => {
    const edit = ++edits;
    const answer = await ask("/api/diagnose", { text: text.value });
    // A later edit has a later answer.
    if (edit === edits) draw(answer.diagnostics);
  });

  let pause = null;
  function edited() {
    draw([]);
    clearTimeout(pause);
    pause = setTimeout(diagnose, 200);
  }

  // Runs.

  function kernels() {
    const ticked = [...document.querySelectorAll("#kernels [type=checkbox]:checked")].map((box) => box.value);
    return ticked.concat(find("own").value.split(/[\s,]+/).filter(Boolean));
  }

  const run = told(async () => {
    if (job !== null) return;
    find("verdicts").replaceChildren();
    find("witness").hidden = true;
    const sent = { text: text.value, kernels: kernels() };
    await follow(await ask("/api/run", sent), (event) => {
      if (event.kind === "diagnostics") draw(event.diagnostics);
      if (event.kind === "verdict") row(event, sent.text);
    });
  });

  /** Asks for what is new of a job until it is over. */
  async function follow(started, heard) {
    if (started.diagnostics) draw(started.diagnostics);
    if (started.job === undefined) {
      status(started.error ?? "The test has errors.");
      return;
    }
    job = started.job;
    busy(true);
    try {
      let seen = 0;
      for (let done = false; !done; ) {
        const answer = await ask(`/api/job?job=${job}&seen=${seen}`);
        seen += answer.events.length;
        done = answer.done;
        for (const event of answer.events) {
          if (event.kind === "error") status(event.message);
          heard(event);
        }
        if (answer.progress) status(answer.progress);
        if (!done) await new Promise((wake) => setTimeout(wake, 150));
      }
      if (find("status").value.startsWith("Running")) status("Done.");
    } finally {
      job = null;
      busy(false);
    }
  }

  function busy(on) {
    find("run").disabled = on;
    find("stop").disabled = !on;
    for (const button of document.querySelectorAll("#verdicts button")) button.disabled = on;
    if (on) status("Running\u2026");
  }

  function row(event, sent) {
    let body = document.querySelector("#verdicts tbody");
    if (!body) {
      const heads = ["Kernel", "Verdict", "Final states", "States", "Notes"].map((h) => make("th", "", h));
      heads.forEach((h) => h.setAttribute("scope", "col"));
      body = make("tbody");
      find("verdicts").append(make("table", "", make("thead", "", make("tr", "", ...heads)), body));
    }
    const states = event.outcomes.map((o) => make("code", o.satisfies ? "asked" : "", (o.satisfies ? "* " : "\u00a0 ") + (o.values.join("; ") || "(nothing is looked at)")));
    const notes = [event.expected ? "expected " + event.expected : "", event.broken.join(", "), event.refused ?? ""].filter(Boolean);
    const last = make("td", "", notes.join("; "), " ");
    if (event.witness) {
      const how = make("button", "", "How it happens");
      how.disabled = true;
      how.setAttribute("aria-label", "How it happens on " + event.kernel);
      how.addEventListener("click", () => explain(sent, event.kernel));
      last.append(how);
    }
    const head = make("th", "", event.kernel);
    head.setAttribute("scope", "row");
    body.append(
      make("tr", "", head, make("td", "", make("span", "v " + event.verdict.toLowerCase(), event.verdict)), make("td", "states", ...states), make("td", "number", event.states), last),
    );
  }

  const explain = (sent, kernel) =>
    told(async () => {
      if (job !== null) return;
      await follow(await ask("/api/explain", { text: sent, kernel }), (event) => {
        if (event.kind !== "page") return;
        const frame = find("witness");
        frame.hidden = false;
        frame.src = event.path;
        frame.scrollIntoView({ block: "start" });
      });
    })();

  const stop = told(async () => {
    if (job !== null) await ask("/api/stop", { job });
  });

  // Links: the test stands in the part of the address that is never sent.

  function encode(value) {
    const bytes = new TextEncoder().encode(value);
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  function decode(value) {
    const binary = atob(value.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
  }

  const link = told(async () => {
    const hash = new URLSearchParams({ test: encode(text.value), kernels: kernels().join(" ") });
    history.replaceState(null, "", "#" + hash);
    await navigator.clipboard?.writeText(location.href);
    status("The link is in the address bar and copied.");
  });

  function linked() {
    const hash = new URLSearchParams(location.hash.slice(1));
    if (!hash.has("test")) return;
    try {
      text.value = decode(hash.get("test"));
    } catch {
      status("The link does not hold a test.");
    }
    const words = (hash.get("kernels") ?? "").split(" ").filter(Boolean);
    for (const box of document.querySelectorAll("#kernels [type=checkbox]")) {
      box.checked = words.includes(box.value);
      if (box.checked) words.splice(words.indexOf(box.value), 1);
    }
    find("own").value = words.join(" ");
  }

  const start = told(async () => {
    const name = find("corpus").value;
    if (!name) return;
    text.value = (await ask("/api/test?name=" + encodeURIComponent(name))).text;
    edited();
  });

  text.addEventListener("input", edited);
  text.addEventListener("scroll", scroll);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  find("run").addEventListener("click", run);
  find("stop").addEventListener("click", stop);
  find("link").addEventListener("click", link);
  find("corpus").addEventListener("change", start);
  linked();
  edited();
})();
