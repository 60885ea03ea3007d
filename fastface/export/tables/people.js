// Names, videos and OUT are others' text: see page.js.

const people = new Map(facts.people.map((person) => [person.number, person]));
const cards = new Map();
const chosen = new Set();
const LINES = 3; // videos that a card shows before it is asked for all
const MATES = 6;
const GRAIN = 600; // appearances closer than this part of a video cannot be told apart: they are one segment

// ---- text

const NO_FACE = "face not seen";
const titleOf = (number) => nameOf(number) || `person ${number}`;
const percent = (share) => (share > 0 && share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

// As Python's shlex.quote; what a terminal would not show as it is becomes bytes in $'…' of bash, zsh and ksh.
// The lone surrogates U+DC80–DCFF are bytes that were no UTF-8.
function quoted(text) {
  if (/^[A-Za-z0-9_@%+=:,.\/-]+$/.test(text)) return text;
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) return `'${text.replaceAll("'", `'"'"'`)}'`;
  return `$'${Array.from(text, escaped).join("")}'`;
}

function escaped(character) {
  const code = character.codePointAt(0);
  if (character === "'" || character === "\\") return `\\${character}`;
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(character)) return character;
  const bytes = code >= 0xdc80 && code <= 0xdcff ? [code - 0xdc00] : new TextEncoder().encode(character);
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

// A value that begins with a dash stands behind `=`, so that it is taken for no option.
const option = (short, long, value) => (value.startsWith("-") ? [`${long}=${quoted(value)}`] : [short, quoted(value)]);
const chosenNumbers = () => [...chosen].sort((one, other) => one - other);
const chosenName = () => byId("name").value.trim();

function command() {
  const name = chosenName() ? option("--name", "--name", chosenName()) : [];
  const where = [...option("-o", "--out", facts.out), "--census", facts.census];
  return ["fastface", "pick", ...chosenNumbers(), ...name, ...where].join(" ");
}

// ---- parts of a card

const pictures = new Map();
function portraitsOf(number) {
  if (!pictures.has(number)) pictures.set(number, JSON.parse(byId(`portraits-${number}`)?.textContent ?? "[]"));
  return pictures.get(number);
}

function image(number, portrait, says = true) {
  const made = document.createElement("img");
  made.decoding = "async";
  made.alt = says ? `${titleOf(number)}, ${portrait.video} at ${instant(portrait.time)}` : "";
  if (says) made.title = made.alt;
  made.src = `data:image/jpeg;base64,${portrait.jpeg}`;
  return made;
}

const miniature = (number) => portraitsOf(number).slice(0, 1).map((portrait) => image(number, portrait, false));

const lengths = facts.videos.map(([, duration]) => duration ?? 0);
for (const person of facts.people) {
  for (const [video, , end] of person.appearances) lengths[video] = Math.max(lengths[video], end);
}

function byVideo(person) {
  const rows = new Map();
  for (const [video, start, end, faces] of person.appearances) {
    const row = rows.get(video) ?? { video, seconds: 0, segments: [] };
    rows.set(video, row);
    row.seconds += end - start;
    const last = row.segments.at(-1);
    if (last && start - last.end < lengths[video] / GRAIN) {
      last.end = Math.max(last.end, end);
      last.faces += faces;
      last.count += 1;
    } else row.segments.push({ start, end, faces, count: 1 });
  }
  return [...rows.values()];
}

function segment({ start, end, faces, count }, whole) {
  const made = element("i", faces ? "" : "is-faceless");
  made.style.left = `min(${(100 * start) / whole}%, 100% - 2px)`;
  made.style.width = `${(100 * (end - start)) / whole}%`;
  const several = count > 1 ? `${counted(count, "appearance")}, ` : "";
  made.title = `${instant(start)} – ${instant(end)}\n${several}${faces ? counted(faces, "face") : NO_FACE}`;
  return made;
}

function line(person, row) {
  const [name, duration] = facts.videos[row.video];
  const made = element("div", "line");
  const video = element("span", "video");
  video.append(element("bdi", "", name));
  video.title = name;
  const track = element("span", "track");
  track.append(...row.segments.map((part) => segment(part, lengths[row.video] || 1)));
  const cut = person.faces && person.videos > 1 ? [cutButton(person, row)] : [];
  made.append(video, ...cut, element("span", "length", duration === null ? "" : clock(duration)), track);
  return made;
}

