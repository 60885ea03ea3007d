// Corrections of the list: steps that can be undone, saved as one file for `fastface correct`. It follows people.js.

const steps = [];
let state = stateOf(steps);
let isSaved = true;
let lastChosen = null;
const CORRECTIONS = "people-corrections.json";

// ---- what the steps together mean

function stateOf(made) {
  const found = { groups: [], rejected: new Set(), restored: new Set(), splits: new Map(), names: new Map() };
  const leave = (number) => {
    found.groups = found.groups.map((group) => group.filter((one) => one !== number)).filter((group) => group.length > 1);
    found.rejected.delete(number);
    found.splits.delete(number);
  };
  for (const { kind, numbers, name, video } of made) {
    if (kind === "merge") {
      const members = new Set(numbers.flatMap((number) => found.groups.find((group) => group.includes(number)) ?? [number]));
      members.forEach(leave);
      found.groups.push([...members].sort((one, other) => one - other));
      members.forEach((number) => (name ? found.names.set(number, name) : undefined));
    } else if (kind === "reject") {
      numbers.forEach((number) => { leave(number); found.rejected.add(number); });
    } else if (kind === "keep") {
      numbers.forEach((number) => found.rejected.delete(number));
    } else if (kind === "split") {
      numbers.forEach((number) => { leave(number); found.splits.set(number, []); });
    } else if (kind === "take") {
      const taken = found.splits.get(numbers[0]) ?? [];
      leave(numbers[0]);
      const videos = taken.includes(video) ? taken.filter((one) => one !== video) : [...taken, video];
      if (videos.length) found.splits.set(numbers[0], videos);
    } else if (kind === "name") {
      const group = found.groups.find((one) => one.includes(numbers[0])) ?? numbers;
      group.forEach((number) => found.names.set(number, name));
    } else if (kind === "restore") {
      numbers.forEach((number) => { if (!found.restored.delete(number)) found.restored.add(number); });
    }
  }
  return found;
}

const groupOf = (number) => state.groups.find((group) => group.includes(number)) ?? [number];
const nameOf = (number) => state.names.get(number) ?? people.get(number)?.name ?? "";

function correctionsFile() {
  const leaders = facts.people.map(({ number }) => number).filter((number) => groupOf(number)[0] === number);
  const names = {};
  for (const number of leaders) {
    const given = groupOf(number).map((one) => state.names.get(one)).find((name) => name !== undefined);
    const isNew = given !== undefined && groupOf(number).some((one) => people.get(one).name !== given);
    if (isNew && !state.rejected.has(number)) names[number] = given;
  }
  const ascending = (numbers) => [...numbers].sort((one, other) => one - other);
  const split = ascending(state.splits.keys()).map((number) => [number, ...state.splits.get(number)]);
  const mentioned = new Set([...state.groups.flat(), ...state.rejected, ...state.splits.keys(), ...Object.keys(names).map(Number)]);
  return {
    schema_version: 1, kind: "people", census: facts.census,
    merge: state.groups, split, reject: ascending(state.rejected), restore: ascending(state.restored), names,
    persons: Object.fromEntries(ascending(mentioned).map((number) => [number, people.get(number).marks])),
  };
}

const correctCommand = () => ["fastface", "correct", CORRECTIONS, ...option("-o", "--out", facts.out)].join(" ");

// ---- what is asked for

function take(step) {
  steps.push(step);
  isSaved = false;
  showCorrections();
}

function undo() {
  if (!steps.length) return;
  steps.pop();
  isSaved = !steps.length;
  showCorrections();
}

