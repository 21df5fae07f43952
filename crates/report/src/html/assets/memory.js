// Draws the memory: what is there, what points where, what is another than before. All that is shown comes from the data of the page.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const ARROWS = "pte tlb stale swap cache io fresh wrong".split(" ");
/** What an unused place is called. */
const UNUSED = { frame: "free", slot: "free", tlb: "empty", io: "none", holder: "none" };
/** Flags that are set more often than not say little. */
const USUAL = ["PG_lru", "PG_swapbacked", "PG_uptodate"];

/** An element with classes, attributes and children; text never becomes markup. */
function make(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return element;
}

/** For each number of steps taken: the things by id. */
function pictures(view) {
  let now = new Map(view.memory.map((t) => [t.id, t]));
  const all = [now];
  for (const step of view.steps) {
    now = new Map(now);
    for (const id of step.gone) now.delete(id);
    for (const thing of step.memory) now.set(thing.id, thing);
    all.push(now);
  }
  return all;
}

const field = (thing, name) => thing?.fields.find((f) => f.name === name)?.value ?? "";

/** A value; where it changed, both. */
function value(before, now, name) {
  const [old, fresh] = [before ? field(before, name) : null, field(now, name)];
  if (old === null || old === fresh) return document.createTextNode(fresh || "nothing");
  const was = make("s", "", old || "nothing");
  return make("mark", "", was, make("span", "hidden", " became "), " \u2192 " + (fresh || "nothing"));
}

/** Everything that is there at some time, so that nothing moves when things come and go. */
function places(all) {
  const seen = new Map();
  for (const picture of all) {
    for (const [id, thing] of picture) if (!seen.has(id)) seen.set(id, thing);
  }
  const order = (a, b) => a.id.localeCompare(b.id, "en", { numeric: true });
  const of = (kind) => [...seen.values()].filter((t) => t.kind === kind);
  const sections = [[], [], []];
  const processes = new Map();
  for (const t of of("pte")) {
    const name = t.id.split(":")[0];
    if (!processes.has(name)) processes.set(name, []);
    processes.get(name).push(t);
  }
  for (const [name, list] of processes) sections[0].push(["Page table of " + name, "pte", list]);
  const put = (column, title, kind) => {
    const list = of(kind).sort(order);
    if (list.length) sections[column].push([title, kind, list]);
  };
  put(0, "TLBs", "tlb");
  put(1, "Page frames", "frame");
  put(1, "Swap slots", "slot");
  put(2, "Transfers", "io");
  put(2, "Pipes", "pipe");
  put(2, "Holders", "holder");
  put(2, "Files", "file");
  return sections;
}

