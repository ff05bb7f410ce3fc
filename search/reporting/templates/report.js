"use strict";

// A click on a heading sorts by it, a second one the other way round; what does not exist stays last.
for (const table of document.querySelectorAll("table.trials")) {
  const body = table.tBodies[0];
  const headings = [...table.querySelectorAll("thead th")];
  for (const button of table.querySelectorAll("thead button")) {
    const heading = button.parentElement;
    button.onclick = () => {
      const sign = heading.ariaSort === "ascending" ? -1 : 1;
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.ariaSort = sign === 1 ? "ascending" : "descending";
      const key = (row) => row.cells[heading.cellIndex].dataset.by;
      const compare = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
      };
      body.append(...[...body.rows].sort(compare));
    };
  }
}

// Rows stay that hold every word of the filter.
const filter = document.querySelector("#filter");
if (filter) {
  const rows = [...document.querySelectorAll("table.trials tbody tr")];
  filter.oninput = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.innerText.toLowerCase() || row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    document.querySelector("#filtered").textContent = `${left} of ${rows.length}`;
  };
}

// What goes on beyond the right edge fades there.
for (const box of document.querySelectorAll(".wide")) {
  const look = () =>
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  box.onscroll = look;
  new ResizeObserver(look).observe(box);
  look();
}
