// A video of a review: a panel whose annotations can be accepted, rejected, dragged, relabelled and added to.
const NUDGE = 0.1, ADDED = 2, SHORTEST = 0.05;  // seconds
const NEW_COLOUR = "#8c959f";

class Editor extends Panel {
  constructor(source, index) {
    super(source, index);
    this.standing = data.review.states[index];
    this.order(this.parted());
  }

  // The items as rows: annotations, then suggestions with what was rejected, then the rows that are only looked at.
  parted() {
    const items = this.standing.items.map(([id, start, end, label, score, status]) => {
      if (!colours.has(label)) colours.set(label, NEW_COLOUR);
      // What a person has accepted is certain.
      return { id, start, end, label, score: status === "accepted" ? 1 : score, status, finders: [], partner: null, row: status === "accepted" ? TRUTH : SUGGESTED };
    });
    const mine = { name: TRUTH, actions: items.filter(item => item.status === "accepted") };
    const rest = { name: SUGGESTED, actions: items.filter(item => item.status !== "accepted") };
    for (const item of rest.actions)
      if (item.status === "open" && mine.actions.some(each => each.label === item.label && overlap(each, item) >= view.tiou)) item.status = "covered";
    return [mine, rest, ...this.given];
  }

  take(state) {
    const chosen = this.chosen;
    this.standing = state;
    this.order(this.parted());
    if (chosen) this.chosen = this.actions.find(each => each.id === chosen.id && (chosen.id !== undefined || each === chosen)) ?? null;
    if (this.near && this.plot) this.draw();
    else this.drawn = -1;
    plan();
    progress();
  }

  build() {
    super.build();
    const button = (words, key, title, deed) => {
      const made = make("button", { type: "button", className: "plain", title }, `${words} `, make("kbd", { textContent: key }));
      made.addEventListener("click", deed);
      return made;
    };
    const deeds = this.deeds;
    this.accept = button("✓ Accept", "a", "Accept the selected action", deeds.a);
    this.reject = button("✗ Reject", "x", "Reject the selected action", deeds.x);
    this.undo = button("Undo", "u", "Undo the last edit of this video", deeds.u);
    this.redo = button("Redo", "r", "Redo what was undone", deeds.r);
    this.field = make("input", { type: "text", maxLength: 200, autocomplete: "off" });
    this.field.setAttribute("list", "labels");
    this.from = make("input", { type: "number", step: "0.1", min: "0" });
    this.to = make("input", { type: "number", step: "0.1", min: "0" });
    this.field.addEventListener("change", () => this.relabel());
    this.field.addEventListener("keydown", event => this.leaveField(event));
    for (const box of [this.from, this.to]) box.addEventListener("change", () => this.retime());
    this.done = make("input", { type: "checkbox" });
    this.subset = make("select", { aria: { label: `Subset of ${this.name}` } }, ...data.review.subsets.map(each => make("option", { textContent: each })));
    this.done.addEventListener("change", () => this.finish(this.done.checked));
    this.subset.addEventListener("change", () => this.finish(this.standing.done));
    const labelled = (words, field) => make("label", {}, make("span", { textContent: words }), field);
    this.plot.after(make("div", { className: "editor", role: "group", aria: { label: `Edit ${this.name}` } },
      make("div", { className: "tools" }, this.accept, this.reject, button("+ Add", "n", "Add an action at the playhead", deeds.n),
        this.undo, this.redo, button("Accept all shown", "A", "Accept every suggestion shown that is not annotated yet", deeds.A)),
      make("div", { className: "tools" }, labelled("Label", this.field), labelled("Start, s", this.from), labelled("End, s", this.to)),
      make("div", { className: "tools finish" }, make("label", { className: "check" }, this.done,
        make("span", {}, "Done: write this video to ")), this.subset)));
    this.plot.addEventListener("pointerdown", event => this.grab(event));
  }

  draw() {
    const held = this.tracks.contains(document.activeElement) ? document.activeElement.dataset.end : null;
    super.draw();
    this.grips();
    if (held) this.tracks.querySelector(`.grip.${held}`)?.focus({ preventScroll: true });
    const { done, subset, past, future } = this.standing;
    this.done.checked = done;
    this.subset.value = subset;
    this.undo.disabled = !past;
    this.redo.disabled = !future;
    this.equip();
  }

