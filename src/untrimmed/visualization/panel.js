// One video of the page: its player, its figures, its stills, and its rows of bars under a playhead.
const TALLEST_LANE = 22, LOWEST_LANE = 5, ROW_HEIGHT = 154, LANE_WITH_TEXT = 14, BAR_WITH_TEXT = 48, BAR_WITH_MARK = 14, NARROWEST_BAR = 4;

class Panel {
  constructor(source, index) {
    Object.assign(this, source, { index, time: 0, drawn: -1, bars: new Map() });
    this.given = source.rows.map(unpack);
    this.order(this.given);
    this.heading = make("h2", { id: `panel-${index}`, textContent: source.name, tabIndex: -1 });
    this.state = make("span", { className: "state" });
    this.element = make("section", { className: "panel", aria: { labelledby: this.heading.id } },
      make("header", { className: "panel-head" }, this.heading,
        make("span", { className: "quiet", textContent: clock(source.duration) }), this.state));
  }

  // Which rows there are: when the page opens, and again whenever an edit has changed them.
  order(rows) {
    this.rows = rows;
    this.truth = rows.find(row => row.name === TRUTH);
    this.others = rows.filter(row => row.name !== TRUTH);
    this.extent = this.actions.reduce((a, action) => Math.max(a, action.end), this.duration);
    rematch(this);
  }

  get actions() { return this.rows.flatMap(row => row.actions); }

  // Everything but the heading waits until the panel comes near the window.
  build() {
    this.player = this.video && new Player(this.video, time => this.move(time));
    this.figures = make("div", { className: "figure-rows" });
    this.chosenText = make("p", { className: "chosen", textContent: "Choose an action to see it here." });
    this.tracks = make("div");
    this.kernelView = this.kernels.length ? new KernelView(this) : null;
    this.axis = make("div", { className: "axis", aria: { hidden: "true" } });
    this.playhead = make("div", { className: "playhead" });
    this.cursor = make("div", { className: "cursor", aria: { hidden: "true" } }, this.playhead);
    this.plot = make("div", { className: "plot" }, this.tracks, this.kernelView?.element ?? "", this.axis, this.cursor);
    this.selected = make("div", { className: "selected" }, make("h3", { textContent: "Selected" }), this.chosenText);
    const facts = make("div", { className: "facts" }, this.figures, this.selected, this.pictures());
    this.element.append(
      make("div", { className: this.video?.plays ? "stage" : "stage bare" }, this.player?.element ?? null, facts), this.plot);
    this.plot.addEventListener("click", event => this.click(event));
    // By keyboard only: between the press and the release of a click, nothing may move under the pointer.
    this.plot.addEventListener("focusin", ({ target }) => {
      if (this.bars.has(target) && target.matches(":focus-visible")) this.choose(target);
    });
    new ResizeObserver(() => this.width !== this.axis.clientWidth && this.near && this.draw()).observe(this.axis);
  }

  pictures() {
    if (!this.stills.length) return null;
    const list = this.stills.map(([time, label, address]) => {
      const button = make("button", { type: "button", className: "still", aria: { label: `Play ${label} at ${clock(time)}` } },
        make("img", { src: address, alt: "", loading: "lazy" }), make("span", { textContent: `${clock(time)} ${label}` }));
      button.addEventListener("click", () => this.seek(time, true));
      return make("li", {}, button);
    });
    return make("ul", { className: "stills", aria: { label: `Stills of ${this.name}` } }, ...list);
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
    this.tracks.replaceChildren(...this.rows.flatMap(row => {
      const curve = view.curves && row.name !== TRUTH && row.actions.length ? [scoreCurve(this, row)] : [];
      return [this.row(row), ...curve];
    }));
    this.figures.replaceChildren(...this.summary());
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

  span(action) {
    const start = Math.min(this.width * action.start / this.extent, this.width - NARROWEST_BAR);
    return { start, end: Math.max(this.width * action.end / this.extent, start + NARROWEST_BAR) };
  }

  row(row) {
    const ranked = row.actions.filter(isShown).sort((a, b) => b.score - a.score);
    const spans = ranked.map(action => this.span(action));
    const chosen = lanes(spans), many = chosen.reduce((a, b) => Math.max(a, b), 0) + 1;
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
    const colour = colours.get(action.label) ?? "#777777", opacity = 0.3 + 0.7 * Math.min(1, Math.max(0, action.score));
    const wide = span.end - span.start, gap = lane < 8 ? 0.5 : 1, words = this.words(action);
    const status = verdict(this, action), mark = MARKS[status] ?? "";
    const text = lane < LANE_WITH_TEXT ? "" : wide >= BAR_WITH_TEXT ? `${mark} ${action.label}`.trim() : wide >= BAR_WITH_MARK ? mark : "";
    const size = wide < 12 || lane < 10 ? "bar tiny" : text.length === 1 ? "bar brief" : "bar";
    const bar = make("button", {
      type: "button", className: size, tabIndex: -1, title: words, textContent: text,
      dataset: { verdict: status }, aria: { label: words },
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
    const found = this.others.length > 1 ? this.others.filter(row => action.finders.some(finds(row))).map(row => row.name) : [];
    const parts = [`${action.label} ${action.start.toFixed(1)}-${action.end.toFixed(1)} s`, score, verdict(this, action), match,
      found.length ? `found by ${found.join(" and ")}` : null];
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

  // What the list of videos says beside its name.
  label() {
    const parts = [this.missed ? `${this.missed} missed` : "", this.wrong ? `${this.wrong} false` : ""];
    this.badge.textContent = parts.filter(Boolean).join(", ");
  }

  // What single keys do to this video, beyond playing it.
  get deeds() { return {}; }

  undoKey() {}

  summary() { return this.others.map(row => this.count(row)); }

  figure(name, value, of) {
    return make("div", {}, make("dt", { textContent: name }),
      make("dd", {}, String(value), of === undefined ? null : make("small", { textContent: ` of ${of}` })));
  }

  count(row) {
    const { truth, found, shown, matched } = count(this, row);
    const figures = this.truth
      ? [this.figure("found", found, truth), this.figure("missed", truth - found), this.figure("matched", matched, shown), this.figure("false", shown - matched)]
      : [this.figure("shown", shown, row.actions.length)];
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
    this.seek(this.timeAt(event.clientX), true);
  }

  timeAt(x) {
    const box = this.axis.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / box.width)) * this.extent;
  }

  choose(bar) {
    for (const other of this.bars.keys()) other.classList.toggle("chosen-bar", other === bar);
    for (const other of bar.parentElement.children) if (this.bars.has(other)) other.tabIndex = other === bar ? 0 : -1;
    this.chosen = this.bars.get(bar);
    this.describe();
    return bar;
  }

  // To the next bar (for -1, the one before) of the row in which the chosen bar lies: from the focused one, or else
  // from the playhead.
  step(direction) {
    const row = this.barOf(this.chosen)?.parentElement ?? this.tracks.querySelector(".track:has(.bar)");
    if (!row) return;
    const bars = [...row.children].filter(each => this.bars.has(each)), here = bars.indexOf(document.activeElement);
    const later = bars.findIndex(bar => this.bars.get(bar).start > this.time);
    const fresh = direction > 0 ? later : (later < 0 ? bars.length : later) - 1;
    const bar = bars[here < 0 ? fresh : here + direction];
    if (!bar) return;
    bar.focus();
    this.choose(bar);
    this.seek(this.bars.get(bar).start, false);
  }
}
