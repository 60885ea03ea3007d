"use strict";
// Parts of every page. Texts may be others': they are written with textContent, title and alt only, never as markup.

const byId = (id) => document.getElementById(id);
const facts = JSON.parse(byId("facts").textContent);

const counted = (count, noun, plural = `${noun}s`) => `${count.toLocaleString("en")}\u00a0${count === 1 ? noun : plural}`;
const length = (seconds) => (seconds > 0 && seconds < 0.5 ? "<0:01" : clock(seconds));

function clock(seconds) {
  const whole = Math.floor(seconds + 0.5);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const kept = parts[0] ? parts : parts.slice(1);
  return kept.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

function instant(seconds) {
  const tenths = Math.floor(seconds * 10 + 0.5);
  return `${clock(Math.floor(tenths / 10))}.${tenths % 10}`;
}

function element(tag, name = "", ...parts) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...parts);
  return made;
}

function button(name, text, action) {
  const made = element("button", name, text);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content), "\n"], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
