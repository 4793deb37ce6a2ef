"use strict";
// A multi-stimulus listening test with hidden reference and anchors, after ITU-R BS.1534-3. Everything that a listener
// does is kept in the browser until it is handed over, so that a reload loses nothing.

const FADE = 0.005; // seconds: sounds fade out, then the next one fades in; they never cross
const LABELS = ["Bad", "Poor", "Fair", "Good", "Excellent"];

const test = JSON.parse(document.getElementById("test").textContent);
const stage = document.getElementById("stage");
const KEPT = `stito-listening-${test.id}`;

// ---- what is remembered ----------------------------------------------------------------------------------------

function shuffled(items) {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const [draw] = crypto.getRandomValues(new Uint32Array(1));
    const j = draw % (i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

function fresh() {
  const practice = test.trials.filter((trial) => trial.training);
  const real = test.trials.filter((trial) => !trial.training);
  const order = [...shuffled(practice), ...shuffled(real)];
  return {
    listener: [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join(""),
    name: "", headphones: true, volume: 0.7, comment: "", started: new Date().toISOString(), at: -1, done: false,
    trials: order.map((trial) => ({ trial: trial.id, order: shuffled(trial.stimuli), ratings: {}, plays: {}, seconds: 0 })),
  };
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    if (kept && kept.trials.length === test.trials.length) return kept;
  } catch { /* no storage, or not ours: begin anew */ }
  return fresh();
}

let state = recall();

function keep() {
  try { localStorage.setItem(KEPT, JSON.stringify(state)); } catch { /* private windows keep nothing */ }
}

// ---- sound -------------------------------------------------------------------------------------------------------

let context = null;
let master = null;
const loaded = new Map(); // trial id -> Promise of {stimulus id: AudioBuffer}

window.stitoAudio = (trial, sounds) => { window.stitoAudio.arrived[trial](sounds); };
window.stitoAudio.arrived = {};

function wake() {
  context ??= new AudioContext();
  if (!master) {
    master = context.createGain();
    master.connect(context.destination);
  }
  master.gain.value = state.volume;
  context.resume();
}

function load(trial) {
  if (!loaded.has(trial.id)) {
    loaded.set(trial.id, new Promise((resolve, reject) => {
      window.stitoAudio.arrived[trial.id] = async (sounds) => {
        try {
          const names = Object.keys(sounds);
          const buffers = await Promise.all(names.map((name) =>
            context.decodeAudioData(Uint8Array.from(atob(sounds[name]), (byte) => byte.charCodeAt(0)).buffer)));
          resolve(Object.fromEntries(names.map((name, index) => [name, buffers[index]])));
        } catch (error) { reject(error); }
      };
      const script = document.createElement("script");
      script.src = trial.file;
      script.onerror = () => { loaded.delete(trial.id); reject(new Error(`${trial.file} cannot be loaded`)); };
      document.head.append(script);
    }));
  }
  return loaded.get(trial.id);
}

function forget(trial) {
  loaded.delete(trial.id);
  document.querySelector(`script[src="${trial.file}"]`)?.remove();
}

class Deck {
  // All sounds of a trial run together; one is heard.
  constructor(buffers) {
    this.buffers = buffers;
    this.seconds = Math.max(...Object.values(buffers).map((buffer) => buffer.duration));
    this.heard = null;
    this.offset = 0;
    this.startedAt = 0;
    this.voices = null;
  }

  get playing() { return this.voices !== null; }

  get position() {
    const since = this.playing ? Math.max(0, context.currentTime - this.startedAt) : 0; // it starts a little later
    return (this.offset + since) % this.seconds;
  }

  play(name) {
    if (this.playing) return this.turnTo(name);
    this.startedAt = context.currentTime + 0.02;
    this.voices = {};
    for (const [key, buffer] of Object.entries(this.buffers)) {
      const source = context.createBufferSource();
      const gate = context.createGain();
      source.buffer = buffer;
      source.loop = true;
      gate.gain.value = 0;
      source.connect(gate).connect(master);
      source.start(this.startedAt, this.offset % buffer.duration);
      this.voices[key] = { source, gate };
    }
    this.heard = name;
    this.raise(this.voices[name].gate.gain, this.startedAt);
    return undefined;
  }

  turnTo(name) {
    if (name === this.heard) return;
    const now = context.currentTime;
    this.silence(this.voices[this.heard].gate.gain, now);
    const gate = this.voices[name].gate.gain;
    gate.cancelScheduledValues(now);
    this.raise(gate, now + FADE);
    this.heard = name;
  }

  raise(param, when) {
    param.setValueAtTime(0, when);
    param.linearRampToValueAtTime(1, when + FADE);
  }

  silence(param, now) {
    param.cancelScheduledValues(now);
    param.setTargetAtTime(0, now, FADE / 4);
    param.setValueAtTime(0, now + FADE);
  }

  stop() {
    if (!this.playing) return;
    const now = context.currentTime;
    this.offset = this.position;
    for (const { source, gate } of Object.values(this.voices)) {
      this.silence(gate.gain, now);
      source.stop(now + 2 * FADE);
    }
    this.voices = null;
  }
}

// ---- pages -------------------------------------------------------------------------------------------------------

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function say(text) { document.getElementById("status").textContent = text; }

function show(...nodes) {
  stage.replaceChildren(...nodes);
  say("");
  stage.focus();
}

let page = null; // what keys do here

function display(index) { // keeps nothing by itself: a page only looked at never overwrites what another one kept
  page?.leave?.();
  state.at = index;
  page = index < 0 ? welcome() : index < state.trials.length ? rate(index) : finish();
}

function goTo(index) {
  display(index);
  keep();
}

function welcome() {
  const name = element("input", { type: "text", value: state.name, id: "name", autocomplete: "off" });
  const headphones = element("input", { type: "checkbox", checked: state.headphones, id: "headphones" });
  const volume = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: state.volume, id: "volume" });
  const sound = element("button", { id: "sample", textContent: "Play a sound" });
  const begin = element("button", { id: "begin", className: "main", textContent: "Begin" });
  const first = test.trials[0];
  let deck = null;
  volume.addEventListener("input", () => {
    state.volume = Number(volume.value);
    if (master) master.gain.value = state.volume;
  });
  sound.addEventListener("click", async () => {
    wake();
    if (deck?.playing) { deck.stop(); sound.textContent = "Play a sound"; return; }
    try {
      const buffers = await load(first);
      if (page !== actions || deck?.playing) return; // begun, or pressed again, meanwhile
      deck ??= new Deck(buffers);
      deck.play(first.reference);
      sound.textContent = "Stop";
    } catch (error) { say(`The sound cannot be played: ${error.message}`); }
  });
  begin.addEventListener("click", () => {
    wake();
    Object.assign(state, { name: name.value.trim(), headphones: headphones.checked });
    goTo(0);
  });
  show(
    element("h1", { textContent: test.title }),
    element("p", { textContent: test.question }),
    element("p", { textContent: `There are ${test.trials.length} pages. On each you hear a reference and several ` +
      "sounds. Rate how like the reference each one is, from 0 to 100. One of them is as good as it gets: give at " +
      "least one 100. What you have done is kept on this device, so you can take a break." }),
    element("label", {}, "Your name or a nickname, if you like ", name),
    element("label", {}, headphones, " I listen on headphones"),
    element("label", {}, "Loud enough to hear details, and comfortable. Leave it like that afterwards. ", volume),
    element("div", { className: "transport" }, sound, begin),
  );
  const actions = { leave: () => deck?.stop(), next: () => begin.click(), toggle: () => sound.click() };
  return actions;
}

