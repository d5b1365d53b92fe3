// What the keys do, the panel that lists them, and the start of it all.
const KEYS = [
  ["space", "play or pause"],
  ["← →", "the action before, the next one"],
  ["enter", "play the action from its start"],
  ["j k", "the next video, the one before"],
  ["[ ]", "lower or raise the least score"],
  ["c C", "one class alone: the next, the one before"],
  ["t", "match from a tIoU 0.1 higher, then from the lowest"],
  ["/", "find a video"],
  ["?", "these keys"],
];
const EDIT_KEYS = [
  ["a", "accept the selected action"],
  ["A", "accept all suggestions shown of this video"],
  ["x", "reject the selected action"],
  ["n", "add an action at the playhead"],
  ["l", "write another label"],
  ["s e", "its start or its end to the playhead"],
  [", .", "its start 0.1 s earlier, later"],
  ["< >", "its end 0.1 s earlier, later"],
  ["u r", "undo, redo in this video"],
  ["d", "this video is done, or not yet"],
];

// The panel that keys speak to: where the focus is, else the one used last, while it can be seen.
function panelFor(target) {
  return panelOf.get(target.closest(".panel")) ?? (active?.near && !active.element.hidden ? active : firstSeen());
}

const firstSeen = () => inOrder().find(panel => panel.near && panel.element.getBoundingClientRect().bottom > 80);
const inOrder = () => [...page.videos.children].map(element => panelOf.get(element)).filter(panel => panel && !panel.element.hidden);

function nextVideo(direction) {
  const shown = inOrder(), here = shown.indexOf(panelFor(document.body));
  goTo(shown[Math.min(shown.length - 1, Math.max(0, here + direction))]);
}

function nextOverlap(step) {
  setOverlap(view.tiou + step);
  tell(`Matched from tIoU ${view.tiou.toFixed(2)} on`);
}

const ANYWHERE = {
  "?": () => page.keys.open ? page.keys.close() : page.keys.showModal(),
  "/": () => { page.filters.open = true; page.wanted.focus(); },
  j: () => nextVideo(1),
  k: () => nextVideo(-1),
  "[": () => { setFloor(view.floor - 0.05); tell(`Scores from ${view.floor.toFixed(2)} on`); },
  "]": () => { setFloor(view.floor + 0.05); tell(`Scores from ${view.floor.toFixed(2)} on`); },
  c: () => nextClass(1),
  C: () => nextClass(-1),
  t: () => nextOverlap(0.1),
};

function onKey(event) {
  const { target, key, type } = event;
  if (event.altKey || event.metaKey || (event.ctrlKey && !data.review)) return;
  if (target.closest("input:not([type=checkbox]):not([type=range]), select, textarea") || (page.keys.open && key !== "?")) return;
  const isDown = type === "keydown", panel = panelFor(target);
  if (event.ctrlKey) return void (isDown && panel?.undoKey(event));
  const arrow = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if ((arrow || key === " ") && !event.shiftKey) {
    if (target.closest("input, a, summary, .controls, .grip, .editor, .still") || !panel?.plot || (key === " " && !panel.player)) return;
    // On keyup too: Firefox clicks a button when the space bar comes up.
    event.preventDefault();
    if (isDown && arrow) panel.step(arrow);
    if (isDown && !arrow && !event.repeat) panel.player.toggle();
    return;
  }
  if (!isDown) return;
  const deed = ANYWHERE[key] ?? (panel?.plot && panel.deeds[key]);
  if (!deed) return;
  event.preventDefault();
  deed();
}

function listKeys() {
  const keys = data.review ? [...KEYS, ...EDIT_KEYS] : KEYS;
  page["keys-list"].append(...keys.flatMap(([key, words]) =>
    [make("dt", {}, ...key.split(" ").map(each => make("kbd", { textContent: each }))), make("dd", { textContent: words })]));
  page["keys-close"].addEventListener("click", () => page.keys.close());
  page["keys-button"].addEventListener("click", () => page.keys.showModal());
}

function start() {
  const seconds = panels.reduce((sum, panel) => sum + panel.duration, 0);
  const total = (rows, word) => {
    const sum = rows.reduce((all, row) => all + row.actions.length, 0);
    return rows.length ? [`${sum.toLocaleString("en")} ${word}${sum === 1 ? "" : "s"}`] : [];
  };
  page.extent.textContent = [`${panels.length.toLocaleString("en")} ${panels.length === 1 ? "video" : "videos"}, ${clock(seconds)}`,
    `${data.classes.length} ${data.classes.length === 1 ? "class" : "classes"}`,
    ...total(panels.flatMap(panel => panel.truth ?? []), data.review ? "annotation" : "true action"),
    ...total(panels.flatMap(panel => panel.others), data.review ? "suggestion" : "detection")].join(" · ");
  if (matchMedia("(max-width: 1000px)").matches) page.filters.open = false;
  listClasses();
  listKeys();
  prepareFilters();
  listVideos();
  redraw();
  const watch = new IntersectionObserver(changes => {
    for (const { target, isIntersecting } of changes) panelOf.get(target)[isIntersecting ? "come" : "leave"]();
  }, { rootMargin: AHEAD });
  for (const panel of panels) watch.observe(panel.element);
  panels.slice(0, AT_ONCE).forEach(panel => panel.come());
  for (const event of ["focusin", "pointerdown"])
    document.addEventListener(event, ({ target }) => { active = panelOf.get(target.closest?.(".panel")) ?? active; });
  for (const event of ["keydown", "keyup"]) document.addEventListener(event, onKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plan);
  addEventListener("beforeprint", () => panels.forEach(panel => panel.come()));
  if (data.review) follow();
}

start();
