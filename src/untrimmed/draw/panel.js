// One video of the report: its player, its figures, and its rows of bars under a playhead.
const TALLEST_LANE = 22, LOWEST_LANE = 5, ROW_HEIGHT = 154, LANE_WITH_TEXT = 14, BAR_WITH_TEXT = 42, NARROWEST_BAR = 4;
const data = JSON.parse(document.getElementById("report-data").textContent);
const colours = new Map(data.classes.map(each => [each.label, each.colour]));

class Panel {
  constructor(source, index) {
    Object.assign(this, source);
    this.truth = source.rows.find(row => row.name === TRUTH);
    this.others = source.rows.filter(row => row.name !== TRUTH);
    for (const row of source.rows) for (const action of row.actions) Object.assign(action, { row: row.name, finders: [] });
    if (this.truth) for (const row of this.others) match(this.truth.actions, row.actions);
    const ends = source.rows.flatMap(row => row.actions.map(action => action.end));
    this.extent = ends.reduce((a, b) => Math.max(a, b), source.duration);
    this.time = 0;
    this.drawn = -1;
    this.bars = new Map();
    this.heading = make("h2", { id: `panel-${index}`, textContent: source.name });
    this.element = make("section", { className: "panel", aria: { labelledby: this.heading.id } },
      make("header", { className: "panel-head" }, this.heading,
        make("span", { className: "quiet", textContent: clock(source.duration) })));
  }

  get actions() { return this.rows.flatMap(row => row.actions); }

  // Everything but the heading waits until the panel comes near the window.
  build() {
    this.player = this.video && new Player(this.video, time => this.move(time));
    this.figures = make("div");
    this.chosenText = make("p", { className: "chosen", textContent: "Choose an action to see it here." });
    this.tracks = make("div");
    this.kernelView = this.kernels.length ? new KernelView(this) : null;
    this.axis = make("div", { className: "axis", aria: { hidden: "true" } });
    this.playhead = make("div", { className: "playhead" });
    this.cursor = make("div", { className: "cursor", aria: { hidden: "true" } }, this.playhead);
    this.plot = make("div", { className: "plot" }, this.tracks, this.kernelView?.element ?? "", this.axis, this.cursor);
    const facts = make("div", { className: "facts" }, this.figures,
      make("div", {}, make("h3", { textContent: "Selected" }), this.chosenText));
    this.element.append(
      make("div", { className: this.video?.plays ? "stage" : "stage bare" }, this.player?.element ?? null, facts), this.plot);
    this.plot.addEventListener("click", event => this.click(event));
    // By keyboard only: between the press and the release of a click, nothing may move under the pointer.
    this.plot.addEventListener("focusin", ({ target }) => {
      if (this.bars.has(target) && target.matches(":focus-visible")) this.choose(target);
    });
    new ResizeObserver(() => this.width !== this.axis.clientWidth && this.near && this.draw()).observe(this.axis);
  }

  come() {
    this.near = true;
    if (!this.plot) this.build();
    this.player?.attach();
    if (this.drawn !== view.version || this.width !== this.axis.clientWidth) this.draw();
  }

  leave() {
    this.near = false;
    this.player?.detach();
  }

  draw() {
    const focused = this.bars.get(document.activeElement);
    this.drawn = view.version;
    this.width = this.axis.clientWidth;
    this.bars.clear();
    this.ground = getComputedStyle(this.element).getPropertyValue("--track").trim();
    this.tracks.replaceChildren(...this.rows.map(row => this.row(row)));
    this.figures.replaceChildren(...this.others.map(row => this.count(row)));
    this.kernelView?.draw(this.width, this.extent);
    this.axis.replaceChildren(...this.ticks());
    this.cursor.replaceChildren(this.playhead);
    if (this.extent > this.duration) this.cursor.append(make("div", { className: "ending", style: { left: this.percent(this.duration) } }));
    this.move(this.time);
    if (this.chosen) this.describe();
    if (focused) this.barOf(focused)?.focus({ preventScroll: true });
  }

  percent(time) { return `${100 * time / this.extent}%`; }

  ticks() {
    return ticks(this.extent, Math.max(2, Math.floor(this.width / 84))).map(({ time, words }) => {
      const place = time === 0 ? "tick first" : time > this.extent * 0.98 ? "tick last" : "tick";
      return make("span", { className: place, textContent: words, style: { left: this.percent(time) } });
    });
  }

