"use strict";
// Listening: one player per row. All clips of a row start together and keep running; switching only moves gains.

const FADE = 0.01; // seconds, short enough to be instant and long enough not to click
const LEAD = 0.03; // seconds ahead of now at which clips are started, so that they start on the same sample

let context = null;
let matched = true;
const players = [];

function fade(param, value) {
  const now = context.currentTime;
  param.cancelScheduledValues(now);
  param.setValueAtTime(param.value, now);
  param.linearRampToValueAtTime(value, now + FADE);
}

function decode(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  return context.decodeAudioData(Uint8Array.from(text, (byte) => byte.charCodeAt(0)).buffer);
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

class Player {
  constructor(root) {
    this.root = root;
    this.clips = JSON.parse(root.dataset.clips); // [{seconds, level}]
    this.radios = [...root.querySelectorAll("input[type=radio]")];
    this.waves = [...root.querySelectorAll(".wave")];
    this.button = root.querySelector(".play");
    this.scrub = root.querySelector(".scrub");
    this.time = root.querySelector(".time");
    this.active = Math.max(0, this.radios.findIndex((radio) => radio.checked));
    this.position = 0; // seconds since the start; every clip loops, each at its own length
    this.startedAt = 0;
    this.wanted = false;
    this.sources = [];
    this.gates = []; // 1 for the clip that is heard, 0 for the others
    this.levels = []; // the level-matching gains
    this.radios.forEach((radio, index) => radio.addEventListener("change", () => this.select(index)));
    this.button.addEventListener("click", () => this.toggle());
    this.listenToScrub();
    this.draw();
  }

  get playing() { return this.sources.length > 0; }

  get now() {
    return this.playing ? this.position + Math.max(0, context.currentTime - this.startedAt) : this.position;
  }

  get length() { return this.clips[this.active].seconds; }

  toggle() { return this.wanted ? this.pause() : this.play(); }

  async play() {
    for (const other of players) if (other !== this) other.pause();
    this.wanted = true;
    context ??= new AudioContext();
    context.resume();
    this.show(this.buffers ? "playing" : "loading");
    try {
      this.buffers ??= await Promise.all(this.clips.map((_, index) => decode(`${this.root.id}-audio-${index}`)));
    } catch {
      this.wanted = false;
      this.show("failed");
      this.time.textContent = "cannot be decoded here";
      return;
    }
    if (!this.wanted || this.playing) return;
    this.start();
    this.show("playing");
    this.animate();
  }

  pause() {
    this.wanted = false;
    this.stop();
    if (this.root.dataset.state !== "failed") this.show("paused");
    this.draw();
  }

  start() {
    this.root.toggleAttribute("data-begun", true);
    this.startedAt = context.currentTime + LEAD;
    this.out = new GainNode(context);
    this.out.connect(context.destination);
    this.gates = this.clips.map((_, index) => new GainNode(context, { gain: index === this.active ? 1 : 0 }));
    this.levels = this.clips.map((clip) => new GainNode(context, { gain: matched ? clip.level : 1 }));
    this.sources = this.clips.map((clip, index) => {
      const source = new AudioBufferSourceNode(context, {
        buffer: this.buffers[index], loop: true, loopStart: 0, loopEnd: clip.seconds,
      });
      source.connect(this.levels[index]).connect(this.gates[index]).connect(this.out);
      source.start(this.startedAt, this.position % clip.seconds);
      return source;
    });
  }

  stop() {
    if (!this.playing) return;
    this.position = this.now;
    fade(this.out.gain, 0);
    for (const source of this.sources) source.stop(context.currentTime + 2 * FADE);
    this.sources = [];
  }

  select(index) {
    if (index >= this.clips.length) return;
    this.active = index;
    this.radios[index].checked = true;
    if (this.playing) this.gates.forEach((gate, other) => fade(gate.gain, other === index ? 1 : 0));
    this.draw();
  }

  match() {
    if (this.playing) this.levels.forEach((node, index) => fade(node.gain, matched ? this.clips[index].level : 1));
  }

  seek(seconds) {
    const restart = this.playing;
    this.root.toggleAttribute("data-begun", true);
    this.stop();
    this.position = Math.min(Math.max(seconds, 0), this.length - 0.001);
    if (restart) this.start();
    this.draw();
  }

  show(state) {
    this.root.dataset.state = state;
    this.button.setAttribute("aria-label", `${this.wanted ? "Pause" : "Play"} ${this.root.dataset.name}`);
  }

  animate() {
    if (!this.playing) return;
    this.draw();
    requestAnimationFrame(() => this.animate());
  }

  draw(fraction = (this.now % this.length) / this.length) {
    this.waves.forEach((wave, index) => wave.toggleAttribute("data-active", index === this.active));
    this.scrub.style.setProperty("--at", fraction);
    const text = `${clock(fraction * this.length)} / ${clock(this.length)}`;
    if (text === this.time.textContent) return;
    this.time.textContent = text;
    this.scrub.setAttribute("aria-valuemax", Math.round(this.length));
    this.scrub.setAttribute("aria-valuenow", Math.floor(fraction * this.length));
    this.scrub.setAttribute("aria-valuetext", text.replace("/", "of"));
  }

  listenToScrub() {
    let dragged = null;
    const place = (event) => {
      const box = this.scrub.getBoundingClientRect();
      dragged = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      this.draw(dragged);
    };
    this.scrub.addEventListener("pointerdown", (event) => {
      this.scrub.setPointerCapture(event.pointerId);
      place(event);
    });
    this.scrub.addEventListener("pointermove", (event) => { if (dragged !== null) place(event); });
    this.scrub.addEventListener("pointerup", () => {
      if (dragged !== null) this.seek(dragged * this.length);
      dragged = null;
    });
    this.scrub.addEventListener("pointercancel", () => { dragged = null; });
    this.scrub.addEventListener("keydown", (event) => {
      const here = this.now % this.length;
      const targets = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: this.length - 1 };
      if (!(event.key in targets)) return;
      event.preventDefault();
      this.seek(targets[event.key]);
    });
  }
}