function complain(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

// What `fastface correct` would refuse is refused here, before the file is saved.
function whyNot(numbers, name) {
  if (/^(\d+|person \d+|everyone|\*)$/.test(name)) return `${name} cannot be the name of a person.`;
  const group = new Set(numbers.flatMap(groupOf));
  const same = facts.people.find(({ number }) => !group.has(number) && !state.rejected.has(number) && nameOf(number) === name);
  return name && same ? `Person ${same.number} is called ${name} too: choose both to join them.` : "";
}

function mergeChosen() {
  const numbers = [...new Set(chosenNumbers().flatMap(groupOf))];
  if (numbers.length < 2) return complain("Choose at least two persons to join.");
  const names = [...new Set(numbers.map(nameOf).filter(Boolean))];
  if (names.length > 1 && !chosenName()) {
    byId("name").focus();
    return complain(`They are called ${names.join(" and ")}: type the name that is right.`);
  }
  const name = chosenName() || names[0] || "";
  const trouble = chosenName() ? whyNot(numbers, name) : "";
  if (trouble) return complain(trouble);
  take({ kind: "merge", numbers, name });
  return done();
}

function nameChosen() {
  const numbers = chosenNumbers();
  if (!numbers.length) return complain("Choose a person first.");
  if (numbers.length > 1 && chosenName()) return mergeChosen();
  const trouble = whyNot(numbers, chosenName());
  if (trouble) return complain(trouble);
  for (const number of numbers) take({ kind: "name", numbers: [number], name: chosenName() });
  return done();
}

function rejectChosen() {
  const numbers = chosenNumbers();
  if (!numbers.length) return complain("Choose a person first.");
  take({ kind: numbers.every((number) => state.rejected.has(number)) ? "keep" : "reject", numbers });
  return done();
}

function splitChosen() {
  if (!chosen.size) return complain("Choose a person first.");
  take({ kind: "split", numbers: chosenNumbers() });
  return done();
}

function done() {
  byId("name").value = "";
  choose(...chosen);
}

// ---- what is shown

function describe(number) {
  if (state.rejected.has(number)) return "will be rejected";
  const others = groupOf(number).filter((one) => one !== number);
  if (others.length) return `will be one person with ${others.map((one) => `#${one}`).join(", ")}`;
  if (!state.splits.has(number)) return nameOf(number) === people.get(number).name ? "" : "new name";
  const videos = state.splits.get(number);
  return videos.length ? `another person in ${videos.join(", ")}` : "will be split into two";
}

function showCorrections() {
  state = stateOf(steps);
  complain("");
  for (const [number, card] of cards) {
    card.classList.toggle("is-rejected", state.rejected.has(number));
    card.querySelector(".title").textContent = card.querySelector(".title").title = titleOf(number);
    card.querySelector(".change").textContent = describe(number);
    for (const cut of card.querySelectorAll(".cut")) {
      cut.setAttribute("aria-pressed", String(state.splits.get(number)?.includes(cut.dataset.video) ?? false));
    }
  }
  for (const made of document.querySelectorAll("#rejected button")) {
    made.setAttribute("aria-pressed", String(state.restored.has(Number(made.dataset.number))));
  }
  byId("corrections").hidden = !steps.length;
  byId("steps").textContent = `${counted(steps.length, "correction")}${isSaved ? ", saved" : ""}`;
  byId("correct").textContent = correctCommand();
  byId("copy-correct").textContent = "Copy";
  byId("hint").hidden = chosen.size > 0 || steps.length > 0;
  showChosen();
}

function takeVideo(person, video) {
  const taken = new Set(state.splits.get(person.number) ?? []);
  if (!taken.has(video) && taken.size + 1 >= person.videos) return complain("One video must stay with the person.");
  return take({ kind: "take", numbers: [person.number], video });
}

function cutButton(person, row) {
  const made = button("cut", "split off", () => takeVideo(person, made.dataset.video));
  made.dataset.video = facts.videos[row.video][0];
  made.title = "The person in this video is another one";
  made.setAttribute("aria-pressed", String(state.splits.get(person.number)?.includes(made.dataset.video) ?? false));
  return made;
}

function showRejected() {
  byId("rejected").hidden = !facts.rejected.length;
  byId("rejected").append("Rejected: ", ...facts.rejected.map((number) => {
    const made = button("restore", `restore person ${number}`, () => take({ kind: "restore", numbers: [number] }));
    made.dataset.number = number;
    made.setAttribute("aria-pressed", "false");
    return made;
  }));
}

// ---- keys and the mouse with shift

const shownCards = () => [...byId("people").children].filter((card) => !card.hidden);

function chooseRange(from, to) {
  const numbers = shownCards().map((card) => Number(card.dataset.number));
  const places = [numbers.indexOf(from), numbers.indexOf(to)];
  const [first, last] = places.includes(-1) ? [places[1], places[1]] : places.sort((one, other) => one - other);
  choose(...numbers.slice(first, last + 1).filter((number) => !chosen.has(number)));
}

function chooseBy(event, number) {
  if (event.shiftKey && lastChosen !== null) chooseRange(lastChosen, number);
  else choose(number);
  lastChosen = number;
}

function move(event, step) {
  const shown = shownCards();
  const place = shown.indexOf(document.activeElement.closest(".card"));
  const card = shown[Math.min(Math.max(place < 0 ? 0 : place + step(shown, place), 0), shown.length - 1)];
  if (!card) return;
  if (event.shiftKey && place >= 0) chooseRange(Number(shown[place].dataset.number), Number(card.dataset.number));
  card.querySelector(".pick").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

const columns = (shown) => shown.filter((card) => card.offsetTop === shown[0].offsetTop).length;
const KEYS = {
  m: mergeChosen, r: rejectChosen, s: splitChosen, u: undo,
  n: () => (chosen.size ? byId("name").focus() : complain("Choose a person first.")),
  a: () => choose(...shownCards().map((card) => Number(card.dataset.number)).filter((number) => !chosen.has(number))),
  Escape: () => choose(...chosen),
  ArrowLeft: (event) => move(event, () => -1), ArrowRight: (event) => move(event, () => 1),
  ArrowUp: (event) => move(event, (shown) => -columns(shown)), ArrowDown: (event) => move(event, (shown) => columns(shown)),
};

function press(event) {
  if (event.target.closest("input, select")) {
    if (event.target === byId("name") && event.key === "Enter") nameChosen();
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const isUndo = (event.ctrlKey || event.metaKey) && event.key === "z";
  const action = isUndo ? undo : event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
  if (!action || !people.size) return;
  event.preventDefault();
  action(event);
}

function beginCorrections() {
  showRejected();
  const actions = { merge: mergeChosen, reject: rejectChosen, split: splitChosen, rename: nameChosen, undo };
  for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
  byId("save-corrections").addEventListener("click", () => {
    download(CORRECTIONS, correctionsFile());
    isSaved = true;
    showCorrections();
  });
  byId("copy-correct").addEventListener("click", () => copy("copy-correct", "correct", correctCommand()));
  byId("people").addEventListener("mousedown", (event) => (event.shiftKey ? event.preventDefault() : undefined));
  document.addEventListener("keydown", press);
  addEventListener("beforeunload", (event) => (isSaved ? undefined : event.preventDefault()));
}

begin();
beginCorrections();
