// ---- head

function fact(name, value) {
  return element("div", "", element("dt", "", name), element("dd", "", value));
}

function showHead() {
  const { totals, question } = facts;
  // A question with expressions is about these, not about the persons in them.
  const asked = facts.where.length ? facts.where : [...targets.keys()];
  const listed = asked.slice(0, 6).flatMap((target, place) => [place ? ", " : "", named(targets[target], "target")]);
  const more = asked.length > 6 ? [` and ${asked.length - 6} more`] : [];
  const who = asked.length ? [...listed, ...more] : ["No person"];
  byId("question").replaceChildren(...who, ` in ${counted(totals.videos, "video")} · fastface ${question.command}, ${question.finished.slice(0, 16).replace("T", " ")} UTC`);
  const seen = new Set(facts.pairs.map(([, target]) => target));
  byId("totals").replaceChildren(
    fact(facts.where.length ? "expressions found" : "persons found", `${asked.filter((target) => seen.has(target)).length} of ${asked.length}`),
    fact(facts.where.length ? "time of all spans" : "screen time of all persons", clock(totals.seconds)),
    fact("length of the videos", clock(totals.duration)),
    fact("spans", totals.spans.toLocaleString("en")),
    fact("near misses", totals.nearMisses.toLocaleString("en")),
  );
  showFaults(false);
  byId("night").hidden = !facts.night;
  byId("night-summary").textContent = facts.night?.summary ?? "";
  byId("night-text").textContent = facts.night?.lines.join("\n") ?? "";
  const leftOut = JSON.parse(byId("left-out-facts").textContent);
  byId("left-out").hidden = !leftOut.length;
  byId("left-out").textContent = `This page has a limit of size. Left out: ${leftOut.join(", ")}. The tables beside it have all spans, hits and near misses.`;
}

const FAULTS = 5; // faults that are listed before the reader asks for all

function showFaults(isAll) {
  const { faults } = facts;
  const bad = faults.filter(({ kind }) => !["remark", "left out"].includes(kind));
  const listed = isAll ? faults : bad.slice(0, FAULTS);
  byId("faults").hidden = !faults.length;
  byId("faults").classList.toggle("is-mild", !bad.length);
  byId("faults-title").textContent = bad.length ? "Not everything was searched or exported" : "Remarks";
  byId("fault-list").replaceChildren(...listed.map(({ kind, what, reason }) => {
    const parts = [element("span", "kind", kind), ...(what ? [named(what)] : []), element("span", "faint", shown(reason))];
    return element("li", "", ...parts);
  }));
  const [more, remarks] = [bad.length - listed.length, faults.length - bad.length];
  byId("more-faults").hidden = listed.length === faults.length;
  byId("more-faults").textContent = `Show ${[...(more > 0 ? [`${more} more`] : []), ...(remarks ? [counted(remarks, "remark")] : [])].join(" and ")}`;
}

function fileList() {
  const links = facts.files.map((path) => {
    const link = element("a", "", named(path));
    link.href = path.split("/").map(encodeURIComponent).join("/");
    return element("li", "", link);
  });
  return element("section", "group", element("h2", "", "Files"), element("ul", "files", ...links));
}

function showRun() {
  byId("run-groups").replaceChildren(...(facts.files.length ? [fileList()] : []), ...facts.run.filter(({ facts: rows }) => rows.length).map(({ heading, facts: rows }) => {
    const list = element("dl", "facts", ...rows.map(([name, value]) => fact(shown(name), shown(value))));
    if (heading !== "Settings") return element("section", "group", element("h2", "", heading), list);
    return element("details", "group", element("summary", "", element("h2", "", heading)), list);
  }));
  return 1;
}

// ---- views

const VIEWS = { timelines: showTimelines, times: showMatrix, spans: showSpans, review: showReview, run: showRun };
const EMPTY = { timelines: "No video matches.", times: "No video matches.", spans: "No span and no near miss matches.", review: "Nothing to review." };
let tab = "timelines";

