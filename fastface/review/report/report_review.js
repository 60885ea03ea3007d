// ---- decisions: item → { verdict, person }, person is the place of another target

const verdicts = new Map();
const steps = []; // for undo: lists of [item, verdict before]
const STORE = `fastface-report-${facts.digest}-${NUM_ITEMS}`;
let isSaved = true;
let isKept = true;

const WORDS = { confirmed: "confirmed", rejected: "rejected" };
const verdictWords = ({ verdict, person }) => WORDS[verdict] ?? `is ${label(person)}`;
const MARKS = { confirmed: "✓", rejected: "✗", given: "→" };

// Spans that an earlier decision confirmed: in part, if they have other hits too.
function earlierWords(item) {
  const count = isNear(item) || !isDecidable(item) ? 0 : spans.decided[item] ?? 0;
  if (!count) return "";
  return count < spans.hits[item] ? "confirmed earlier in part" : "confirmed earlier";
}

const isOpen = (item) => !verdicts.has(item) && earlierWords(item) !== "confirmed earlier";
const decisionWords = (item) => (verdicts.has(item) ? verdictWords(verdicts.get(item)) : earlierWords(item));
const decisionClass = (item) => verdicts.get(item)?.verdict ?? (isOpen(item) ? "" : "confirmed");

function verdictText(item) {
  const words = decisionWords(item);
  const verdict = verdicts.get(item)?.verdict ?? "confirmed";
  return words ? [element("span", `mark ${verdict}`, `${MARKS[verdict]} `, words)] : [];
}

function decide(items, verdict, person = null) {
  steps.push(items.map((item) => [item, verdicts.get(item)]));
  for (const item of items) verdicts.set(item, { verdict, person });
  changed(items);
}

function takeBack(item) {
  if (item !== null && verdicts.has(item)) {
    steps.push([[item, verdicts.get(item)]]);
    verdicts.delete(item);
    changed([item]);
    return;
  }
  const step = steps.pop();
  if (!step) return;
  for (const [one, before] of step) {
    if (before) verdicts.set(one, before);
    else verdicts.delete(one);
  }
  changed(step.map(([one]) => one));
  if (!byId("review").hidden && step.length) goTo(step[0][0]);
}

function changed(items) {
  isSaved = false;
  keep();
  showBar();
  for (const item of items.length > 200 ? [] : items) {
    for (const made of document.querySelectorAll(`.item[data-item="${item}"]`)) {
      made.setAttribute("class", `item ${isNear(item) ? "is-near" : ""} ${decisionClass(item)}`);
      made.setAttribute("aria-label", describe(item));
    }
  }
  if (items.length > 200) videoRows.refresh();
  if (!byId("spans").hidden) spanRows.refresh();
  if (!byId("review").hidden) { queueRows.refresh(); showCard(); }
  if (playing !== null) byId("player-answers").replaceChildren(...verdictButtons(playing));
}

// A page on a disk may have no storage, or a full one: then the browser warns before the page closes.
function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify([...verdicts].map(([item, { verdict, person }]) => [item, verdict, person])));
    isKept = true;
  } catch {
    isKept = false;
  }
  window.onbeforeunload = isSaved || isKept ? null : (event) => event.preventDefault();
}

function recall() {
  try {
    for (const [item, verdict, person] of JSON.parse(localStorage.getItem(STORE) ?? "[]")) {
      if (item >= 0 && item < NUM_ITEMS && verdict in MARKS && (verdict !== "given" || targets[person] !== undefined)) verdicts.set(item, { verdict, person });
    }
  } catch { /* nothing is kept, or another program wrote it */ }
  isSaved = !verdicts.size;
}

function decisions() {
  return [...verdicts].sort(([one], [other]) => one - other).map(([item, { verdict, person }]) => ({
    video: videos[videoOf(item)].id,
    target: targets[targetOf(item)],
    start: startOf(item),
    end: endOf(item),
    what: isNear(item) ? "near_miss" : "span",
    verdict,
    person: verdict === "given" ? targets[person] : null,
  }));
}

function save() {
  if (!verdicts.size) return;
  const content = { schema_version: 1, kind: "decisions", decisions: decisions() };
  download("decisions.json", content);
  isSaved = true;
  keep();
  showBar();
}

