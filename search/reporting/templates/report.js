"use strict";

// Figures are drawn when they are about to be seen; those of a page that stands by itself all, in the end.
const toolbar = {
  responsive: true,
  displaylogo: false,
  showSendToCloud: false, // a button that uploads the figure's data
  modeBarButtons: [["toImage", "resetScale2d"]],
};
const undrawn = new Set();
const seen = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.isIntersecting && draw(entry.target)),
  { rootMargin: "600px" },
);

function draw(box) {
  undrawn.delete(box);
  seen.unobserve(box);
  const { figure, config } = JSON.parse(box.querySelector("script").textContent);
  Plotly.react(box.querySelector(".drawing"), figure.data, figure.layout, { ...toolbar, ...config });
}

function drawRest() {
  const [next] = undrawn;
  if (!next) return;
  draw(next);
  setTimeout(drawRest); // the browser scrolls in between
}

addEventListener("beforeprint", () => undrawn.forEach(draw));

// The table of all trials: what it is sorted by, and whether all rows are asked for.
const view = { column: null, sign: 1, all: false };
const FEW = 100; // rows; a browser takes seconds for thousands

const textOf = (cell) => (Array.isArray(cell) ? cell[0] : cell);
const keyOf = (cell) => (Array.isArray(cell) ? cell[1] : cell);

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null); // what does not exist stays last
  return view.sign * (typeof a === "number" && typeof b === "number" ? a - b : `${a}`.localeCompare(`${b}`));
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function curve(points) {
  const cell = element("td");
  cell.innerHTML = '<svg viewBox="-1 -1 82 22"><polyline/></svg>';
  cell.querySelector("polyline").setAttribute("points", points);
  return cell;
}

function trials(section) {
  const { headings, curve_at: curveAt, rows } = JSON.parse(section.querySelector("script").textContent);
  const table = section.querySelector("table");
  const filter = section.querySelector("#filter");

  const head = headings.map((name, column) => {
    const button = element("button", { textContent: name });
    button.onclick = () => {
      view.sign = view.column === name ? -view.sign : 1;
      view.column = name;
      show();
    };
    return element("th", {}, button);
  });
  head.splice(curveAt, 0, element("th", { textContent: "curve" }));
  table.replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody"));

  function line([cells, points, address]) {
    const made = cells.map((cell) => element("td", { textContent: textOf(cell) }));
    if (address) {
      const key = textOf(cells[0]);
      made[0].replaceChildren(element("a", { href: address, textContent: key, target: "_blank" }));
    }
    made.splice(curveAt, 0, curve(points));
    return element("tr", {}, ...made);
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/);
    const found = rows.filter(([cells]) => {
      const text = cells.map(textOf).join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const column = headings.indexOf(view.column);
    if (column >= 0) found.sort(([one], [other]) => compare(keyOf(one[column]), keyOf(other[column])));
    table.querySelectorAll("th").forEach((heading) => {
      const sorted = heading.textContent === view.column;
      heading.ariaSort = sorted ? (view.sign === 1 ? "ascending" : "descending") : null;
    });
    const shown = view.all ? found : found.slice(0, FEW);
    table.tBodies[0].replaceChildren(...shown.map(line));
    section.querySelector("#filtered").textContent =
      found.length < rows.length ? `${found.length} of ${rows.length}` : "";
    const more = section.querySelector("#more");
    more.hidden = shown.length === found.length;
    more.textContent = `show all ${found.length}`;
  }

  filter.oninput = show;
  section.querySelector("#more").onclick = () => {
    view.all = true;
    show();
  };
  show();
}

// What goes on beyond the right edge fades there.
function fade(box) {
  const look = () => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  box.onscroll = look;
  new ResizeObserver(look).observe(box);
  look();
}

function prepare(section) {
  section.querySelectorAll(".figure").forEach((box) => {
    undrawn.add(box);
    seen.observe(box);
  });
  section.querySelectorAll(".trials").forEach(() => trials(section));
  section.querySelectorAll(".wide").forEach(fade);
}

const sections = () => [...document.querySelectorAll("main > section")];
sections().forEach(prepare);
{% if not every %}
addEventListener("load", () => setTimeout(drawRest));
{% else %}

// A page that is served asks again and again for what is new, and stays as its reader has left it.
const live = document.querySelector("#live");
let version = null;

function renew(fresh) {
  const focused = document.activeElement;
  const scrolled = [...document.querySelectorAll(".wide")].map((box) => [box.scrollLeft, box.scrollTop]);
  const [left, top] = [scrollX, scrollY];
  const drawings = new Map();
  document.querySelectorAll(".figure").forEach((box) => {
    if (box.querySelector(".js-plotly-plot")) drawings.set(box.id, box.querySelector(".drawing"));
  });
  const filter = document.querySelector("#filter");
  if (filter) fresh.querySelector("#filter")?.replaceWith(filter);
  fresh.querySelectorAll(".figure").forEach((box) => {
    if (drawings.has(box.id)) box.querySelector(".drawing").replaceWith(drawings.get(box.id));
  });
  seen.disconnect();
  undrawn.clear();
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  sections().forEach(prepare);
  document.querySelectorAll(".wide").forEach((box, place) => box.scrollTo(...(scrolled[place] ?? [0, 0])));
  scrollTo(left, top);
  focused.focus({ preventScroll: true });
}

async function ask() {
  try {
    const headers = version ? { "If-None-Match": version } : {};
    const answer = await fetch(location.href, { headers, cache: "no-store" });
    if (answer.status === 200) {
      renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
      version = answer.headers.get("ETag");
    }
    live.textContent = answer.ok || answer.status === 304
      ? `live, as of ${new Date().toLocaleTimeString()}`
      : await answer.text();
  } catch {
    live.textContent = "not live any more: its server has ended";
  }
  setTimeout(ask, {{ every }} * 1000);
}
ask();
{% endif %}