class Memory {
  /** `all`: the pictures of every kernel on the page, so that all of them have the same places. */
  constructor(section, own, all) {
    this.section = section;
    this.all = own;
    this.cards = new Map();
    this.kinds = new Map();
    const columns = make("div", "columns");
    for (const sections of places(all)) {
      const column = make("div", "column");
      for (const [title, kind, list] of sections) {
        column.append(make("h3", "k-" + kind, title));
        for (const thing of list) {
          const card = make("div", "thing k-" + kind);
          card.setAttribute("role", "group");
          card.setAttribute("aria-label", thing.id);
          card.dataset.id = thing.id;
          this.kinds.set(thing.id, kind);
          this.cards.set(thing.id, card);
          column.append(card);
        }
      }
      columns.append(column);
    }
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "arrows");
    this.svg.setAttribute("aria-hidden", "true");
    section.append(this.svg, columns);
  }

  /** The memory after so many steps; `step`: the one just taken, whose changes stand out. */
  draw(taken, step) {
    const now = this.all[taken];
    const before = step ? this.all[taken - 1] : null;
    this.now = now;
    this.before = before;
    const used = new Set();
    for (const t of now.values()) if (t.kind !== "slot" && t.kind !== "pte") t.to.forEach((id) => used.add(id));
    for (const [id, card] of this.cards) {
      const thing = now.get(id);
      const old = before ? before.get(id) : thing;
      card.replaceChildren();
      card.classList.toggle("ghost", !thing);
      card.classList.toggle("new", Boolean(before) && this.differs(old, thing));
      const lost = thing?.reach === "nobody" && thing.kind === "frame" && used.has(id);
      card.classList.toggle("lost", Boolean(lost));
      if (thing) this.fill(card, thing, before ? old : thing, lost);
      else {
        const unused = UNUSED[this.kinds.get(id)] ?? "";
        card.append(make("span", "id", this.short(id)), " ", make("span", "kind", unused));
      }
    }
    this.arrows();
  }

  differs(a, b) {
    return JSON.stringify(a) !== JSON.stringify(b);
  }

  short(id) {
    return id.startsWith("CPU ") ? id.split(":").pop() : id;
  }

  fill(card, thing, old, lost) {
    const head = make("div", "head", make("span", "id", this.short(thing.id)));
    card.append(head);
    const tag = (text, soft) => head.append(make("span", soft ? "tag soft" : "tag", text));
    const cells = thing.fields.filter((f) => f.name.startsWith("["));
    switch (thing.kind) {
      case "pte":
        card.append(make("div", "value", value(old, thing, "PTE")));
        if (!field(thing, "VMA")) tag("no VMA", true);
        else if (!field(thing, "VM_WRITE")) tag("may only be read", true);
        this.flags(card, thing, old, ["VM_UFFD_WP"]);
        break;
      case "tlb": {
        head.append(make("span", "kind", "of " + (thing.name || thing.id.split(":")[0])));
        const name = thing.fields[0].name;
        card.append(make("div", "value", value(old, thing, name)));
        if (thing.reach === "nobody") tag("out of date");
        break;
      }
      case "frame":
        head.append(make("span", "kind", value(old, thing, "")));
        if (lost) tag("nobody maps it");
        else if (thing.reach === "nobody") tag("not mapped", true);
        else if (thing.reach === "changing") tag("its PTE is being changed", true);
        else if (thing.reach === "swap-cache") tag("only in the swap cache", true);
        this.cells(card, thing, old, cells);
        this.counts(card, thing, old, ["refcount", "mapcount", "pins"]);
        this.flags(card, thing, old);
        break;
      case "slot":
        this.counts(card, thing, old, ["count"]);
        this.cells(card, thing, old, cells);
        if (field(thing, "swap cache") || field(old, "swap cache")) {
          card.append(make("div", "", make("span", "kind", "swap cache: "), value(old, thing, "swap cache")));
        }
        this.flags(card, thing, old, ["SWAP_HAS_CACHE claim"]);
        break;
      case "file":
        this.cells(card, thing, old, cells);
        break;
      default:
        if (thing.name) card.append(make("div", "kind", thing.name));
        if (thing.reach === "nobody") tag(field(thing, "for") + " is another page now");
        for (const f of thing.fields.filter((f) => f.name !== "by" && f.name !== "for")) card.append(make("div", "", value(old, thing, f.name)));
        // A narrow card breaks at the bar.
        if (field(thing, "by")) card.append(make("div", "kind", "by " + field(thing, "by").replace("|", "|\u200b")));
    }
  }

  cells(card, thing, old, cells) {
    if (!cells.length) return;
    const row = make("div", "cells");
    for (const f of cells) {
      const fresh = old && field(old, f.name) !== f.value;
      const label = thing.kind === "frame" && thing.name ? thing.name + f.name : f.name;
      row.append(make("span", fresh ? "new" : "", make("small", "", label), value(old, thing, f.name)));
    }
    card.append(row);
  }

  counts(card, thing, old, names) {
    const row = make("div", "counts");
    for (const name of names) {
      const now = field(thing, name);
      if (now === "" || (name === "pins" && now === "0" && field(old, name) !== "1")) continue;
      row.append(make("span", "", make("small", "", name + " "), value(old, thing, name)));
    }
    if (row.childNodes.length) card.append(row);
  }

  /** The flags that are set, and those that were until now. */
  flags(card, thing, old, names) {
    const flag = (t) => (t ? t.fields.filter((f) => f.value === "set" || f.name === "PG_swapcache") : []);
    const wanted = (name) => (names ? names.includes(name) : true);
    const [now, was] = [flag(thing), flag(old)];
    const row = make("div", "flags");
    const text = (f) => f.name.replace("PG_", "") + (f.value === "set" ? "" : " " + f.value);
    const rank = (f) => (f.name === "PG_anon_exclusive" ? 0 : USUAL.includes(f.name) ? 2 : 1);
    now.sort((a, b) => rank(a) - rank(b));
    for (const f of now.filter((f) => wanted(f.name))) {
      const fresh = old && field(old, f.name) !== f.value;
      row.append(make(fresh ? "mark" : "span", ["strong", "", "usual"][rank(f)], text(f)));
    }
    for (const f of was.filter((f) => wanted(f.name) && field(thing, f.name) === "")) {
      row.append(make("mark", "", make("s", "", text(f)), make("span", "hidden", " cleared")));
    }
    if (row.childNodes.length) card.append(row);
  }

  /** Arrows from whatever points to what it points at, drawn over the laid out cards. */
  arrows() {
    const base = this.section.getBoundingClientRect();
    const box = (id) => {
      const card = this.cards.get(id);
      if (!card || card.offsetParent === null) return null;
      const r = card.getBoundingClientRect();
      return { left: r.left - base.left, right: r.right - base.left, top: r.top - base.top, height: r.height };
    };
    const ends = new Map();
    this.svg.replaceChildren(this.heads());
    for (const thing of this.now.values()) {
      const from = box(thing.id);
      for (const id of from ? thing.to : []) {
        const to = box(id);
        if (!to) continue;
        const kind = this.kind(thing, id);
        const old = this.before?.get(thing.id);
        const fresh = this.before && !(old?.to ?? []).includes(id);
        const target = this.now.get(id);
        const wrong = kind === "io" && (thing.reach === "nobody" || target?.reach === "nobody");
        const stale = kind === "tlb" && thing.reach === "nobody";
        this.arrow(from, to, ends, id, wrong ? "wrong" : stale ? "stale" : fresh ? "fresh" : kind, thing, id);
      }
    }
  }

  kind(thing, id) {
    if (thing.kind === "pte") return id.startsWith("slot") ? "swap" : "pte";
    if (thing.kind === "slot") return "cache";
    return thing.kind === "tlb" ? "tlb" : "io";
  }

  heads() {
    const defs = document.createElementNS(SVG, "defs");
    for (const name of ARROWS) {
      const marker = document.createElementNS(SVG, "marker");
      const set = (attributes) => Object.entries(attributes).forEach(([k, v]) => marker.setAttribute(k, v));
      set({ id: "head-" + name + "-" + this.section.id, viewBox: "0 0 8 8", refX: 7, refY: 4, orient: "auto", markerUnits: "userSpaceOnUse", markerWidth: 9, markerHeight: 9 });
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", "M1 1 L7 4 L1 7");
      path.setAttribute("class", name);
      path.setAttribute("stroke-dasharray", "none");
      marker.append(path);
      defs.append(marker);
    }
    return defs;
  }

  arrow(from, to, ends, id, name, thing, target) {
    const side = from.right <= to.left ? "left" : "right";
    const key = id + side;
    const n = ends.get(key) ?? 0;
    ends.set(key, n + 1);
    const y1 = from.top + Math.min(from.height / 2, 22);
    const y2 = to.top + Math.min(12 + 11 * n, to.height - 5);
    let d;
    if (side === "left") {
      const [x1, x2] = [from.right, to.left - 1];
      const bend = (x2 - x1) / 2;
      d = `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    } else if (from.left >= to.right) {
      const [x1, x2] = [from.left, to.right + 1];
      const bend = (x1 - x2) / 2;
      d = `M${x1} ${y1} C${x1 - bend} ${y1} ${x2 + bend} ${y2} ${x2} ${y2}`;
    } else {
      // In the same column: a bow to the right.
      const [x1, x2] = [from.right, to.right + 1];
      d = `M${x1} ${y1} C${x1 + 30} ${y1} ${x2 + 30} ${y2} ${x2} ${y2}`;
    }
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    path.dataset.from = thing.id;
    path.dataset.to = target;
    path.setAttribute("marker-end", `url(#head-${name}-${this.section.id})`);
    this.svg.append(path);
  }
}