function showBar() {
  const counts = { confirmed: 0, rejected: 0, given: 0 };
  for (const { verdict } of verdicts.values()) counts[verdict] += 1;
  const parts = Object.entries(counts).filter(([, count]) => count).map(([verdict, count]) => `${count.toLocaleString("en")} ${verdict === "given" ? "given to another person" : verdict}`);
  byId("bar").hidden = !verdicts.size && !steps.length;
  byId("count").textContent = verdicts.size ? `${counted(verdicts.size, "decision")}: ${parts.join(", ")}` : "No decision";
  byId("saved").hidden = !isSaved || !verdicts.size;
  byId("save").disabled = !verdicts.size;
  byId("undo").disabled = !steps.length;
}

async function copy() {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an old browser, or one that trusts no page on a disk
    getSelection().selectAllChildren(byId("command"));
    if (!document.execCommand("copy")) return;
  }
  byId("copy").textContent = "Copied";
}

// ---- answers of one item

const FOLLOWS = "Spans of an expression follow from your decisions on its persons. Search with --persons to see the spans of the persons.";

function verdictButtons(item) {
  if (!isDecidable(item)) return [element("p", "faint", FOLLOWS)];
  const held = verdicts.get(item);
  const act = (verdict) => () => answer(item, verdict);
  const made = [
    [act("confirmed"), "y", "yes", "confirmed"],
    [act("rejected"), "n", "no", "rejected"],
    [() => ask(item), "g", "another person", "given"],
  ].map(([action, key, text, verdict]) => {
    const one = button(`verdict ${verdict}`, "", action);
    one.append(element("kbd", "", key), element("span", "", verdict === "given" && held?.verdict === "given" ? label(held.person) : text));
    one.setAttribute("aria-pressed", String(held?.verdict === verdict));
    return one;
  });
  made[2].disabled = persons.length < 2;
  if (persons.length < 2) made[2].title = "The answer has no other person";
  const undo = button("verdict", "", () => takeBack(item));
  undo.append(element("kbd", "", "u"), element("span", "", "undo"));
  undo.disabled = !held && !steps.length;
  return [...made, undo];
}

function answer(item, verdict, person = null) {
  decide([item], verdict, person);
  if (byId("review").hidden || item !== current()) return;
  const next = queue.findIndex((one, place) => place > at && isOpen(one));
  const open = next >= 0 ? next : queue.findIndex(isOpen);
  if (open >= 0) goTo(queue[open]);
}

let asked = null;
function ask(item) {
  if (persons.length < 2) return;
  asked = item;
  byId("give-title").replaceChildren("This is not ", named(targets[targetOf(item)]), ", but:");
  const others = persons.filter((target) => target !== targetOf(item));
  byId("give-list").replaceChildren(...others.map((target, place) => {
    const made = button("verdict", "", () => give(target));
    if (place < 9) made.append(element("kbd", "", String(place + 1)));
    made.append(named(targets[target]));
    made.dataset.target = target;
    return made;
  }));
  byId("give").showModal();
  byId("give-list").firstElementChild.focus();
}

function give(target) {
  byId("give").close();
  answer(asked, "given", target);
}

function pressInDialog(event) {
  if (!byId("give").open) return; // a closed dialog keeps the focus until the page is drawn again
  const made = [...byId("give-list").children];
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (/^[1-9]$/.test(event.key)) made[Number(event.key) - 1]?.click();
  else if (step) made[(made.indexOf(document.activeElement) + step + made.length) % made.length].focus();
  else return;
  event.preventDefault();
}

// ---- one after the other

let queue = [];
let at = 0;
const current = () => queue[at] ?? null;
const THUMB = 92;
let columns = 1;

function thumb(item, place) {
  const made = button("thumb", image(item), () => goTo(item));
  made.append(element("span", "", score(read(item, "best"))));
  made.setAttribute("role", "option");
  made.setAttribute("aria-label", describe(item));
  made.setAttribute("aria-selected", String(place === at));
  made.tabIndex = -1;
  const verdict = decisionClass(item);
  if (verdict) made.append(element("i", `mark ${verdict}`, MARKS[verdict]));
  made.classList.toggle("is-current", place === at);
  made.classList.toggle("is-near", isNear(item));
  return made;
}

const queueRows = new Rows(byId("queue"), () => THUMB + 30, (first) => {
  const made = element("div", "thumbs");
  for (let place = first; place < Math.min(queue.length, first + columns); place += 1) made.append(thumb(queue[place], place));
  return made;
});