// Keys act on the row that plays, else on the one in focus, else on the one nearest to the middle of the window.
function current() {
  const away = (player) => {
    const box = player.root.getBoundingClientRect();
    return Math.abs((box.top + box.bottom) / 2 - innerHeight / 2);
  };
  return players.find((player) => player.wanted)
    ?? players.find((player) => player.root.contains(document.activeElement))
    ?? [...players].sort((a, b) => away(a) - away(b))[0];
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !players.length) return;
  const focus = document.activeElement;
  const toggle = document.getElementById("matched");
  if (event.key === " ") {
    // A radio that has the focus is already chosen, so there the space bar is free; elsewhere it belongs to the control.
    if (focus.matches("a, button, summary, input[type=checkbox]")) return;
    event.preventDefault();
    if (!event.repeat) current().toggle();
  } else if (/^[1-9]$/.test(event.key)) {
    current().select(Number(event.key) - 1);
  } else if (event.key.toLowerCase() === "l" && toggle) {
    toggle.click();
  }
}

// Reading: the values under the pointer are written into a plot's legend.
function follow(plot) {
  const { x, at, values } = JSON.parse(plot.dataset.readout);
  const area = plot.querySelector(".area");
  const where = plot.querySelector(".where");
  const outputs = [...plot.querySelectorAll(".legend output")];
  const rest = [where, ...outputs].map((element) => element.textContent);
  area.addEventListener("pointermove", (event) => {
    const box = area.getBoundingClientRect();
    const fraction = (event.clientX - box.left) / box.width;
    const index = x.reduce((best, place, i) => (Math.abs(place - fraction) < Math.abs(x[best] - fraction) ? i : best), 0);
    area.style.setProperty("--x", x[index]);
    area.toggleAttribute("data-followed", true);
    where.textContent = at[index];
    outputs.forEach((output, line) => { output.textContent = values[line][index]; });
  });
  area.addEventListener("pointerleave", () => {
    area.toggleAttribute("data-followed", false);
    [where, ...outputs].forEach((element, index) => { element.textContent = rest[index]; });
  });
}

document.querySelectorAll(".player").forEach((root) => {
  root.player = new Player(root);
  players.push(root.player);
});
document.querySelectorAll(".plot").forEach(follow);
document.addEventListener("keydown", onKey);
document.getElementById("matched")?.addEventListener("change", (event) => {
  matched = event.target.checked;
  document.body.toggleAttribute("data-matched", matched);
  players.forEach((player) => player.match());
});
// After a click the space bar should play again, not press the same thing twice.
document.addEventListener("click", (event) => {
  if (event.detail > 0) document.activeElement?.closest("summary, input[type=checkbox], a, .play")?.blur();
});