function fillLines(place, person, all) {
  const rows = byVideo(person);
  const most = [...rows].sort((one, other) => other.seconds - one.seconds || one.video - other.video);
  const shown = all || rows.length <= LINES + 1 ? rows : most.slice(0, LINES).sort((one, other) => one.video - other.video);
  place.replaceChildren(...shown.map((row) => line(person, row)));
  if (rows.length <= LINES + 1) return;
  const text = all ? "fewer videos" : `${rows.length - shown.length} more videos`;
  place.append(button("more", text, () => fillLines(place, person, !all)));
}

function ends(person) {
  if (!person.appearances.length) return [];
  const first = person.appearances[0];
  const last = person.appearances.reduce((best, seen) => (seen[0] > best[0] || (seen[0] === best[0] && seen[2] > best[2]) ? seen : best));
  const where = ([video]) => (first[0] === last[0] ? [] : [" in ", element("bdi", "", facts.videos[video][0])]);
  return ["first ", instant(first[1]), ...where(first), ", last ", instant(last[2]), ...where(last)];
}

function mate([number, seconds]) {
  const made = button("mate", "", () => goTo(number));
  made.disabled = !people.has(number);
  made.append(...miniature(number), element("bdi", "", titleOf(number)), element("span", "", length(seconds)));
  return made;
}

function fillTogether(place, person, all = false) {
  const shown = all ? person.together : person.together.slice(0, MATES);
  place.replaceChildren("with", ...shown.map(mate));
  const left = person.together.length - shown.length;
  if (left) place.append(button("more", `${left} more`, () => fillTogether(place, person, true)));
  place.hidden = !shown.length;
}

// ---- cards: their text at once, so that the browser's own search finds it; pictures when they come near

function fill(card, person) {
  const images = portraitsOf(person.number).map((portrait) => image(person.number, portrait));
  card.querySelector(".hero").append(...images.slice(0, 1));
  card.querySelector(".strip").append(...images.slice(1));
  fillLines(card.querySelector(".lines"), person, false);
  fillTogether(card.querySelector(".together"), person);
}

function unseen({ faces, bodySeconds }) {
  if (!faces) return NO_FACE;
  return bodySeconds > 0 ? `of that ${length(bodySeconds)} without the face` : "";
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    fill(target, people.get(Number(target.dataset.number)));
  }
}, { rootMargin: "800px 0px" });

function makeCard(person) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  const write = (name, ...parts) => card.querySelector(name).append(...parts);
  card.dataset.number = person.number;
  write(".title", titleOf(person.number));
  card.querySelector(".title").title = titleOf(person.number);
  if (person.name) write(".number", `#${person.number}`);
  write(".seconds", length(person.seconds));
  write(".share", `on screen · ${percent(person.share)}`);
  card.classList.toggle("is-faceless", !person.faces);
  write(".unseen", unseen(person));
  const found = [counted(person.appearances.length, "appearance"), counted(person.videos, "video")];
  write(".facts", [...(person.faces ? [counted(person.faces, "face")] : []), ...found].join(" · "));
  write(".ends", ...ends(person));
  card.addEventListener("click", (event) => {
    const inner = event.target.closest("button");
    if (!inner ? getSelection().isCollapsed : inner.classList.contains("pick")) chooseBy(event, person.number);
  });
  cards.set(person.number, card);
  near.observe(card);
  return card;
}

function goTo(number) {
  const card = cards.get(number);
  if (card.hidden) {
    byId("text").value = byId("least").value = "";
    byId("seen").checked = false;
    arrange();
  }
  card.scrollIntoView({ block: "center" });
  card.querySelector(".pick").focus({ preventScroll: true });
  card.classList.remove("is-found");
  requestAnimationFrame(() => card.classList.add("is-found"));
}

// ---- filter and order

function haystack(person) {
  const videos = new Set(person.appearances.map(([video]) => facts.videos[video][0]));
  return [person.name || `person ${person.number}`, ...videos].join("\n").toLowerCase();
}
const haystacks = new Map(facts.people.map((person) => [person.number, haystack(person)]));