  // The tools show what is selected; a row that is only looked at can be taken over, no more.
  equip() {
    const action = this.chosen, isMine = action?.id !== undefined;
    this.accept.disabled = !action || action.status === "accepted";
    this.reject.disabled = !isMine || action.status === "rejected";
    this.field.disabled = this.from.disabled = this.to.disabled = !isMine;
    if (document.activeElement !== this.field) this.field.value = action?.label ?? "";
    this.from.value = action ? action.start.toFixed(3) : "";
    this.to.value = action ? action.end.toFixed(3) : "";
  }

  choose(bar) {
    super.choose(bar);
    this.grips();
    this.equip();
    return bar;
  }

  label() {
    const open = this.rows[1].actions.filter(each => each.status === "open" && isShown(each)).length;
    this.badge.textContent = this.standing.done ? "✓ done" : open ? `${open} open` : "";
    this.state.textContent = this.standing.done ? `✓ done, in ${this.standing.subset}` : `not done · ${this.reason}`;
    this.state.classList.toggle("done", this.standing.done);
  }

  summary() {
    const number = (row, status) => row.actions.filter(each => each.status === status && isShown(each)).length;
    const [mine, rest] = this.rows;
    return [make("div", {}, make("h3", { textContent: "This video" }), make("dl", { className: "figures" },
      this.figure("annotated", mine.actions.length), this.figure("open", number(rest, "open")), this.figure("rejected", number(rest, "rejected"))))];
  }

  get deeds() {
    const withChosen = deed => () => this.chosen?.id === undefined ? tell("Select an annotation or a suggestion first.") : deed(this.chosen);
    const move = (start, end) => withChosen(({ id }) => this.nudge(id, start, end));
    return {
      a: () => this.acceptChosen(), x: withChosen(action => this.judge("reject", [action.id])), A: () => this.acceptAll(), n: () => this.add(),
      l: withChosen(() => { this.field.focus(); this.field.select(); }), u: () => edit(this, { kind: "undo" }, "Undone"), r: () => edit(this, { kind: "redo" }, "Redone"),
      s: withChosen(action => this.retime(this.time, action.end)), e: withChosen(action => this.retime(action.start, this.time)),
      ",": move(-NUDGE, 0), ".": move(NUDGE, 0), "<": move(0, -NUDGE), ">": move(0, NUDGE), d: () => this.finish(!this.standing.done),
    };
  }

  undoKey(event) {
    const kind = { z: "undo", Z: "redo", y: "redo" }[event.key];
    if (!kind || !this.plot) return;
    event.preventDefault();
    edit(this, { kind }, kind === "undo" ? "Undone" : "Redone");
  }

  // On to the next suggestion to decide about, so that a and x alone go through a video.
  async judge(kind, ids) {
    const next = this.rows[1].actions.filter(each => each.status === "open" && isShown(each) && !ids.includes(each.id))
      .sort((a, b) => a.start - b.start).find(each => each.start >= (this.chosen?.start ?? 0));
    if (!await edit(this, { kind, ids })) return;
    const bar = next && [...this.bars].find(([, action]) => action.id === next.id && action.status === "open")?.[0];
    if (!bar) return;
    bar.focus({ preventScroll: true });
    this.choose(bar);
    this.seek(this.chosen.start, false);
  }

  acceptChosen() {
    const action = this.chosen;
    if (!action) return tell("Select an action first.");
    if (action.id !== undefined) return this.judge("accept", [action.id]);
    return edit(this, { kind: "add", start: action.start, end: Math.min(action.end, this.duration), label: action.label }, `Taken over from ${action.row}`);
  }

  // The surest first, and none that overlaps one of its class that was accepted before it.
  acceptAll() {
    const taken = [];
    const open = this.rows[1].actions.filter(each => each.status === "open" && isShown(each)).sort((a, b) => b.score - a.score);
    for (const each of open) if (!taken.some(other => other.label === each.label && overlap(other, each) >= view.tiou)) taken.push(each);
    if (!taken.length) return tell("No suggestion is open here at this score.");
    return edit(this, { kind: "accept", ids: taken.map(each => each.id) }, `${taken.length} accepted`);
  }

  async add() {
    const start = Math.min(this.time, this.duration - ADDED), label = this.chosen?.label ?? data.classes[0]?.label ?? "action";
    const known = new Set(this.standing.items.map(item => item[0]));
    const state = await edit(this, { kind: "add", start: Math.max(0, start), end: Math.min(this.duration, Math.max(0, start) + ADDED), label }, `${label} added: drag its ends, l for its label`);
    const added = state?.items.find(item => !known.has(item[0]));
    const bar = added && [...this.bars].find(([, action]) => action.id === added[0])?.[0];
    if (bar) { bar.focus({ preventScroll: true }); this.choose(bar); }
  }

