// Names, reasons and paths are others' text: see page.js.

const { targets, spans, near } = facts;
const videos = facts.videos.map(([id, address, length, offset, isFilm, state]) => ({ id, address, length, offset, isFilm, state }));

// ---- items: the spans, then the near misses

const NUM_SPANS = spans.video.length;
const NUM_ITEMS = NUM_SPANS + near.video.length;
const isNear = (item) => item >= NUM_SPANS;
const read = (item, column) => (isNear(item) ? near[column][item - NUM_SPANS] : spans[column][item]);
const videoOf = (item) => read(item, "video");
const targetOf = (item) => read(item, "target");
const startOf = (item) => read(item, "start");
const endOf = (item) => read(item, "end");
// An expression of --where is no person: its spans follow from the decisions on its persons.
const expressions = new Set(facts.expressions);
const persons = targets.map((_, target) => target).filter((target) => !expressions.has(target));
const isDecidable = (item) => isNear(item) || !expressions.has(targetOf(item));
const scoreOf = (item) => read(item, "best") ?? 0;

const itemsOf = videos.map(() => []);
for (let item = 0; item < NUM_ITEMS; item += 1) itemsOf[videoOf(item)].push(item);

const seconds = new Map(); // video → target → seconds of all spans, also of those that the page does not list
for (const [video, target, time] of facts.pairs) {
  if (!seconds.has(video)) seconds.set(video, new Map());
  seconds.get(video).set(target, time);
}
const secondsOf = (video, target) => {
  const found = seconds.get(video);
  if (!found) return 0;
  if (target >= 0) return found.get(target) ?? 0;
  return [...found.values()].reduce((sum, time) => sum + time, 0);
};

const pictures = new Map();
function pictureOf(item) {
  const video = videoOf(item);
  if (!pictures.has(video)) {
    const held = JSON.parse(byId(`pictures-${video}`)?.textContent ?? "[]");
    pictures.set(video, new Map(held.map(([one, time, jpeg]) => [one, { time, jpeg }])));
  }
  return pictures.get(video).get(item);
}

// ---- text

const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const shown = (text) => text.replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
const label = (target) => shown(targets[target]);
const countTargets = (count) => (expressions.size ? counted(count, "person or expression", "persons and expressions") : counted(count, "person"));
const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

function when(item) {
  const picture = isNear(item) ? "" : spans.picture[item];
  return picture ? shown(picture) : `${instant(startOf(item))} – ${instant(endOf(item))}`;
}

// ---- elements

function named(text, name = "") {
  const made = element("bdi", name, shown(text));
  made.title = shown(text);
  return made;
}

function image(item, name = "") {
  const picture = pictureOf(item);
  if (!picture) return element("span", `picture is-empty ${name}`);
  const made = element("img", `picture ${name}`);
  made.decoding = "async";
  made.alt = `${label(targetOf(item))}, ${shown(videos[videoOf(item)].id)} at ${instant(picture.time)}`;
  made.src = `data:image/jpeg;base64,${picture.jpeg}`;
  return made;
}

// ---- rows: only those near the window are elements

const MARGIN = 600;
const MOST_PRINTED = 300;
const allRows = [];

class Rows {
  // `make(key)` builds the row of a key; `heightOf(key)` is its height in pixels.
  constructor(host, heightOf, make) {
    Object.assign(this, { host, heightOf, make, keys: [], tops: [0], made: new Map(), isPrinted: false });
    allRows.push(this);
  }

  show(keys) {
    this.keys = keys;
    this.tops = new Float64Array(keys.length + 1);
    for (const [place, key] of keys.entries()) this.tops[place + 1] = this.tops[place] + this.heightOf(key);
    this.made.clear();
    this.host.replaceChildren();
    this.host.style.height = `${this.tops[keys.length]}px`;
    this.update();
  }

