// Labels, videos and the command are others' text: see page.js.

const { targets, items } = facts;
const answers = new Map(); // item → { persons: numbers from 1, unsure }
const picked = new Map(); // item → numbers chosen so far, where several persons may be seen
const rows = [];
let current = 0;
let typed = "";
let isSaved = true;

// ---- text

const named = (number) => targets[number - 1];
const listed = (numbers) => numbers.map(named).join(", ");
const isMany = (item) => !item.isFace && item.role !== "hit";
const isYesNo = (item) => item.target !== null || item.choices.length === 1;
const wanted = (item) => (item.target ?? item.choices[0]) + 1;
const others = (item) => item.choices.map((place) => place + 1).filter((number) => !isYesNo(item) || number !== wanted(item));

function ask(item) {
  const name = isYesNo(item) ? named(wanted(item)) : "";
  if (item.isFace) return name ? ["Is this ", name, "?"] : ["Is this one of them? Which?"];
  if (item.role === "beside") return name ? ["Is ", name, " also on screen, outside the boxes?"] : ["Is one of them also on screen, outside the boxes? Who?"];
  return name ? ["Is ", name, " on screen?"] : ["Is one of these persons on screen? Who?"];
}

function hint(item) {
  if (item.isFace) return "The face in the box.";
  if (isMany(item)) return isYesNo(item) ? "Persons seen from behind count too." : "Persons seen from behind count too. Several are possible: type their numbers, then y.";
  return "";
}

function said(item) {
  const answer = answers.get(item);
  if (!answer) return "";
  if (answer.unsure) return "unsure";
  if (answer.persons.length) return isYesNo(item) && answer.persons[0] === wanted(item) ? "yes" : listed(answer.persons);
  return isYesNo(item) && !others(item).length ? "no" : "none of them";
}

// ---- rows

function answerButton(text, key, action, name = "") {
  const made = element("button", name);
  made.type = "button";
  made.append(element("kbd", "", key), element("bdi", "", text));
  made.addEventListener("click", action);
  return made;
}

function image(base64, alt) {
  const made = document.createElement("img");
  made.decoding = "async";
  made.alt = alt;
  made.src = `data:image/jpeg;base64,${base64}`;
  return made;
}

function photo(number) {
  const held = byId(`photo-${number - 1}`);
  if (!held) return [];
  const made = element("figure", "");
  made.append(image(JSON.parse(held.textContent), `Photo of ${named(number)}`), element("figcaption", "", named(number)));
  return [made];
}

function fill(row, item) {
  const [frame, close] = JSON.parse(byId(`moment-${item.id}`).textContent);
  row.querySelector(".frame").append(image(frame, `${item.video} at ${instant(item.time)}`));
  const faces = row.querySelector(".faces");
  if (close) {
    const made = element("figure", "");
    made.append(image(close, "The face, closer"), element("figcaption", "", "the face"));
    faces.append(made);
  }
  if (isYesNo(item)) faces.append(...photo(wanted(item)));
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    fill(target, items[rows.indexOf(target)]);
  }
}, { rootMargin: "1500px 0px" });

function makeRow(item, place) {
  const row = byId("row").content.firstElementChild.cloneNode(true);
  row.querySelector(".number").textContent = `${place + 1}`;
  row.querySelector(".video").textContent = item.video;
  row.querySelector(".time").textContent = instant(item.time);
  for (const [part, text] of ask(item).entries()) row.querySelector(".question").append(part === 1 ? element("bdi", "", text) : text);
  row.querySelector(".hint").textContent = hint(item);
  const act = (action) => () => { goTo(place, false); action(); };
  const plain = row.querySelector(".answers");
  if (isYesNo(item)) plain.append(answerButton("yes", "y", act(() => yes())));
  plain.append(answerButton(others(item).length ? "none of them" : "no", "n", act(() => give([]))), answerButton("unsure", "u", act(() => give([], true))));
  const more = row.querySelector(".others");
  const numbers = others(item);
  if (isYesNo(item) && numbers.length) more.append(element("span", "", "no, it is"));
  for (const number of numbers) {
    const made = answerButton(named(number), String(number), act(() => choose(number)), "who");
    made.dataset.number = number;
    more.append(made);
  }
  if (isMany(item) && !isYesNo(item)) more.append(answerButton("these", "y", act(() => yes()), "these"));
  row.addEventListener("click", (event) => { if (!event.target.closest("button")) goTo(place, false); });
  near.observe(row);
  return row;
}

