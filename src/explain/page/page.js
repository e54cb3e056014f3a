// What moves on the page: the graph's window and details, sorting and filtering, the notes below plots. Everything that is shown
// stands in the page already; names are only ever set as text.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const make = (tag, text, look) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (look) element.className = look;
    return element;
  };
  const scaled = (value, units, step) => {
    let unit = 0;
    for (; value >= step && unit + 1 < units.length; ++unit) value /= step;
    return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
  };
  const bytes = (value) => scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
  const count = (value) => scaled(value, ["", "k", "M", "G", "T"], 1000).trim();
  const time = (ns) => scaled(ns, ["ns", "µs", "ms", "s"], 1000);

  // ---- candidates: sorting and filtering
  const table = byId("candidates-table");
  if (table) {
    const rows = [...table.tBodies[0].rows];
    const keys = {
      name: (row) => row.cells[0].textContent,
      verdict: (row) => row.cells[1].textContent,
      ns: (row) => Number(row.dataset.ns),
      rank: (row) => Number(row.dataset.rank),
    };
    for (const button of table.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = keys[button.dataset.sort];
        rows.sort((a, b) => {
          const x = key(a), y = key(b);
          const order = x < y ? -1 : x > y ? 1 : a.dataset.rank - b.dataset.rank;
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    }
    const filters = document.querySelectorAll("[data-show]");
    for (const filter of filters) {
      filter.addEventListener("click", () => {
        for (const other of filters) other.setAttribute("aria-pressed", String(other === filter));
        for (const row of rows) row.hidden = filter.dataset.show !== "" && row.dataset.verdict !== filter.dataset.show;
      });
    }
  }

  // ---- plots: a tap writes the title of what was hit into the note below
  const noteOf = (plot, note, selector, then) => {
    if (!plot || !note) return;
    plot.addEventListener("click", (event) => {
      const hit = event.target.closest(selector);
      if (!hit) return;
      for (const other of plot.querySelectorAll(".on")) other.classList.remove("on");
      hit.classList.add("on");
      note.textContent = hit.querySelector("title").textContent;
      if (then) then(hit);
    });
  };
  noteOf(byId("lanes"), byId("span-note"), ".span");
  let stretch = 1;
  for (const button of document.querySelectorAll("[data-stretch]")) {
    button.addEventListener("click", () => {
      const lanes = byId("lanes"), frame = lanes.parentElement;
      const middle = (frame.scrollLeft + frame.clientWidth / 2) / lanes.offsetWidth;
      stretch = Math.min(64, Math.max(1, stretch * Number(button.dataset.stretch)));
      lanes.style.width = `${100 * stretch}%`;
      frame.scrollLeft = middle * lanes.offsetWidth - frame.clientWidth / 2;
    });
  }

  // ---- the graph
  const net = byId("net"), details = byId("details");
  if (!net) {
    noteOf(byId("roofs"), byId("roof-note"), ".pt");
    return;
  }
  const data = JSON.parse(byId("net-data").textContent);
  const whole = net.viewBox.baseVal;
  const all = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
  const window_ = { ...all };
  const boxes = new Map([...net.querySelectorAll("[data-i]")].map((box) => [Number(box.dataset.i), box]));

  const boxWidth = boxes.size > 0 ? boxes.get(0).getBBox().width : 0;

  // An overview at the side, with the part that is in the window.
  const svg = (tag, values) => {
    const element = document.createElementNS(net.namespaceURI, tag);
    for (const name in values) element.setAttribute(name, values[name]);
    return element;
  };
  const mini = svg("svg", { class: "mini", viewBox: `${all.x} ${all.y} ${all.w} ${all.h}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const here = svg("rect", { class: "here" });
  for (const box of boxes.values()) {
    const at = box.transform.baseVal[0].matrix, rect = box.querySelector("rect");
    mini.append(svg("rect", { class: `fill ${box.classList[1]}`, x: at.e, y: at.f, width: rect.getAttribute("width"), height: rect.getAttribute("height") }));
  }
  mini.append(here);
  net.after(mini);

  const aspect = () => net.clientHeight / Math.max(net.clientWidth, 1);
  let printing = false;
  const show = () => {
    if (printing) return;
    window_.w = Math.min(Math.max(window_.w, 120), Math.max(all.w, all.h / aspect()) * 1.1);
    window_.h = window_.w * aspect();
    const bound = (at, size, low, full) => (size > full ? low + (full - size) / 2 : Math.min(Math.max(at, low), low + full - size));
    window_.x = bound(window_.x, window_.w, all.x, all.w);
    window_.y = bound(window_.y, window_.h, all.y, all.h);
    net.setAttribute("viewBox", `${window_.x} ${window_.y} ${window_.w} ${window_.h}`);
    for (const [name, value] of [["x", window_.x], ["y", window_.y], ["width", window_.w], ["height", window_.h]]) here.setAttribute(name, value);
    net.classList.toggle("far", window_.w > 3 * net.clientWidth);
    mini.style.display = window_.h < all.h * 0.9 ? "" : "none";
  };
  const fit = () => {
    window_.w = Math.max(all.w, all.h / aspect());
    window_.x = all.x + all.w / 2 - window_.w / 2;
    window_.y = all.y + all.h / 2 - (window_.w * aspect()) / 2;
    show();
  };
  // At the size of its text, the first nodes in sight; all of it when that fits.
  const start = () => {
    window_.w = net.clientWidth;
    if (all.w <= window_.w && all.h <= window_.w * aspect()) return fit();
    const first = boxes.get(0).transform.baseVal[0].matrix;
    window_.x = first.e + boxWidth / 2 - window_.w / 2;
    window_.y = all.y;
    show();
  };
  const zoom = (factor, x = 0.5, y = 0.5) => {
    const before = window_.w, high = window_.h;
    window_.w = Math.min(Math.max(before * factor, 120), Math.max(all.w, all.h / aspect()) * 1.1);
    window_.x += (before - window_.w) * x;
    window_.y += (high - window_.w * aspect()) * y;
    show();
  };
  const move = (x, y) => {
    window_.x += x;
    window_.y += y;
    show();
  };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => (button.dataset.zoom === "0" ? fit() : zoom(Number(button.dataset.zoom))));
  }
  net.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const frame = net.getBoundingClientRect();
    zoom(Math.exp(event.deltaY / 200), (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height);
  }, { passive: false });

  // One pointer moves, two zoom; a pointer that hardly moved is a tap.
  const pointers = new Map();
  let travelled = 0;
  net.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    if (pointers.size === 1) travelled = 0;
  });
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  net.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const scale = window_.w / net.clientWidth;
    const x = before.clientX - event.clientX, y = before.clientY - event.clientY;
    travelled += Math.abs(x) + Math.abs(y);
    if (travelled > 6 && !net.hasPointerCapture(event.pointerId)) {
      net.setPointerCapture(event.pointerId);
      net.classList.add("drag");
    }
    const wide = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, event);
    if (wide > 0) zoom(wide / Math.max(spread(), 1));
    else if (travelled > 6) move(x * scale, y * scale);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) net.classList.remove("drag");
  };
  net.addEventListener("pointerup", release);
  net.addEventListener("pointercancel", release);
  const jump = (event) => {
    if (event.buttons === 0) return;
    const frame = mini.getBoundingClientRect();
    window_.x = all.x + ((event.clientX - frame.left) / frame.width) * all.w - window_.w / 2;
    window_.y = all.y + ((event.clientY - frame.top) / frame.height) * all.h - window_.h / 2;
    show();
  };
  mini.addEventListener("pointerdown", jump);
  mini.addEventListener("pointermove", jump);
  net.addEventListener("keydown", (event) => {
    const step = window_.w / 6;
    const act = {
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
      "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1.43), 0: fit,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // ---- details of a box
  const tensorList = (title, ids) => {
    if (ids.length === 0) return [];
    const list = make("ul");
    for (const id of ids) {
      const [name, type, size] = data.tensors[id];
      const item = make("li");
      item.append(make("code", name), make("br"), make("span", [type, size > 0 ? bytes(size) : ""].filter(Boolean).join(", "), "dim"));
      list.append(item);
    }
    return [make("h4", title), list];
  };
  const words = { yes: ["can run it", "good"], no: ["cannot", "bad"], "needs-group": ["only with its neighbours", "amber"], unknown: ["says so only when it compiles", "dim"] };
  const verdictList = (numbers) => {
    const list = make("ul");
    numbers.forEach((number, asker) => {
      const [kind, code, text] = data.verdicts[number];
      const item = make("li");
      item.append(make("span", data.askers[asker]), " ", make("b", words[kind][0], words[kind][1]));
      if (code || text) item.append(make("br"), make("span", [code, text].filter(Boolean).join(": "), "dim"));
      list.append(item);
    });
    return numbers.length > 0 ? [make("h4", "What engines say"), list] : [];
  };
  const figures = (box) => {
    const list = make("dl");
    const add = (name, value) => list.append(make("dt", name), make("dd", value));
    add("work", box.f > 0 ? `${count(box.f)} FLOP` : "none known");
    add("weights", bytes(box.w));
    add("activations", `${bytes(box.a)} in and out`);
    if (box.e > 0) add("estimate", time(box.e));
    if (box.k > 0) add("measured", `${time(box.k)} in the recorded run`);
    return list;
  };
  const select = (index, follow) => {
    for (const other of net.querySelectorAll(".on")) other.classList.remove("on");
    const element = boxes.get(index), box = data.boxes[index];
    element.classList.add("on");
    if (follow) {
      const at = element.transform.baseVal[0].matrix;
      window_.w = Math.min(window_.w, net.clientWidth);
      window_.x = at.e + boxWidth / 2 - window_.w / 2;
      window_.y = at.f + 22 - (window_.w * aspect()) / 2;
      show();
    }
    const parts = [make("h3", box.d ? `${box.d}:${box.o}` : box.o)];
    if (box.n) parts.push(make("code", box.n));
    const part = data.parts[box.p];
    if (part) {
      const line = make("p");
      line.append(make("i", undefined, `dot ${part[1]}`), `partition ${box.p}: `, make("code", part[0]));
      if (part[2]) line.append(" ", make("span", "simulated", "badge amber"));
      parts.push(line);
    }
    if (box.f !== undefined) parts.push(figures(box), ...verdictList(box.v));
    parts.push(...tensorList("Reads", box.i), ...tensorList("Makes", box.u));
    details.replaceChildren(...parts);
    details.scrollTop = 0;
  };
  net.addEventListener("click", (event) => {
    const box = event.target.closest("[data-i]");
    if (box && travelled <= 6) select(Number(box.dataset.i), false);
  });
  noteOf(byId("roofs"), byId("roof-note"), ".pt", (point) => {
    if (point.dataset.i !== undefined) select(Number(point.dataset.i), true);
  });

  // ---- find: Enter goes from one match to the next
  const find = byId("find"), found = byId("found");
  let matches = [], at = -1;
  const next = () => {
    if (matches.length === 0) return;
    at = (at + 1) % matches.length;
    found.textContent = `${at + 1} of ${matches.length}`;
    select(matches[at], true);
  };
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    matches = wanted ? [...boxes.keys()].filter((i) => `${data.boxes[i].o} ${data.boxes[i].n || ""}`.toLowerCase().includes(wanted)) : [];
    at = -1;
    found.textContent = wanted ? `${matches.length} found` : "";
  });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") next();
  });
  window.addEventListener("resize", show);
  // On paper the graph is an overview.
  window.addEventListener("beforeprint", () => {
    printing = true;
    net.classList.toggle("far", all.w > 1200 || all.h > 1600);
    net.setAttribute("viewBox", `${all.x} ${all.y} ${all.w} ${all.h}`);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    show();
  });
  start();
})();