  find(position) {
    let [low, high] = [0, this.keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  update() {
    if (this.isPrinted || !this.host.offsetParent) return;
    const top = this.host.getBoundingClientRect().top;
    const first = this.find(-top - MARGIN);
    const last = Math.min(this.keys.length - 1, this.find(innerHeight - top + MARGIN));
    for (const [place, row] of this.made) {
      if ((place < first || place > last) && !row.contains(document.activeElement)) {
        row.remove();
        this.made.delete(place);
      }
    }
    for (let place = first; place <= last; place += 1) this.build(place);
  }

  build(place) {
    if (this.made.has(place)) return;
    const row = this.make(this.keys[place], place);
    row.style.top = `${this.tops[place]}px`;
    row.style.height = `${this.tops[place + 1] - this.tops[place]}px`;
    this.made.set(place, row);
    // In the order of the list, which is that of the tab key.
    const next = [...this.made.keys()].filter((other) => other > place).sort((one, other) => one - other)[0];
    this.host.insertBefore(row, next === undefined ? null : this.made.get(next));
  }

  refresh() { this.show(this.keys); }

  reveal(place) {
    const top = this.host.getBoundingClientRect().top + this.tops[place];
    const bottom = top + this.tops[place + 1] - this.tops[place];
    const head = byId("tools").getBoundingClientRect().bottom;
    if (top < head || bottom > innerHeight - 90) scrollBy(0, top - (innerHeight - (bottom - top)) / 2);
    this.update();
  }

  print(isPrinted) {
    this.isPrinted = isPrinted;
    this.host.classList.toggle("is-printed", isPrinted);
    if (!isPrinted) { this.refresh(); return; }
    for (let place = 0; place < Math.min(this.keys.length, MOST_PRINTED); place += 1) this.build(place);
    const more = this.keys.length - MOST_PRINTED;
    if (more > 0) this.host.append(element("p", "note", `and ${more.toLocaleString("en")} more: see spans.csv and review.csv`));
  }
}

// ---- filter

const filter = { target: -1, words: [] };
const isFound = (video) => {
  const name = videos[video].id.toLowerCase();
  return filter.words.every((word) => name.includes(word));
};

function foundItems(kind) {
  const found = [];
  for (const [video, items] of itemsOf.entries()) {
    if (!items.length || !isFound(video)) continue;
    for (const item of items) {
      if ((filter.target < 0 || targetOf(item) === filter.target) && (kind === "both" || isNear(item) === (kind === "near"))) found.push(item);
    }
  }
  return found;
}

// ---- table of screen time

const order = { matrix: { by: "name", isDown: false }, spans: { by: "video", isDown: false } };

function sorter(state, by, text, redraw, isDownFirst = true) {
  const made = button("sort", text, () => {
    state.isDown = state.by === by ? !state.isDown : isDownFirst;
    state.by = by;
    redraw();
  });
  const cell = element("div", "cell", made);
  cell.setAttribute("role", "columnheader");
  const isSorted = state.by === by;
  cell.setAttribute("aria-sort", isSorted ? (state.isDown ? "descending" : "ascending") : "none");
  if (isSorted) made.append(element("span", "arrow", state.isDown ? "↓" : "↑"));
  made.title = text;
  return cell;
}

function cell(name, ...parts) {
  const made = element("div", `cell ${name}`, ...parts);
  made.setAttribute("role", "cell");
  return made;
}

function row(name, ...cells) {
  const made = element("div", `row ${name}`, ...cells);
  made.setAttribute("role", "row");
  return made;
}

const shownTargets = () => targets.map((_, target) => target).filter((target) => filter.target < 0 || target === filter.target);
let most = 1;

function matrixRow(video) {
  const cells = shownTargets().map((target) => {
    const time = secondsOf(video, target);
    const made = cell("time", time ? button("", length(time), () => goToVideo(video, target)) : "");
    if (time) made.style.setProperty("--heat", `${Math.round(5 + 33 * Math.sqrt(time / most))}%`);
    made.classList.toggle("is-seen", time > 0);
    return made;
  });
  return row("", cell("video", named(videos[video].id)), ...cells, cell("time sum", length(secondsOf(video, filter.target))));
}

const matrixRows = new Rows(byId("matrix-rows"), () => 36, matrixRow);

function showMatrix() {
  const state = order.matrix;
  const found = videos.map((_, video) => video).filter(isFound);
  const value = (video) => secondsOf(video, state.by === "all" ? filter.target : state.by);
  const sign = state.isDown ? -1 : 1;
  if (state.by !== "name") found.sort((one, other) => sign * (value(one) - value(other)) || one - other);
  else if (state.isDown) found.reverse();
  const listed = shownTargets();
  most = Math.max(1, ...found.map((video) => Math.max(0, ...listed.map((target) => secondsOf(video, target)))));
  const sums = [...listed, filter.target].map((target) => found.reduce((sum, video) => sum + secondsOf(video, target), 0));
  const heads = listed.map((target) => sorter(state, target, label(target), showMatrix));
  const head = row("head", sorter(state, "name", "video", showMatrix, false), ...heads, sorter(state, "all", "all", showMatrix));
  const total = row("total", cell("video", counted(found.length, "video")), ...sums.map((sum) => cell("time", sum ? length(sum) : "")));
  byId("matrix").style.setProperty("--columns", listed.length);
  byId("matrix-head").replaceChildren(head, total);
  matrixRows.show(found);
  return found.length;
}

// ---- table of spans and near misses

const COLUMNS = {
  person: [(item) => targetOf(item), "person", false],
  video: [(item) => videoOf(item), "video", false],
  start: [(item) => startOf(item), "start", false],
  length: [(item) => endOf(item) - startOf(item), "length", true],
  score: [(item) => scoreOf(item), "similarity", true],
  hits: [(item) => read(item, isNear(item) ? "faces" : "hits"), "faces", true],
};

function spanRow(item) {
  const play = button("play", image(item), () => playItem(item));
  play.setAttribute("aria-label", `Play ${label(targetOf(item))}, ${when(item)}`);
  const made = row(
    isNear(item) ? "is-near" : "",
    cell("face", play),
    cell("person", named(targets[targetOf(item)]), isNear(item) ? element("span", "tag", "near miss") : ""),
    cell("video", named(videos[videoOf(item)].id)),
    cell("when", when(item)),
    cell("number length", length(endOf(item) - startOf(item))),
    cell("number score", score(read(item, "best"))),
    cell("number hits", read(item, isNear(item) ? "faces" : "hits").toLocaleString("en")),
    cell("state", ...verdictText(item)),
  );
  made.addEventListener("click", (event) => { if (!event.target.closest("button") && getSelection().isCollapsed) playItem(item); });
  made.classList.toggle("is-current", item === playing);
  return made;
}

const spanRows = new Rows(byId("span-rows"), () => (innerWidth <= 720 ? 84 : 60), spanRow);

function showSpans() {
  const state = order.spans;
  const [value] = COLUMNS[state.by];
  const sign = state.isDown ? -1 : 1;
  const found = foundItems(byId("kind").value);
  found.sort((one, other) => sign * (value(one) - value(other)) || videoOf(one) - videoOf(other) || startOf(one) - startOf(other));
  const heads = Object.entries(COLUMNS).map(([by, [, text, isDown]]) => sorter(state, by, text, showSpans, isDown));
  byId("span-head").replaceChildren(row("head", cell("face", ""), ...heads, cell("state", "decision")));
  spanRows.show(found);
  return found.length;
}
