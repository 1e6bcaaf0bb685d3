
"use strict";
(() => {
  // Everything that is shown is text: names of processes are whatever those chose.
  const { texts, tables } = JSON.parse(document.getElementById("data").textContent);
  const SHOWN = 50;
  const PRINTED = 1000;
  const LEVELS = ["info", "low", "medium", "high"];
  const WIDE = 36;

  const apart = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

  const size = (bytes) => {
    if (bytes < 1000) return bytes + " B";
    let value = bytes;
    for (const unit of ["KB", "MB", "GB", "TB", "PB", "EB"]) {
      value /= 1000;
      if (value < 1000 || unit === "EB") {
        const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
        const scale = 10 ** digits;
        return (Math.floor(value * scale) / scale).toFixed(digits) + " " + unit;
      }
    }
  };

  const isWords = (kind) => kind === "text" || kind === "address" || kind === "level";

  const shown = (kind, cell) => {
    if (cell === null) return "";
    if (isWords(kind)) return texts[cell];
    if (kind === "time") return new Date(cell).toISOString().slice(0, 19).replace("T", " ");
    if (kind === "bytes") return size(cell);
    return kind === "count" ? apart(cell) : String(cell);
  };

  // What of two addresses comes first: IPv4, then IPv6, by their numbers; then the port.
  const order = new Map();
  const addressKey = (place) => {
    let key = order.get(place);
    if (key !== undefined) return key;
    const text = texts[place];
    const six = text.startsWith("[") || (text.match(/:/g) || []).length > 1;
    let [ip, port] = [text, ""];
    if (six) {
      const end = text.indexOf("]");
      if (end > 0) [ip, port] = [text.slice(1, end), text.slice(end + 2)];
      const [head, tail = ""] = ip.split("::");
      const left = head ? head.split(":") : [];
      const right = tail ? tail.split(":") : [];
      const zeros = ip.includes("::") ? Array(Math.max(0, 8 - left.length - right.length)).fill("0") : [];
      key = "6" + [...left, ...zeros, ...right].map((part) => part.padStart(4, "0")).join("");
    } else if (/^\d+\.\d+\.\d+\.\d+/.test(text)) {
      [ip, port = ""] = text.split(":");
      key = "4" + ip.split(".").map((part) => part.padStart(3, "0")).join("");
    } else {
      key = "7" + text;
    }
    key += "/" + port.padStart(5, "0");
    order.set(place, key);
    return key;
  };

  const keyOf = (kind, cell) => {
    if (cell === null) return null;
    if (kind === "address") return addressKey(cell);
    if (kind === "level") return LEVELS.indexOf(texts[cell]);
    return kind === "text" ? texts[cell].toLowerCase() : cell;
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const classOf = ({ kind, aside }) => (kind === "count" || kind === "bytes" ? "number" : kind) + (aside ? " aside" : "");

  const start = (table) => {
    const root = document.getElementById(table.id);
    if (!root) return;
    const body = root.querySelector("tbody");
    const heads = [...root.querySelectorAll("th")];
    const { columns, rows } = table;
    let { sorted, descending } = table;
    let found = rows.map((_, at) => at);
    let page = 0;
    let each = SHOWN;
    const sought = new Array(rows.length);

    const words = (at) => {
      if (sought[at] === undefined) {
        sought[at] = rows[at].map((cell, column) => shown(columns[column].kind, cell)).join("\n").toLowerCase();
      }
      return sought[at];
    };

    const cellOf = (column, cell) => {
      const text = shown(column.kind, cell);
      const made = element("td", classOf(column), text);
      if (column.kind === "text" && text.length > WIDE) made.classList.add("wide");
      if (column.kind === "level" && LEVELS.includes(text)) made.classList.add(text);
      return made;
    };

    const draw = () => {
      const first = page * each;
      const drawn = document.createDocumentFragment();
      for (const at of found.slice(first, first + each)) {
        const row = document.createElement("tr");
        rows[at].forEach((cell, column) => row.append(cellOf(columns[column], cell)));
        drawn.append(row);
      }
      body.replaceChildren(drawn);
      const last = Math.min(first + each, found.length);
      const of = found.length === rows.length ? "" : " found, of " + apart(rows.length);
      count.textContent = found.length === 0 ? "nothing found" : apart(first + 1) + "–" + apart(last) + " of " + apart(found.length) + of;
      before.disabled = page === 0;
      after.disabled = last >= found.length;
      before.hidden = after.hidden = found.length <= each;
    };

    const sort = () => {
      const kind = columns[sorted].kind;
      const keys = rows.map((row) => keyOf(kind, row[sorted]));
      const way = descending ? -1 : 1;
      found.sort((one, other) => {
        const [a, b] = [keys[one], keys[other]];
        // What is not known comes last, either way.
        if (a === null || b === null) return (a === null) - (b === null) || one - other;
        return a < b ? -way : a > b ? way : one - other;
      });
      heads.forEach((head, at) => {
        if (at === sorted) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
    };

    const search = () => {
      const parts = input.value.toLowerCase().split(/\s+/).filter((part) => part);
      found = [];
      for (let at = 0; at < rows.length; at++) {
        if (parts.length === 0 || parts.every((part) => words(at).includes(part))) found.push(at);
      }
      page = 0;
      if (hasSorted) sort();
      draw();
    };

    let hasSorted = false;
    heads.forEach((head, at) => {
      head.dataset.sortable = "";
      head.tabIndex = 0;
      const turn = () => {
        const kind = columns[at].kind;
        const most = kind === "count" || kind === "bytes" || kind === "level";
        descending = at === sorted ? !descending : most;
        sorted = at;
        page = 0;
        hasSorted = true;
        sort();
        draw();
      };
      head.addEventListener("click", turn);
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          turn();
        }
      });
    });

    const controls = element("div", "controls");
    const input = element("input");
    input.type = "search";
    input.placeholder = "Search";
    input.setAttribute("aria-label", "Search in this table");
    let waits;
    input.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(search, rows.length > 5000 ? 200 : 0);
    });
    const count = element("span", "count");
    count.setAttribute("role", "status");
    const before = element("button", "", "Previous");
    const after = element("button", "", "Next");
    before.type = after.type = "button";
    before.addEventListener("click", () => { page--; draw(); });
    after.addEventListener("click", () => { page++; draw(); });
    controls.append(input, count, before, after);
    root.prepend(controls);
    draw();

    // On paper nobody turns pages.
    addEventListener("beforeprint", () => { [page, each] = [0, PRINTED]; draw(); });
    addEventListener("afterprint", () => { each = SHOWN; draw(); });
  };

  tables.forEach(start);
})();