function rate(index) {
  const answer = state.trials[index];
  const trial = test.trials.find((one) => one.id === answer.trial);
  const begun = performance.now();
  let deck = null;
  let chosen = null;
  let frame = 0;

  const play = element("button", { id: "play", textContent: "Play" });
  const reference = element("button", { id: "reference", textContent: "Reference" });
  const progress = element("progress", { max: 1, value: 0, ariaLabel: "Position" });
  const next = element("button", { id: "next", className: "main",
    textContent: index + 1 < state.trials.length ? "Next" : "Finish" });
  const rows = answer.order.map((stimulus, place) => {
    const label = String.fromCharCode(65 + place);
    const button = element("button", { textContent: label, ariaLabel: `Sound ${label}` });
    const slider = element("input", { type: "range", min: 0, max: 100, step: 1, value: answer.ratings[stimulus] ?? 0,
      disabled: true, ariaLabel: `Rating of sound ${label}` });
    const output = element("output", { textContent: answer.ratings[stimulus] ?? "" });
    const row = { stimulus, button, slider, output, label };
    button.addEventListener("click", () => hear(row));
    slider.addEventListener("input", () => setRating(row, Number(slider.value)));
    return row;
  });
  const list = element("ol", { className: "sounds" },
    ...rows.map((row) => element("li", {}, row.button, row.slider, row.output)));

  function setRating(row, value) {
    const rating = Math.min(100, Math.max(0, value));
    answer.ratings[row.stimulus] = rating;
    row.slider.value = rating;
    row.slider.setAttribute("aria-valuetext", `${rating}, ${LABELS[Math.min(4, Math.floor(rating / 20))]}`);
    row.output.textContent = rating;
    keep();
  }

  async function hear(row) { // a row, or null for the reference
    chosen = row;
    reference.setAttribute("aria-pressed", String(!row));
    for (const other of rows) other.button.setAttribute("aria-pressed", String(other === row));
    wake();
    let buffers;
    try {
      buffers = await load(trial);
    } catch (error) { say(`The sounds cannot be played: ${error.message}`); return; }
    if (page !== actions || chosen !== row) return; // another page, or another sound, meanwhile
    deck ??= new Deck(buffers);
    const name = row ? row.stimulus : trial.reference;
    deck.play(name);
    answer.plays[name] = (answer.plays[name] ?? 0) + 1;
    keep();
    for (const other of rows) other.slider.disabled = other !== row;
    if (document.activeElement?.matches(".sounds button")) stage.focus(); // so that space and enter are shortcuts again
    play.textContent = "Pause";
    cancelAnimationFrame(frame);
    const draw = () => {
      progress.value = deck.position / deck.seconds;
      if (deck.playing) frame = requestAnimationFrame(draw);
    };
    draw();
  }

  function toggle() {
    if (deck?.playing) { deck.stop(); play.textContent = "Play"; } else hear(chosen);
  }

  function missing() {
    const unheard = rows.filter((row) => !answer.plays[row.stimulus]).map((row) => row.label);
    if (unheard.length) return `Not heard yet: ${unheard.join(", ")}.`;
    const unrated = rows.filter((row) => answer.ratings[row.stimulus] === undefined).map((row) => row.label);
    if (unrated.length) return `Not rated yet: ${unrated.join(", ")}.`;
    if (!rows.some((row) => answer.ratings[row.stimulus] === 100)) return "One of them is as good as it gets: rate it 100.";
    return "";
  }

  const actions = {
    toggle,
    next: () => {
      const text = missing();
      if (text) say(text); else goTo(index + 1);
    },
    choose: (number) => { if (number === 0) hear(null); else if (rows[number - 1]) hear(rows[number - 1]); },
    step: (by) => {
      const place = chosen ? rows.indexOf(chosen) : by > 0 ? -1 : rows.length;
      hear(rows[(place + by + rows.length) % rows.length]);
    },
    turn: (by) => { if (chosen) setRating(chosen, (answer.ratings[chosen.stimulus] ?? 0) + by); },
    leave: () => {
      deck?.stop();
      cancelAnimationFrame(frame);
      answer.seconds += (performance.now() - begun) / 1000;
      if (trial !== test.trials[0]) forget(trial); // decoded sounds are large
    },
  };
  play.addEventListener("click", toggle);
  reference.addEventListener("click", () => hear(null));
  next.addEventListener("click", actions.next);
  show(
    element("p", { className: "where", textContent: `${trial.training ? "For practice, " : ""}${index + 1} of ${state.trials.length}` }),
    element("h1", { textContent: test.question }),
    element("div", { className: "transport" }, play, reference, progress),
    element("div", { className: "scale", ariaHidden: "true" }, ...LABELS.map((text) => element("span", { textContent: text }))),
    list,
    next,
  );
  if (context) load(trial).catch(() => {}); // while the question is read
  return actions;
}