  row(row) {
    const ranked = row.actions.filter(isShown).sort((a, b) => b.score - a.score);
    const spans = ranked.map(action => {
      const start = Math.min(this.width * action.start / this.extent, this.width - NARROWEST_BAR);
      return { start, end: Math.max(this.width * action.end / this.extent, start + NARROWEST_BAR) };
    });
    const chosen = lanes(spans), many = Math.max(0, ...chosen) + 1;
    const lane = Math.max(LOWEST_LANE, Math.min(TALLEST_LANE, ROW_HEIGHT / many));
    const bars = ranked.map((action, i) => this.bar(action, spans[i], 3 + chosen[i] * lane, lane));
    // Read and tabbed through in the order of time; one stop a row, arrows go on from there.
    bars.sort((a, b) => this.bars.get(a).start - this.bars.get(b).start);
    const current = bars.find(bar => this.bars.get(bar) === this.chosen) ?? bars[0];
    if (current) current.tabIndex = 0;
    const track = make("div", { className: "track", role: "group", style: { height: `${many * lane + 6}px` },
      aria: { label: `${row.name}, ${bars.length} actions` } }, ...bars);
    return make("div", { className: "row" }, make("div", { className: "row-name", textContent: row.name, title: row.name }), track);
  }

  bar(action, span, top, lane) {
    const colour = colours.get(action.label), opacity = 0.3 + 0.7 * Math.min(1, Math.max(0, action.score));
    const wide = span.end - span.start, gap = lane < 8 ? 0.5 : 1;
    const words = this.words(action);
    const bar = make("button", {
      type: "button", className: wide < 12 || lane < 10 ? "bar tiny" : "bar", tabIndex: -1, title: words,
      textContent: wide >= BAR_WITH_TEXT && lane >= LANE_WITH_TEXT ? action.label : "",
      dataset: { verdict: verdict(this, action) }, aria: { label: words },
      style: { left: `${span.start}px`, width: `${wide}px`, top: `${top + gap}px`, height: `${lane - 2 * gap}px`,
        "--colour": colour, "--opacity": opacity, "--ink": ink(colour, opacity, this.ground) },
    });
    bar.classList.toggle("chosen-bar", action === this.chosen);
    this.bars.set(bar, action);
    return bar;
  }

  barOf(action) { return [...this.bars.keys()].find(bar => this.bars.get(bar) === action); }

  words(action) {
    const score = action.row === TRUTH ? null : `score ${action.score.toFixed(2)}`;
    const match = action.partner ? `tIoU ${overlap(action, action.partner).toFixed(2)}` : null;
    const parts = [`${action.label} ${action.start.toFixed(1)}-${action.end.toFixed(1)} s`, score, verdict(this, action), match];
    return parts.filter(Boolean).join(", ");
  }

  describe() {
    const action = this.chosen;
    const swatch = make("span", { className: "swatch", style: { "--colour": colours.get(action.label) } });
    const times = `${clock(action.start, 1)} to ${clock(action.end, 1)}, ${(action.end - action.start).toFixed(1)} s long`;
    const rest = this.words(action).slice(action.label.length).split(", ").slice(1);
    this.chosenText.replaceChildren(swatch, make("strong", { textContent: action.label }), make("br"),
      times, make("br"), [action.row, ...rest].join(", "));
  }

  count(row) {
    const { truth, found, shown, matched } = count(this, row);
    const figure = (name, value, of) => make("div", {}, make("dt", { textContent: name }),
      make("dd", {}, String(value), of === undefined ? null : make("small", { textContent: ` of ${of}` })));
    const figures = this.truth
      ? [figure("found", found, truth), figure("missed", truth - found), figure("matched", matched, shown), figure("false", shown - matched)]
      : [figure("shown", shown, row.actions.length)];
    return make("div", {}, make("h3", { textContent: row.name }), make("dl", { className: "figures" }, ...figures));
  }

  move(time) {
    this.time = time;
    this.playhead.style.left = this.percent(Math.min(time, this.extent));
  }

  seek(time, play) {
    this.move(time);
    this.player?.seek(time, play);
  }

  click(event) {
    const bar = event.target.closest(".bar");
    if (bar) return this.seek(this.bars.get(this.choose(bar)).start, true);
    if (!event.target.closest(".track, .axis")) return;
    const box = this.axis.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.seek(share * this.extent, true);
  }

  choose(bar) {
    for (const other of this.bars.keys()) other.classList.toggle("chosen-bar", other === bar);
    for (const other of bar.parentElement.children) other.tabIndex = other === bar ? 0 : -1;
    this.chosen = this.bars.get(bar);
    this.describe();
    return bar;
  }

  // To the next bar (for -1, the one before) of the row in which the chosen bar lies: from the focused one, or else
  // from the playhead.
  step(direction) {
    const row = this.barOf(this.chosen)?.parentElement ?? this.tracks.querySelector(".track:has(.bar)");
    if (!row) return;
    const bars = [...row.children], here = bars.indexOf(document.activeElement);
    const later = bars.findIndex(bar => this.bars.get(bar).start > this.time);
    const fresh = direction > 0 ? later : (later < 0 ? bars.length : later) - 1;
    const bar = bars[here < 0 ? fresh : here + direction];
    if (!bar) return;
    bar.focus();
    this.choose(bar);
    this.seek(this.bars.get(bar).start, false);
  }
}