  relabel() {
    const label = this.field.value.trim(), action = this.chosen;
    if (action?.id === undefined || label === action.label) return;
    if (!label) { this.field.value = action.label; return; }
    // Enter and leaving the field both ask for it, and it is one edit.
    const isThere = () => this.standing.items.some(item => item[0] === action.id && item[3] === label);
    edit(this, () => isThere() ? null : { kind: "relabel", id: action.id, label }, `Now ${label}`);
  }

  leaveField(event) {
    if (event.key === "Escape") this.field.value = this.chosen?.label ?? "";
    if (event.key === "Enter") this.relabel();
    if (event.key === "Escape" || event.key === "Enter") (this.barOf(this.chosen) ?? this.heading).focus({ preventScroll: true });
  }

  retime(start = Number(this.from.value), end = Number(this.to.value)) {
    const action = this.chosen;
    if (action?.id === undefined) return;
    const times = { start: Math.max(0, start), end: Math.min(this.duration, end) };
    if (times.end - times.start < SHORTEST) { tell("Its end must come after its start."); this.equip(); return; }
    edit(this, { kind: "move", id: action.id, ...times });
  }

  nudge(id, earlier, later) {
    return edit(this, () => {
      const [, start, end] = this.standing.items.find(item => item[0] === id);
      const times = { start: Math.max(0, start + earlier), end: Math.min(this.duration, end + later) };
      return times.end - times.start < SHORTEST ? null : { kind: "move", id, ...times };
    });
  }

  finish(done) {
    const subset = this.subset?.value || this.standing.subset;
    edit(this, { kind: "done", done, subset }, done ? `${this.name} is done, and written to ${subset}` : `${this.name} is not done`);
  }

  // Two handles at the ends of the selected action. They lie beside the bars, so that they can be wider than a narrow one.
  grips() {
    for (const old of this.tracks.querySelectorAll(".grip")) old.remove();
    const bar = this.chosen?.id !== undefined ? this.barOf(this.chosen) : null;
    if (!bar) return;
    bar.after(...["start", "end"].map(end => {
      const grip = make("span", { className: `grip ${end}`, role: "slider", tabIndex: 0, aria: {
        label: `${end} of ${this.chosen.label}`, valuemin: 0, valuemax: this.duration, valuenow: this.chosen[end], valuetext: `${this.chosen[end].toFixed(2)} seconds`,
      }, style: { top: bar.style.top, height: bar.style.height } });
      grip.dataset.end = end;
      grip.addEventListener("click", event => event.stopPropagation());
      grip.addEventListener("keydown", event => this.slide(event, end));
      return grip;
    }));
    this.placeGrips(this.chosen.start, this.chosen.end);
  }

  placeGrips(start, end) {
    const x = time => `${this.width * time / this.extent}px`;
    for (const grip of this.tracks.querySelectorAll(".grip")) grip.style.left = x(grip.dataset.end === "start" ? start : end);
  }

  slide(event, end) {
    const step = { ArrowLeft: -NUDGE, ArrowDown: -NUDGE, ArrowRight: NUDGE, ArrowUp: NUDGE }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.nudge(this.chosen.id, end === "start" ? step : 0, end === "end" ? step : 0);
  }

  grab(event) {
    const grip = event.target.closest(".grip"), action = this.chosen, bar = grip && this.barOf(action);
    if (!bar || event.button) return;
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    const times = { start: action.start, end: action.end }, which = grip.dataset.end;
    // By how far it is dragged: a handle is taken beside the border as often as on it.
    const move = ({ clientX }) => {
      const time = Math.min(action[which] + (clientX - event.clientX) * this.extent / this.width, this.duration);
      times[which] = which === "start" ? Math.min(time, times.end - SHORTEST) : Math.max(time, times.start + SHORTEST);
      times.start = Math.max(0, times.start);
      bar.style.left = `${this.width * times.start / this.extent}px`;
      bar.style.width = `${this.width * (times.end - times.start) / this.extent}px`;
      this.placeGrips(times.start, times.end);
      this.from.value = times.start.toFixed(3);
      this.to.value = times.end.toFixed(3);
      this.seek(times[which], false);
    };
    const stop = ({ type }) => {
      grip.removeEventListener("pointermove", move);
      if (type === "pointercancel") return this.draw();
      if (times.start !== action.start || times.end !== action.end) edit(this, { kind: "move", id: action.id, ...times });
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", stop, { once: true });
    grip.addEventListener("pointercancel", stop, { once: true });
  }
}
