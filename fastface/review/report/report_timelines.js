// ---- similarity over time

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 30;
const curves = new Map(JSON.parse(byId("curves").textContent).map(([video, target, text]) => [`${video} ${target}`, text]));

function curveOf(video, target) {
  const key = `${video} ${target}`;
  const held = curves.get(key);
  if (typeof held !== "string") return held;
  const decoded = Uint8Array.from(atob(held), (one) => one.charCodeAt(0));
  curves.set(key, decoded);
  return decoded;
}

// Points (time, similarity) of the hits of a span.
function pointsOf(item) {
  const [video, bins] = [videos[videoOf(item)], curveOf(videoOf(item), targetOf(item))];
  if (!bins || isNear(item)) return [];
  const step = video.length / bins.length;
  const found = [];
  for (let bin = Math.floor(startOf(item) / step); bin <= endOf(item) / step && bin < bins.length; bin += 1) {
    if (bins[bin]) found.push([Math.min(endOf(item), Math.max(startOf(item), (bin + 0.5) * step)), (bins[bin] - 1) / 254]);
  }
  return found;
}

function similarityAt(item, time) {
  let best = null;
  for (const point of pointsOf(item)) if (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
  return best ? best[1] : read(item, "best");
}

// ---- lanes

function shape(tag, name, attributes) {
  const made = document.createElementNS(SVG, tag);
  if (name) made.setAttribute("class", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const across = (video, time) => (WIDTH * time) / (videos[video].length || 1);

function drawItem(item) {
  const [from, to] = [across(videoOf(item), startOf(item)), across(videoOf(item), endOf(item))];
  const wide = Math.max(3, to - from);
  const place = { x: Math.min(from, WIDTH - wide).toFixed(1), width: wide.toFixed(1) };
  const made = shape("g", "", { tabindex: -1, role: "button", "aria-label": describe(item) });
  made.setAttribute("class", `item ${isNear(item) ? "is-near" : ""} ${decisionClass(item)}`);
  made.dataset.item = item;
  made.append(shape("rect", "body", { ...place, y: isNear(item) ? HEIGHT - 9 : 0, height: isNear(item) ? 9 : HEIGHT }));
  const points = pointsOf(item).map(([time, similarity]) => `${across(videoOf(item), time).toFixed(1)} ${(HEIGHT * (1 - similarity)).toFixed(1)}`);
  if (points.length > 1) {
    const ends = [points[0], points.at(-1)].map((point) => point.split(" ")[0]);
    made.append(shape("path", "curve", { d: `M${ends[0]} ${HEIGHT}L${points.join("L")}L${ends[1]} ${HEIGHT}Z` }));
  } else if (!isNear(item)) {
    const high = HEIGHT * scoreOf(item);
    made.append(shape("rect", "curve", { ...place, y: (HEIGHT - high).toFixed(1), height: high.toFixed(1) }));
  }
  return made;
}

function describe(item) {
  const words = decisionWords(item);
  const said = words ? `, ${words}` : "";
  return `${label(targetOf(item))}, ${isNear(item) ? "near miss, " : ""}${when(item)}, similarity ${score(read(item, "best"))}${said}`;
}

function lane(video, target, items) {
  const drawn = shape("svg", "lane", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "group" });
  drawn.setAttribute("aria-label", `Timeline of ${label(target)}`);
  const limit = HEIGHT * (1 - facts.threshold);
  // Near misses last, so that they can be reached with the mouse.
  const shapes = items.map(drawItem);
  drawn.append(...shapes, shape("line", "limit", { x1: 0, x2: WIDTH, y1: limit, y2: limit }), shape("line", "cursor", { x1: -9, x2: -9, y1: 0, y2: HEIGHT }));
  if (shapes.length) shapes[0].setAttribute("tabindex", 0);
  const timeOf = (event) => {
    const box = drawn.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * videos[video].length;
  };
  const itemOf = (event, time) => {
    const slack = (4 * videos[video].length) / drawn.getBoundingClientRect().width;
    const own = event.target.closest(".item");
    if (own) return Number(own.dataset.item);
    return items.find((item) => startOf(item) - slack <= time && time <= endOf(item) + slack);
  };
  const cursor = drawn.querySelector(".cursor");
  drawn.addEventListener("pointermove", (event) => {
    const time = timeOf(event);
    for (const side of ["x1", "x2"]) cursor.setAttribute(side, across(video, time));
    showTip(itemOf(event, time), video, time, event.clientX, drawn.getBoundingClientRect());
  });
  drawn.addEventListener("pointerleave", () => {
    for (const side of ["x1", "x2"]) cursor.setAttribute(side, -9);
    hideTip();
  });
  drawn.addEventListener("click", (event) => {
    const time = timeOf(event);
    const item = itemOf(event, time);
    if (item === undefined) playTime(video, time);
    else playItem(item, Math.min(endOf(item), Math.max(startOf(item), time)));
  });
  drawn.addEventListener("focusin", (event) => {
    const one = event.target.closest(".item");
    if (!one || !one.matches(":focus-visible")) return;
    const box = one.getBoundingClientRect();
    const item = Number(one.dataset.item);
    showTip(item, video, startOf(item), box.left + box.width / 2, box);
  });
  drawn.addEventListener("focusout", hideTip);
  drawn.addEventListener("keydown", (event) => moveInLane(event, shapes));
  return drawn;
}

function moveInLane(event, shapes) {
  const place = shapes.indexOf(event.target.closest(".item"));
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (place < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Enter" || event.key === " ") playItem(Number(shapes[place].dataset.item));
  else if (step && shapes[place + step]) {
    shapes[place].setAttribute("tabindex", -1);
    shapes[place + step].setAttribute("tabindex", 0);
    shapes[place + step].focus();
  } else return;
  event.preventDefault();
}

function showTip(item, video, time, x, box) {
  const tip = byId("tip");
  const parts = [];
  if (item !== undefined) {
    if (pictureOf(item)) parts.push(image(item));
    const lines = [element("strong", "", named(targets[targetOf(item)])), element("span", "", `${instant(time)} · similarity ${score(similarityAt(item, time))}`)];
    lines.push(element("span", "faint", isNear(item) ? `near miss · ${shown(facts.reasons[read(item, "reason")])}` : when(item)));
    if (decisionWords(item)) lines.push(element("span", "", decisionWords(item)));
    parts.push(element("div", "lines", ...lines));
  } else parts.push(element("div", "lines", instant(time)));
  tip.replaceChildren(...parts);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(innerWidth - width - 6, x - width / 2))}px`;
  tip.style.top = `${box.top - height - 8 > 0 ? box.top - height - 8 : box.bottom + 8}px`;
}

function hideTip() { byId("tip").hidden = true; }

// ---- videos

function lanesOf(video) {
  const lanes = new Map();
  for (const item of itemsOf[video]) {
    const target = targetOf(item);
    if (filter.target >= 0 && target !== filter.target) continue;
    if (!lanes.has(target)) lanes.set(target, []);
    lanes.get(target).push(item);
  }
  return [...lanes].sort(([one], [other]) => one - other);
}

const isNarrow = () => innerWidth <= 720;

function videoHeight(video) {
  const count = new Set(itemsOf[video].map(targetOf).filter((target) => filter.target < 0 || target === filter.target)).size;
  return count ? 74 + count * (isNarrow() ? 58 : 38) : 52;
}

function axis(video) {
  const whole = videos[video].isFilm ? videos[video].length : 0; // pictures of a folder have no times
  const made = element("div", "axis");
  const room = Math.max(2, Math.floor(byId("video-rows").clientWidth / 140));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400].find((one) => whole / one <= room) ?? whole;
  for (let time = 0; time < whole - step * 0.35; time += step) {
    const mark = element("span", "", clock(time));
    mark.style.left = `${(100 * time) / whole}%`;
    made.append(mark);
  }
  return made;
}

function videoBlock(video) {
  const lanes = lanesOf(video);
  const total = secondsOf(video, filter.target);
  const told = lanes.length ? [countTargets(lanes.length), length(total)] : ["no person found"];
  const link = element("a", "source", "open");
  link.href = videos[video].address;
  const head = element("div", "video-head", element("h3", "", named(videos[video].id)), element("span", "faint", [...told, ...(videos[video].length && videos[video].isFilm ? [`of ${clock(videos[video].length)}`] : [])].join(" · ")));
  if (videos[video].address) head.append(link);
  const made = element("article", "video-block", head);
  if (!lanes.length) return made;
  made.append(element("div", "lane-row is-axis", element("span", "lane-name"), axis(video)));
  for (const [target, items] of lanes) {
    const time = secondsOf(video, target);
    const name = element("span", "lane-name", named(targets[target]), element("span", "faint", time ? length(time) : "near miss"));
    made.append(element("div", "lane-row", name, lane(video, target, items)));
  }
  return made;
}

const videoRows = new Rows(byId("video-rows"), videoHeight, videoBlock);

function showTimelines() {
  const by = byId("video-order").value;
  const found = videos.map((_, video) => video).filter((video) => isFound(video) && (filter.target < 0 || itemsOf[video].some((item) => targetOf(item) === filter.target)));
  if (by === "seconds") found.sort((one, other) => secondsOf(other, filter.target) - secondsOf(one, filter.target) || one - other);
  if (by === "near") {
    const num = new Map(found.map((video) => [video, itemsOf[video].filter(isNear).length]));
    found.sort((one, other) => num.get(other) - num.get(one) || one - other);
  }
  videoRows.show(found);
  return found.length;
}

function goToVideo(video, target) {
  byId("words").value = videos[video].id.toLowerCase();
  byId("person").value = String(target);
  readFilter();
  showTab("timelines");
}

// ---- player

let playing = null;

function clipOf(item) {
  const clip = isNear(item) ? 0 : spans.clip[item];
  if (!clip) return null;
  const name = `${facts.clipNames[targetOf(item)]}_${startOf(item).toFixed(3)}-${endOf(item).toFixed(3)}.mp4`;
  const path = clip === 1 ? `clips/${videos[videoOf(item)].id}/${name}` : clip;
  return { url: path.split("/").map(encodeURIComponent).join("/"), start: spans.clipStart[item] || startOf(item) };
}

function playItem(item, time = startOf(item)) {
  const [video, clip] = [videoOf(item), clipOf(item)];
  const sources = clip ? [[`${clip.url}#t=${Math.max(0, time - clip.start).toFixed(3)}`, "clip", clip.url]] : [];
  play(item, video, time, sources);
}

function playTime(video, time) { play(null, video, time, []); }

function play(item, video, time, sources) {
  const { address, offset, isFilm, id } = videos[video];
  if (address && isFilm) sources.push([`${address}#t=${(time + offset).toFixed(3)}`, "source", address]);
  const before = playing;
  playing = item;
  byId("player").hidden = false;
  document.body.classList.add("is-playing");
  const title = item === null ? [named(id)] : [element("strong", "", named(targets[targetOf(item)])), " in ", named(id)];
  byId("player-title").replaceChildren(...title);
  const told = item === null ? instant(time) : `${when(item)} · similarity ${score(read(item, "best"))}${isNear(item) ? " · near miss" : ""}`;
  byId("player-facts").textContent = told;
  const links = sources.map(([url, kind]) => Object.assign(element("a", "", `open the ${kind}`), { href: url }));
  if (!isFilm && address) links.push(Object.assign(element("a", "", "open the folder of pictures"), { href: address }));
  byId("player-links").replaceChildren(...links);
  byId("player-answers").replaceChildren(...(item === null ? [] : verdictButtons(item)));
  start(sources, item);
  if (before !== playing && !byId("spans").hidden) spanRows.refresh();
}

// Tries the clip, then the source; a browser may be unable to play either.
function start(sources, item) {
  const note = byId("player-note");
  const [first, ...rest] = sources;
  byId("screen").querySelector("video")?.removeAttribute("src");
  if (!first) {
    byId("screen").replaceChildren(...(item !== null && pictureOf(item) ? [image(item)] : []));
    note.textContent = item !== null && !videos[videoOf(item)].isFilm ? "" : "This browser cannot play the file. A player such as VLC or mpv can.";
    return;
  }
  note.textContent = "";
  const video = element("video");
  Object.assign(video, { controls: true, playsInline: true, preload: "auto", src: first[0] });
  video.dataset.kind = first[1];
  video.addEventListener("error", () => { if (video.isConnected) start(rest, item); });
  byId("screen").replaceChildren(video);
  video.play().catch(() => undefined); // it may wait for a click
}

function closePlayer() {
  byId("screen").replaceChildren();
  byId("player").hidden = true;
  document.body.classList.remove("is-playing");
  playing = null;
}