const ORDERS = {
  low: (one, other) => scoreOf(one) - scoreOf(other),
  high: (one, other) => scoreOf(other) - scoreOf(one),
  time: (one, other) => videoOf(one) - videoOf(other) || startOf(one) - startOf(other),
};

function showReview() {
  const held = current();
  queue = foundItems(byId("review-kind").value).filter(isDecidable).sort((one, other) => ORDERS[byId("review-order").value](one, other) || one - other);
  if (byId("open-only").checked) queue = queue.filter(isOpen);
  at = Math.max(0, queue.indexOf(held));
  columns = Math.max(1, Math.floor(byId("queue").clientWidth / (THUMB + 8)));
  const firsts = [];
  for (let first = 0; first < queue.length; first += columns) firsts.push(first);
  queueRows.show(firsts);
  showCard();
  showBulk();
  byId("follows").hidden = !expressions.size;
  byId("follows").textContent = FOLLOWS;
  return queue.length;
}

function goTo(item) {
  const place = queue.indexOf(item);
  if (place < 0) return;
  const moved = [Math.floor(at / columns), Math.floor(place / columns)];
  at = place;
  for (const one of moved) {
    const row = queueRows.made.get(one);
    if (row) row.replaceChildren(...queueRows.make(queueRows.keys[one]).children);
  }
  showCard();
  const row = queueRows.made.get(moved[1]);
  const box = row?.getBoundingClientRect();
  if (!box || box.bottom > innerHeight - 70) queueRows.reveal(moved[1]);
}

function compared(item) {
  const others = spansOf(targetOf(item)).filter((one) => one !== item && pictureOf(one) && verdicts.get(one)?.verdict !== "rejected");
  return others.slice(0, 6);
}

const best = new Map();
function spansOf(target) {
  if (!best.has(target)) {
    const found = [];
    for (let item = 0; item < NUM_SPANS; item += 1) if (targetOf(item) === target) found.push(item);
    found.sort((one, other) => scoreOf(other) - scoreOf(one));
    best.set(target, found.slice(0, 60));
  }
  return best.get(target);
}

function showCard() {
  const item = current();
  byId("card").hidden = item === null;
  if (item === null) return;
  byId("card").className = decisionClass(item);
  const shownPicture = pictureOf(item) ? [image(item)] : [element("figcaption", "faint", "No picture of this moment. Press p to play it.")];
  byId("face").replaceChildren(...shownPicture);
  byId("place").textContent = `${(at + 1).toLocaleString("en")} of ${queue.length.toLocaleString("en")}${isNear(item) ? " · near miss" : ""}`;
  byId("ask-text").replaceChildren("Is this ", named(targets[targetOf(item)]), "?");
  const told = [`${when(item)}, similarity ${score(read(item, "best"))}`];
  if (isNear(item)) told.push(facts.reasons[read(item, "reason")]);
  byId("ask-facts").replaceChildren(named(videos[videoOf(item)].id), element("br"), shown(told.join(" · ")));
  const play = button("verdict", "", () => playItem(item));
  play.append(element("kbd", "", "p"), element("span", "", "play"));
  byId("answers").replaceChildren(...verdictButtons(item), play);
  byId("verdict").replaceChildren(...verdictText(item));
  const others = compared(item).map((one) => image(one));
  byId("compare").replaceChildren(...(others.length ? [element("p", "faint", "Spans with ", named(targets[targetOf(item)])), ...others] : []));
}

// ---- many at once

const openItems = (isIn) => queue.filter((item) => isOpen(item) && read(item, "best") !== null && isIn(read(item, "best")));

function showBulk() {
  const text = byId("limit").value;
  const limit = Number(text);
  const is = text !== "" && Number.isFinite(limit);
  const [above, below] = is ? [openItems((one) => one >= limit), openItems((one) => one < limit)] : [[], []];
  for (const [id, verb, sign, items] of [["confirm-all", "Confirm", "≥", above], ["reject-all", "Reject", "<", below]]) {
    byId(id).textContent = `${verb} ${is ? counted(items.length, "undecided item") : "all"} ${sign} ${is ? text : "…"}`;
    byId(id).disabled = !items.length;
  }
}

function decideMany(verdict, isIn) {
  const limit = Number(byId("limit").value);
  const items = openItems((one) => isIn(one, limit));
  if (!items.length) return;
  decide(items, verdict);
  showBulk();
}