function show(place) {
  const [item, row] = [items[place], rows[place]];
  const answer = answers.get(item);
  row.classList.toggle("is-answered", Boolean(answer));
  row.classList.toggle("is-unsure", Boolean(answer?.unsure));
  row.classList.toggle("is-current", place === current);
  row.querySelector(".answer").textContent = said(item);
  const held = picked.get(item) ?? answer?.persons ?? [];
  for (const made of row.querySelectorAll(".who")) made.setAttribute("aria-pressed", String(held.includes(Number(made.dataset.number))));
  for (const made of row.querySelectorAll(".these")) made.disabled = !held.length;
}

function goTo(place, moves = true) {
  const before = current;
  current = Math.max(0, Math.min(items.length - 1, place));
  typed = "";
  show(before);
  show(current);
  if (!moves) return;
  rows[current].scrollIntoView({ block: "center" });
  rows[current].focus({ preventScroll: true });
}

// ---- answers

function give(persons, unsure = false) {
  const item = items[current];
  answers.set(item, { persons, unsure });
  picked.delete(item);
  isSaved = false;
  window.onbeforeunload = (event) => event.preventDefault();
  showProgress();
  show(current);
  const open = [...items.keys()].map((step) => (current + 1 + step) % items.length).find((place) => !answers.has(items[place]));
  if (open !== undefined) goTo(open);
}

function choose(number) {
  const item = items[current];
  if (!item.choices.includes(number - 1)) return;
  if (!isMany(item) || isYesNo(item)) { give([number]); return; }
  const held = new Set(picked.get(item) ?? answers.get(item)?.persons ?? []);
  if (!held.delete(number)) held.add(number);
  picked.set(item, [...held].sort((one, other) => one - other));
  show(current);
}

function yes() {
  const item = items[current];
  if (isYesNo(item)) give([wanted(item)]);
  else if (isMany(item) && (picked.get(item) ?? answers.get(item)?.persons ?? []).length) give(picked.get(item) ?? answers.get(item).persons);
}

// With ten targets and more a number has several digits: it counts once no longer one can begin so, or with Enter.
function type(digit) {
  typed += digit;
  const number = Number(typed);
  if (number * 10 > targets.length || number === 0) finishNumber();
}

function finishNumber() {
  const number = Number(typed);
  typed = "";
  if (number >= 1 && number <= targets.length) choose(number);
}

function showProgress() {
  const unsure = [...answers.values()].filter((answer) => answer.unsure).length;
  const text = `${answers.size} of ${items.length} answered`;
  byId("progress").textContent = text + (unsure ? `, ${unsure} of them unsure` : "");
  byId("meter").style.width = `${(100 * answers.size) / Math.max(1, items.length)}%`;
  byId("save").disabled = !answers.size;
  byId("saved").hidden = !isSaved || !answers.size;
}

function save() {
  if (!answers.size) return;
  const list = items.filter((item) => answers.has(item)).map((item) => ({ id: item.id, ...answers.get(item) }));
  const content = { schema_version: 1, audit: facts.audit, seed: facts.seed, answers: list };
  download("audit.json", content);
  isSaved = true;
  window.onbeforeunload = null;
  showProgress();
}

const KEYS = {
  y: yes,
  n: () => give([]),
  u: () => give([], true),
  s: save,
  ArrowDown: () => goTo(current + 1),
  ArrowUp: () => goTo(current - 1),
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !items.length) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (/^[0-9]$/.test(event.key)) type(event.key);
  else if (event.key === "Enter" && typed) finishNumber();
  else if (action) { typed = ""; action(); } else return;
  event.preventDefault();
}

// ---- start

function begin() {
  byId("empty").hidden = items.length > 0;
  byId("bar").hidden = !items.length;
  byId("number-key").hidden = targets.length < 2;
  byId("command").textContent = facts.command;
  rows.push(...items.map(makeRow));
  byId("rows").append(...rows);
  byId("save").addEventListener("click", save);
  document.addEventListener("keydown", press);
  showProgress();
  for (const place of items.keys()) show(place);
}

begin();