function response() {
  return {
    format: "stito.listening", version: 1, test: test.id, listener: state.listener, name: state.name,
    headphones: state.headphones, volume: state.volume, started: state.started, finished: state.finished,
    comment: state.comment, browser: navigator.userAgent, trials: state.trials,
  };
}

function finish() {
  state.finished ??= new Date().toISOString();
  const comment = element("textarea", { id: "comment", rows: 4, value: state.comment });
  const save = element("button", { id: "save", className: "main", textContent: "Save the answers" });
  comment.addEventListener("input", () => { state.comment = comment.value; keep(); });
  async function hand() {
    const text = JSON.stringify(response(), null, 2);
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
      download: `${test.id}-${state.listener}.json` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000); // some browsers read it only later
    if (!test.post) { say("Saved among your downloads. Please send the file to whoever asked you."); return; }
    try { // plain text, which any collector takes without asking first; what it answers cannot always be read
      await fetch(test.post, { method: "POST", mode: "no-cors", body: text });
      say("Saved, and sent. Keep the file until you know that it has arrived.");
    } catch { say("Saved, but sending failed. Please send the file to whoever asked you."); }
  }
  save.addEventListener("click", hand);
  const again = element("button", { id: "again", textContent: "Someone else listens" });
  again.addEventListener("click", () => {
    if (!confirm("Forget these answers on this device? Save them first.")) return;
    state = fresh();
    goTo(-1);
  });
  show(
    element("h1", { textContent: "Thank you" }),
    element("p", { textContent: test.thanks }),
    element("label", {}, "Anything you would like to say", comment),
    element("div", { className: "transport" }, save, again),
  );
  return { next: hand };
}

// ---- keys --------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (!document.getElementById("shortcuts").checked || event.ctrlKey || event.metaKey || event.altKey) return;
  const writing = event.target.matches("input[type=text], textarea");
  if (writing || (event.repeat && !event.key.startsWith("Arrow"))) return;
  const pressing = event.target.matches("button, input[type=checkbox]") && (event.key === " " || event.key === "Enter");
  if (pressing) return; // the browser's own way to press what has the focus
  const by = event.shiftKey ? 10 : 1;
  const does = {
    " ": () => page.toggle?.(), Enter: () => page.next?.(), ArrowUp: () => page.turn?.(by), ArrowDown: () => page.turn?.(-by),
    ArrowRight: () => page.step?.(1), ArrowLeft: () => page.step?.(-1), r: () => page.choose?.(0),
  }[event.key] ?? (/^[0-9]$/.test(event.key) ? () => page.choose?.(Number(event.key)) : null);
  if (!does || (event.target.id === "volume" && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  does();
});

display(Math.min(state.at, state.trials.length));