function isFound(person, words, least, fewest) {
  if (person.seconds < least || person.faces < fewest) return false;
  return words.every((word) => {
    if (/^#\d+$/.test(word)) return Number(word.slice(1)) === person.number;
    if (/^\d+$/.test(word) && Number(word) === person.number) return true;
    const hay = haystacks.get(person.number);
    return (person.name || !/^\d+$/.test(word) ? hay : hay.slice(hay.indexOf("\n"))).includes(word);
  });
}

const FIRST = (person) => person.appearances[0] ?? [Infinity, Infinity];
const ORDERS = {
  number: () => 0,
  seconds: (one, other) => other.seconds - one.seconds,
  first: (one, other) => FIRST(one)[0] - FIRST(other)[0] || FIRST(one)[1] - FIRST(other)[1],
};

function arrange() {
  const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const least = Number(byId("least").value) || 0;
  const fewest = byId("seen").checked ? 1 : 0;
  const order = ORDERS[byId("order").value];
  const sorted = [...facts.people].sort((one, other) => order(one, other) || one.number - other.number);
  let shown = 0;
  for (const person of sorted) {
    const card = cards.get(person.number);
    card.hidden = !isFound(person, words, least, fewest);
    shown += !card.hidden;
  }
  const [before, after] = [byId("people").children, sorted.map(({ number }) => cards.get(number))];
  if (after.some((card, place) => card !== before[place])) byId("people").replaceChildren(...after);
  byId("shown").textContent = shown === people.size ? counted(shown, "person") : `${shown} of ${people.size} shown`;
  byId("nobody").textContent = people.size ? "No person matches." : "No person was found.";
  byId("nobody").hidden = shown > 0;
  showCount();
}

// ---- choosing

function choose(...numbers) {
  for (const number of numbers) {
    if (!chosen.delete(number)) chosen.add(number);
    const card = cards.get(number);
    card.classList.toggle("is-chosen", chosen.has(number));
    card.querySelector(".pick").setAttribute("aria-pressed", String(chosen.has(number)));
  }
  showChosen();
}

function chip(number) {
  const made = document.createElement("li");
  const remove = button("", "×", () => choose(number));
  remove.setAttribute("aria-label", `Do not choose ${titleOf(number)}`);
  made.append(...miniature(number), element("bdi", "", titleOf(number)), remove);
  return made;
}

function showChosen() {
  byId("hint").hidden = chosen.size > 0 || steps.length > 0;
  byId("chosen").hidden = !chosen.size;
  showCount();
  byId("chips").replaceChildren(...chosenNumbers().map(chip));
  showCommand();
}

function showCount() {
  const unseen = chosenNumbers().filter((number) => cards.get(number).hidden).length;
  byId("count").textContent = `${chosen.size} chosen${unseen ? ` (${unseen} not shown)` : ""}`;
}

function showCommand() {
  byId("command").textContent = command();
  byId("copy").textContent = "Copy";
}

async function copy(pressed, shown, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an old browser, or one that trusts no page on a disk
    getSelection().selectAllChildren(byId(shown));
    if (!document.execCommand("copy")) return;
  }
  byId(pressed).textContent = "Copied";
}

function save() {
  download("selection.json", { schema_version: 1, census: facts.census, people: chosenNumbers(), name: chosenName() });
}

// ---- start

function begin() {
  const durations = facts.videos.map(([, duration]) => duration);
  const total = clock(durations.reduce((sum, duration) => sum + (duration ?? 0), 0));
  const parts = [counted(people.size, "person"), counted(durations.length, "video")];
  byId("summary").textContent = [...parts, durations.includes(null) ? `more than ${total}` : total].join(" · ");
  const [persons, faces] = facts.others;
  byId("others").hidden = !persons && !faces;
  byId("others").textContent = `Not listed: ${counted(persons, "person")} with ${counted(faces, "face")}.`;
  byId("people").append(...facts.people.map(makeCard));
  for (const id of ["text", "least", "order", "seen"]) byId(id).addEventListener("input", arrange);
  byId("name").addEventListener("input", showCommand);
  byId("copy").addEventListener("click", () => copy("copy", "command", command()));
  byId("save").addEventListener("click", save);
  byId("clear").addEventListener("click", () => choose(...chosen));
  byId("faceless").hidden = facts.people.every((person) => person.faces);
  byId("tools").hidden = byId("bar").hidden = !people.size;
  arrange();
}