function showTab(name, hasFocus = false) {
  tab = name;
  for (const one of Object.keys(VIEWS)) {
    byId(one).hidden = one !== name;
    byId(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    byId(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  if (hasFocus) byId(`tab-${name}`).focus();
  byId("filter").hidden = name === "run";
  redraw();
  // A reviewer needs the whole window for the picture and its answers.
  if (name === "review") scrollTo(0, Math.max(scrollY, byId("stage").offsetTop - byId("tools").offsetHeight));
}

function redraw() {
  const count = VIEWS[tab]();
  const nouns = { timelines: ["video"], times: ["video"], spans: ["row"], review: ["item"] };
  byId("shown").textContent = nouns[tab] ? counted(count, ...nouns[tab]) : "";
  byId("nothing").hidden = count > 0;
  byId("nothing").textContent = EMPTY[tab] ?? "";
}

function readFilter() {
  filter.words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  filter.target = Number(byId("person").value);
  redraw();
}

function pressOnTab(event) {
  const names = Object.keys(VIEWS);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  showTab(names[(names.indexOf(tab) + step + names.length) % names.length], true);
  event.preventDefault();
  event.stopPropagation();
}

// ---- keys

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || byId("give").open) return;
  if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
  const isReview = !byId("review").hidden;
  const item = isReview ? current() : playing;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSteered = event.target.closest("video");
  if (key === "Escape" && !byId("player").hidden) closePlayer();
  else if (key === "s" && verdicts.size) save();
  else if (key === "u") takeBack(item);
  else if (isReview && !isSteered && key === "ArrowRight" && at + 1 < queue.length) goTo(queue[at + 1]);
  else if (isReview && !isSteered && key === "ArrowLeft" && at > 0) goTo(queue[at - 1]);
  else if (item === null) return;
  else if (key === "p" && isReview) playItem(item);
  else if (!isDecidable(item)) return;
  else if (key === "y") answer(item, "confirmed");
  else if (key === "n") answer(item, "rejected");
  else if (key === "g") ask(item);
  else return;
  event.preventDefault();
}

// ---- start

function begin() {
  showHead();
  recall();
  for (const [target] of targets.entries()) byId("person").append(Object.assign(element("option", "", label(target)), { value: target }));
  byId("limit").value = facts.threshold.toFixed(2);
  byId("command").textContent = facts.command;
  for (const name of Object.keys(VIEWS)) byId(`tab-${name}`).addEventListener("click", () => showTab(name));
  byId("tabs").addEventListener("keydown", pressOnTab);
  for (const id of ["words", "person"]) byId(id).addEventListener("input", readFilter);
  for (const id of ["video-order", "kind", "review-kind", "review-order", "open-only"]) byId(id).addEventListener("input", redraw);
  byId("limit").addEventListener("input", showBulk);
  byId("bulk").addEventListener("toggle", showBulk);
  byId("confirm-all").addEventListener("click", () => decideMany("confirmed", (one, limit) => one >= limit));
  byId("reject-all").addEventListener("click", () => decideMany("rejected", (one, limit) => one < limit));
  byId("more-faults").addEventListener("click", () => showFaults(true));
  byId("close-player").addEventListener("click", closePlayer);
  byId("save").addEventListener("click", save);
  byId("undo").addEventListener("click", () => takeBack(null));
  byId("copy").addEventListener("click", copy);
  byId("give").addEventListener("keydown", pressInDialog);
  document.addEventListener("keydown", press);
  const update = () => { for (const rows of allRows) rows.update(); };
  document.addEventListener("scroll", update, { capture: true, passive: true });
  let width = innerWidth;
  addEventListener("resize", () => { if (width !== innerWidth) redraw(); else update(); width = innerWidth; });
  addEventListener("beforeprint", () => { for (const rows of allRows) if (rows.host.offsetParent) rows.print(true); });
  addEventListener("afterprint", () => { for (const rows of allRows) if (rows.isPrinted) rows.print(false); });
  byId("tools").hidden = false;
  showBar();
  showTab("timelines");
}

begin();
